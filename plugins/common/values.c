/* SPDX-License-Identifier: BSD-2-Clause */
/* values.c - one answer out of many values. */
#include "values.h"

enum { longest_shown = 100 };

int values_shown(const dictum_key *key) {
  return (int)(key->n < longest_shown ? key->n : longest_shown);
}

static void warn_of_empty(const struct values *values) {
  const dictum_key *key = &values->key->whole;
  values->host->log(values->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE,
                    "table \"%s\": empty lookup result for: \"%.*s\" -- ignored", values->label,
                    values_shown(key), key->p);
}

dictum_status values_add(struct values *values, const char *bytes, size_t len) {
  if (len == 0) {
    warn_of_empty(values);
    return DICTUM_OK;
  }
  const struct address value = address_of(bytes, len);
  const size_t before = values->out->len;
  if (before > 0 && !text_append(values->out, ",", 1))
    return DICTUM_NOMEM;
  switch (template_expand(values->format, values->key, &value, values->out)) {
  case TEMPLATE_DONE:
    values->n++;
    break;
  case TEMPLATE_SUPPRESSED:
    values->out->len = before;
    break;
  case TEMPLATE_NOMEM:
    return DICTUM_NOMEM;
  }
  return values->limit > 0 && values->n > values->limit ? DICTUM_RETRY : DICTUM_OK;
}
