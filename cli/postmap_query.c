/* SPDX-License-Identifier: BSD-2-Clause */
/* postmap_query.c - one key with -q KEY, and the entries of a table with -s. */
#include <string.h>

#include "messages.h"
#include "postmap.h"

/* Asks one table. *status becomes the exit status once the answer is final. */
static bool ask(struct postmap *run, dictum_table *table, int *status) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  size_t len = strlen(run->query);
  bool final = true;
  switch (dictum_lookup(table, run->query, len, &value, NULL, &err)) {
  case DICTUM_OK:
    postmap_check_value(table, run->query, len, value.len);
    postmap_print(run, run->query, len, value.data, value.len);
    *status = 0;
    break;
  case DICTUM_INVALID: /* no table has such a key */
    postmap_warn_key(table, &err);
    final = false;
    break;
  case DICTUM_NOTFOUND:
    final = false;
    break;
  default:
    *status = postmap_failed(run, table, "query", &err);
  }
  dictum_buf_free(&value);
  return final;
}

int postmap_query(struct postmap *run) {
  int status = 1;
  bool final = false;
  for (char **operand = run->operands; *operand && !final; operand++) {
    dictum_table *table = postmap_open(run, *operand, 0);
    if (!table)
      return 1;
    final = ask(run, table, &status);
    dictum_close(table);
  }
  return status;
}

static void check_key(const dictum_table *table, size_t keylen) {
  if (keylen > 0)
    return;
  struct label label = postmap_label(table);
  message("warning", "table %s:%s: empty lookup key value is not allowed", LABEL(label));
}

static int dump(struct postmap *run, dictum_table *table) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_iter *iter;
  dictum_entry entry;
  dictum_status status = dictum_iter_open(table, &iter, &err);
  while (status == DICTUM_OK && (status = dictum_iter_next(iter, &entry, &err)) == DICTUM_OK) {
    check_key(table, entry.keylen);
    postmap_check_value(table, entry.key, entry.keylen, entry.valuelen);
    postmap_print(run, entry.key, entry.keylen, entry.value, entry.valuelen);
  }
  dictum_iter_close(iter);
  return status == DICTUM_END ? 0 : postmap_failed(run, table, "sequence", &err);
}

int postmap_dump(struct postmap *run) {
  dictum_table *table = postmap_open(run, run->operands[0], 0);
  if (!table)
    return 1;
  int status = dump(run, table);
  dictum_close(table);
  return status;
}
