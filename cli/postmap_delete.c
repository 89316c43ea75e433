/* SPDX-License-Identifier: BSD-2-Clause */
/* postmap_delete.c - removing one key with -d KEY, or those on standard input with -d -. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interrupt.h"
#include "keyreader.h"
#include "messages.h"
#include "postmap.h"

enum { KEYS_AT_ONCE = 1024 };

static dictum_status remove_in(dictum_table *table, dictum_txn *txn, const dictum_req *keys,
                               size_t n, bool *found, dictum_error *err) {
  for (size_t i = 0; i < n && !interrupt_came(); i++) {
    dictum_status status = dictum_txn_del(txn, keys[i].key, strnlen(keys[i].key, keys[i].keylen),
                                          err);
    if (status == DICTUM_INVALID) /* counts as removed, as in Postfix */
      postmap_warn_key(table, err);
    else if (status != DICTUM_OK && status != DICTUM_NOTFOUND)
      return status;
    *found |= status != DICTUM_NOTFOUND;
  }
  return DICTUM_OK;
}

static dictum_status transact(dictum_table *table, const dictum_req *keys, size_t n, bool *found,
                              bool *begun, dictum_error *err) {
  dictum_txn *txn;
  dictum_status status = dictum_txn_begin(table, DICTUM_TXN_UPDATE, 0, &txn, err);
  if (status != DICTUM_OK)
    return status;
  *begun = true;
  status = remove_in(table, txn, keys, n, found, err);
  if (status == DICTUM_OK && !interrupt_came())
    return dictum_txn_commit(txn, err);
  dictum_txn_abort(txn);
  return status;
}

/* Removes keys from one table in one transaction. Sets *found when one was there. It may work on a
 * copy of the file, which a signal must not leave behind. */
static int remove_keys(struct postmap *run, dictum_table *table, const dictum_req *keys, size_t n,
                       bool *found) {
  dictum_error err = DICTUM_ERROR_INIT;
  bool begun = false;
  interrupt_watch(-1);
  dictum_status status = transact(table, keys, n, found, &begun, &err);
  interrupt_finish();
  if (status == DICTUM_CONFIG && !begun) { /* as when it is opened: it may have to be made */
    message("fatal", "%s", err.what);
    return 1;
  }
  return status == DICTUM_OK ? 0 : postmap_failed(run, table, "delete", &err);
}

static int remove_everywhere(struct postmap *run, dictum_table **tables, const dictum_req *keys,
                             size_t n, bool *found) {
  int status = 0;
  for (; *tables && status == 0; tables++)
    status = remove_keys(run, *tables, keys, n, found);
  return status;
}

/* One table takes many keys in one transaction. Of several, each gets a key before the next key is
 * read, so that a failure leaves them as Postfix would. */
static int remove_input(struct postmap *run, dictum_table **tables, bool *found) {
  static dictum_req keys[KEYS_AT_ONCE];
  size_t at_once = tables[1] ? 1 : KEYS_AT_ONCE;
  dictum_error err = DICTUM_ERROR_INIT;
  struct keyreader *reader = keyreader_open(STDIN_FILENO, '\n');
  if (!reader) {
    message("fatal", "out of memory");
    return 1;
  }
  int status = 0;
  for (size_t n = 1; n > 0 && status == 0;) {
    if (keyreader_next(reader, keys, at_once, &n, &err) != DICTUM_OK) {
      message("fatal", "%s", err.what);
      status = 1;
    } else if (n > 0) {
      status = remove_everywhere(run, tables, keys, n, found);
    }
  }
  keyreader_close(reader);
  return status;
}

/* Opens all tables before the first key is read, as Postfix does. */
static int remove_batch(struct postmap *run, dictum_table **tables, bool *found) {
  int status = 0;
  for (size_t i = 0; run->operands[i] && status == 0; i++) {
    tables[i] = postmap_open(run, run->operands[i], DICTUM_OPEN_WRITE);
    status = tables[i] ? 0 : 1;
  }
  if (status == 0)
    status = remove_input(run, tables, found);
  for (size_t i = 0; run->operands[i]; i++)
    dictum_close(tables[i]);
  return status;
}

/* Is done with one table before it opens the next, as Postfix is. */
static int remove_one(struct postmap *run, bool *found) {
  const dictum_req key = {.key = run->remove, .keylen = strlen(run->remove)};
  int status = 0;
  for (char **operand = run->operands; *operand && status == 0; operand++) {
    dictum_table *table = postmap_open(run, *operand, DICTUM_OPEN_WRITE);
    status = table ? remove_keys(run, table, &key, 1, found) : 1;
    dictum_close(table);
  }
  return status;
}

int postmap_delete(struct postmap *run) {
  bool found = false;
  int status = 1;
  if (strcmp(run->remove, "-") != 0) {
    status = remove_one(run, &found);
  } else {
    size_t n = 0;
    while (run->operands[n])
      n++;
    dictum_table **tables = calloc(n + 1, sizeof *tables);
    if (tables)
      status = remove_batch(run, tables, &found);
    else
      message("fatal", "out of memory");
    free(tables);
  }
  return status == 0 && found ? 0 : 1;
}
