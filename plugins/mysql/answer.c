/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c - from rows to a value: all columns of all rows, each through result_format, joined. */
#include <string.h>

#include "table.h"

/* An SQL NULL is a value without text. Others end at a NUL byte.
 * @return OK; RETRY for more than the limit; NOMEM */
static dictum_status join_rows(struct values *values, MYSQL_RES *result) {
  dictum_status status = DICTUM_OK;
  for (MYSQL_ROW row; status == DICTUM_OK && (row = mysql_fetch_row(result));) {
    const unsigned long *lengths = mysql_fetch_lengths(result);
    for (unsigned i = 0; i < mysql_num_fields(result) && status == DICTUM_OK; i++)
      status = values_add(values, row[i], row[i] ? strnlen(row[i], lengths[i]) : 0);
  }
  return status;
}

void maria_answer_rows(struct inquiry *inquiry, size_t i, MYSQL_RES *result) {
  const dictum_key *whole = &inquiry->asking.keys[i];
  const struct address key = address_of(whole->p, whole->n);
  const struct table *table = inquiry->table;
  struct values values = {.host = table->host,
                          .slot = table->slot,
                          .label = table->label,
                          .format = &table->result,
                          .limit = table->expansion_limit,
                          .key = &key,
                          .out = &inquiry->value};
  text_clear(&inquiry->value);
  dictum_status status = join_rows(&values, result);
  asking_answered(&inquiry->asking, i, &values, status);
}
