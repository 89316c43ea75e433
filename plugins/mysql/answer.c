/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c - from rows to a value: all columns of all rows, each through result_format, joined. */
#include <string.h>

#include "table.h"

enum { longest_shown = 100 };

static int shown(const dictum_key *key) {
  return (int)(key->n < longest_shown ? key->n : longest_shown);
}

/* What came of one column. */
enum value_answer { VALUE_ADDED, VALUE_SKIPPED, VALUE_NOMEM };

/* @param bytes  NULL for SQL's NULL; else up to a NUL byte */
static enum value_answer add_value(struct inquiry *inquiry, const struct address *key,
                                   const char *bytes, size_t size) {
  const struct table *table = inquiry->table;
  const size_t len = bytes ? strnlen(bytes, size) : 0;
  if (len == 0) {
    table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE,
                     "table \"%s\": empty lookup result for: \"%.*s\" -- ignored", table->label,
                     shown(&key->whole), key->whole.p);
    return VALUE_SKIPPED;
  }
  const struct address value = address_of(bytes, len);
  const size_t before = inquiry->value.len;
  if (before > 0 && !text_append(&inquiry->value, ",", 1))
    return VALUE_NOMEM;
  enum template_answer made = template_expand(&table->result, key, &value, &inquiry->value);
  if (made == TEMPLATE_SUPPRESSED)
    inquiry->value.len = before;
  return made == TEMPLATE_DONE         ? VALUE_ADDED
         : made == TEMPLATE_SUPPRESSED ? VALUE_SKIPPED
                                       : VALUE_NOMEM;
}

/* @return OK; RETRY for more than the limit; NOMEM */
static dictum_status join_rows(struct inquiry *inquiry, const struct address *key,
                               MYSQL_RES *result) {
  uint64_t n = 0;
  const uint64_t limit = inquiry->table->expansion_limit;
  for (MYSQL_ROW row; (row = mysql_fetch_row(result));) {
    const unsigned long *lengths = mysql_fetch_lengths(result);
    for (unsigned column = 0; column < mysql_num_fields(result); column++) {
      enum value_answer answer = add_value(inquiry, key, row[column], lengths[column]);
      if (answer == VALUE_NOMEM)
        return DICTUM_NOMEM;
      n += answer == VALUE_ADDED;
      if (limit > 0 && n > limit)
        return DICTUM_RETRY;
    }
  }
  return DICTUM_OK;
}

void maria_answer_rows(struct inquiry *inquiry, size_t i, MYSQL_RES *result) {
  struct asking *asking = &inquiry->asking;
  const dictum_key *whole = &asking->keys[i];
  const struct address key = address_of(whole->p, whole->n);
  text_clear(&inquiry->value);
  dictum_status status = join_rows(inquiry, &key, result);
  if (status == DICTUM_RETRY)
    asking_failed_key(asking, i, DICTUM_RETRY, "%s: Expansion limit exceeded for key: '%.*s'",
                      inquiry->table->label, shown(whole), whole->p);
  else if (status != DICTUM_OK)
    asking_failed(asking, i, status, 0, "out of memory");
  else if (inquiry->value.len > 0)
    asking_found(asking, i, inquiry->value.data, inquiry->value.len);
  else
    asking_absent(asking, i);
}
