/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c - from rows to a value: all columns of all rows, each through result_format, joined. */
#include "table.h"

/* @return OK; RETRY for more than the limit; NOMEM */
static dictum_status join_rows(struct values *values, const PGresult *result, int from, int to,
                               int first) {
  dictum_status status = DICTUM_OK;
  for (int row = from; row < to && status == DICTUM_OK; row++)
    for (int column = first; column < PQnfields(result) && status == DICTUM_OK; column++)
      status = values_add(values, PQgetvalue(result, row, column),
                          (size_t)PQgetlength(result, row, column));
  return status;
}

void answer_rows(struct inquiry *inquiry, size_t i, const PGresult *result, int from, int to,
                 int column) {
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
  dictum_status status = join_rows(&values, result, from, to, column);
  asking_answered(&inquiry->asking, i, &values, status);
}
