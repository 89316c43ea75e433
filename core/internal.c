/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.c - "internal:label": entries in memory that can be changed, and end with the table.
 *
 * Each open table has its own. A change shows at once; a walk sees the entries
 * that were there when it began. Threads: one at a time in each table.
 */
#include "builtin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NDEBUG
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "error.h"
#include "keyhash.h"

struct item {
  UT_hash_handle hh;
  size_t keylen, valuelen;
  char *value;
  char key[];
};

struct internal {
  const dictum_host *host;
  struct item *items;
  uint64_t seed;
};

/* A copy of all entries, as key and value one behind the other. */
struct walk {
  dictum_rec *recs;
  size_t n, at;
};

static struct item *find(const struct internal *table, const char *key, size_t len) {
  struct item *item = NULL;
  HASH_FIND_BYHASHVALUE(hh, table->items, key, len, (unsigned)keyhash(key, len, table->seed), item);
  return item;
}

static void discard(struct internal *table, struct item *item) {
  HASH_DELETE(hh, table->items, item);
  free(item->value);
  free(item);
}

static bool set_value(struct item *item, const dictum_key *value) {
  char *copy = malloc(value->n ? value->n : 1);
  if (!copy)
    return false;
  if (value->n > 0)
    memcpy(copy, value->p, value->n);
  free(item->value);
  item->value = copy;
  item->valuelen = value->n;
  return true;
}

static bool insert(struct internal *table, const dictum_rec *rec) {
  struct item *item = calloc(1, sizeof *item + rec->key.n);
  if (!item || !set_value(item, &rec->value)) {
    free(item);
    return false;
  }
  item->keylen = rec->key.n;
  if (rec->key.n > 0)
    memcpy(item->key, rec->key.p, rec->key.n);
  struct item *added = item;
  HASH_ADD_KEYPTR_BYHASHVALUE(hh, table->items, item->key, item->keylen,
                              (unsigned)keyhash(item->key, item->keylen, table->seed), added);
  if (item->hh.tbl)
    return true;
  free(item->value);
  free(item);
  return false;
}

/* ---- the type ------------------------------------------------------------------------------- */

static dictum_status internal_open(const dictum_host *host, const dictum_open_args *args,
                                   void **self, dictum_error *err) {
  (void)args;
  struct internal *table = calloc(1, sizeof *table);
  if (!table)
    return error_nomem(err);
  table->host = host;
  table->seed = keyhash_seed();
  *self = table;
  return DICTUM_OK;
}

static void internal_close(void *self) {
  struct internal *table = self;
  struct item *item, *next;
  HASH_ITER(hh, table->items, item, next)
  discard(table, item);
  free(table);
}

static dictum_status internal_lookup(void *self, const dictum_call *call, const char *key,
                                     size_t len, dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)err;
  const struct internal *table = self;
  const struct item *item = find(table, key, len);
  return item ? table->host->emit(sink, item->value, item->valuelen) : DICTUM_NOTFOUND;
}

static void walk_free(struct walk *walk) {
  for (size_t i = 0; i < walk->n; i++)
    free((void *)(uintptr_t)walk->recs[i].key.p);
  free(walk->recs);
  free(walk);
}

static bool copy_item(const struct item *item, dictum_rec *rec) {
  char *bytes = malloc(item->keylen + item->valuelen + 1);
  if (!bytes)
    return false;
  memcpy(bytes, item->key, item->keylen);
  memcpy(bytes + item->keylen, item->value, item->valuelen);
  *rec = (dictum_rec){{bytes, item->keylen}, {bytes + item->keylen, item->valuelen}};
  return true;
}

static dictum_status internal_iter_open(void *self, const dictum_call *call, void **iter,
                                        dictum_error *err) {
  (void)call;
  const struct internal *table = self;
  struct walk *walk = calloc(1, sizeof *walk);
  bool good = walk && (walk->recs = calloc(HASH_COUNT(table->items) + 1, sizeof *walk->recs));
  for (const struct item *item = table->items; good && item; item = item->hh.next)
    good = copy_item(item, &walk->recs[walk->n]) && ++walk->n;
  if (good) {
    *iter = walk;
    return DICTUM_OK;
  }
  if (walk)
    walk_free(walk);
  return error_nomem(err);
}

static dictum_status internal_iter_next(void *iter, dictum_rec *rec, dictum_error *err) {
  (void)err;
  struct walk *walk = iter;
  if (walk->at == walk->n)
    return DICTUM_END;
  *rec = walk->recs[walk->at++];
  return DICTUM_OK;
}

static void internal_iter_close(void *iter) {
  walk_free(iter);
}

/* The table itself stands for a transaction: changes show at once. */
static dictum_status internal_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                                        dictum_error *err) {
  (void)args;
  (void)err;
  *txn = self;
  return DICTUM_OK;
}

static dictum_status internal_put(void *txn, const dictum_rec *rec, uint32_t dup,
                                  dictum_error *err) {
  struct internal *table = txn;
  struct item *item = find(table, rec->key.p, rec->key.n);
  if (item && dup == DICTUM_DUP_REFUSE)
    return error_set(err, DICTUM_EXISTS, 0, "duplicate entry");
  if (item && dup == DICTUM_DUP_IGNORE)
    return DICTUM_OK;
  bool good = item ? set_value(item, &rec->value) : insert(table, rec);
  return good ? DICTUM_OK : error_nomem(err);
}

static dictum_status internal_del(void *txn, const char *key, size_t len, dictum_error *err) {
  (void)err;
  struct internal *table = txn;
  struct item *item = find(table, key, len);
  if (!item)
    return DICTUM_NOTFOUND;
  discard(table, item);
  return DICTUM_OK;
}

static dictum_status internal_commit(void *txn, dictum_error *err) {
  (void)txn;
  (void)err;
  return DICTUM_OK;
}

static void internal_abort(void *txn) {
  (void)txn;
}

const dictum_type internal_type = {
    .name = "internal",
    .summary = "entries in memory, which end with the table",
    .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE,
    .threads = DICTUM_THREADS_PER_HANDLE,
    .open = internal_open,
    .close = internal_close,
    .forget = internal_close,
    .lookup = internal_lookup,
    .iter_open = internal_iter_open,
    .iter_next = internal_iter_next,
    .iter_close = internal_iter_close,
    .txn_begin = internal_txn_begin,
    .put = internal_put,
    .del = internal_del,
    .commit = internal_commit,
    .abort = internal_abort,
};
