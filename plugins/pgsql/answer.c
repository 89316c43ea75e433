/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c - from rows to a value: all columns of all rows, each through result_format, joined. */
#include "table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { longest_shown = 100 };

static int shown(const dictum_key *key) {
  return (int)(key->n < longest_shown ? key->n : longest_shown);
}

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

/* What came of one column. */
enum value_answer { VALUE_ADDED, VALUE_SKIPPED, VALUE_NOMEM };

static enum value_answer add_value(struct asking *asking, const struct address *key,
                                   const char *bytes, size_t len) {
  struct table *table = asking->table;
  if (len == 0) {
    table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE,
                     "table \"%s\": empty lookup result for: \"%.*s\" -- ignored", table->label,
                     shown(&key->whole), key->whole.p);
    return VALUE_SKIPPED;
  }
  const struct address value = address_of(bytes, len);
  const size_t before = asking->value.len;
  if (before > 0 && !text_append(&asking->value, ",", 1))
    return VALUE_NOMEM;
  switch (template_expand(&table->result, key, &value, &asking->value)) {
  case TEMPLATE_DONE:
    return VALUE_ADDED;
  case TEMPLATE_SUPPRESSED:
    asking->value.len = before;
    return VALUE_SKIPPED;
  case TEMPLATE_NOMEM:
    break;
  }
  return VALUE_NOMEM;
}

/* @return OK; RETRY for more than the limit; NOMEM */
static dictum_status join_rows(struct asking *asking, const struct address *key,
                               const PGresult *result, int from, int to, int first) {
  uint64_t n = 0;
  const uint64_t limit = asking->table->expansion_limit;
  for (int row = from; row < to; row++)
    for (int column = first; column < PQnfields(result); column++) {
      enum value_answer answer = add_value(asking, key, PQgetvalue(result, row, column),
                                           (size_t)PQgetlength(result, row, column));
      if (answer == VALUE_NOMEM)
        return DICTUM_NOMEM;
      n += answer == VALUE_ADDED;
      if (limit > 0 && n > limit)
        return DICTUM_RETRY;
    }
  return DICTUM_OK;
}

void answer_rows(struct asking *asking, size_t i, const PGresult *result, int from, int to,
                 int column) {
  const dictum_key *whole = &asking->keys[i];
  const struct address key = address_of(whole->p, whole->n);
  text_clear(&asking->value);
  switch (join_rows(asking, &key, result, from, to, column)) {
  case DICTUM_OK:
    asking_answer(asking, i, asking->value.len > 0 ? DICTUM_OK : DICTUM_NOTFOUND,
                  asking->value.data, asking->value.len);
    break;
  case DICTUM_RETRY:
    asking_fail(asking, i, true, DICTUM_RETRY, "%s: Expansion limit exceeded for key: '%.*s'",
                asking->table->label, shown(whole), whole->p);
    break;
  default:
    asking_fail(asking, i, false, DICTUM_NOMEM, "out of memory");
  }
}
