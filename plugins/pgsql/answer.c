/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c - from rows to a value: all columns of all rows, each through result_format, joined. */
#include "table.h"
#include "values.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void asking_answer(struct asking *asking, size_t i, dictum_status status, const char *value,
                   size_t len) {
  const dictum_host *host = asking->table->host;
  if (asking->batch)
    host->emit_at(asking->sink, i, status, value, len);
  else
    asking->only = status == DICTUM_OK ? host->emit(asking->sink, value, len) : status;
}

void asking_fail(struct asking *asking, size_t i, bool this_key, dictum_status status,
                 const char *fmt, ...) {
  const dictum_host *host = asking->table->host;
  char text[512];
  va_list args;
  va_start(args, fmt);
  if (!asking->told && vsnprintf(text, sizeof text, fmt, args) >= 0)
    (this_key ? host->fail_key : host->fail)(asking->err, status, 0, "%s", text);
  va_end(args);
  asking->told = true;
  asking_answer(asking, i, status, NULL, 0);
}

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

void answer_rows(struct asking *asking, size_t i, const PGresult *result, int from, int to,
                 int column) {
  const dictum_key *whole = &asking->keys[i];
  const struct address key = address_of(whole->p, whole->n);
  const struct table *table = asking->table;
  struct values values = {.host = table->host,
                          .slot = table->slot,
                          .label = table->label,
                          .format = &table->result,
                          .limit = table->expansion_limit,
                          .key = &key,
                          .out = &asking->value};
  text_clear(&asking->value);
  switch (join_rows(&values, result, from, to, column)) {
  case DICTUM_OK:
    asking_answer(asking, i, asking->value.len > 0 ? DICTUM_OK : DICTUM_NOTFOUND,
                  asking->value.data, asking->value.len);
    break;
  case DICTUM_RETRY:
    asking_fail(asking, i, true, DICTUM_RETRY, "%s: Expansion limit exceeded for key: '%.*s'",
                table->label, values_shown(whole), whole->p);
    break;
  default:
    asking_fail(asking, i, false, DICTUM_NOMEM, "out of memory");
  }
}
