/* SPDX-License-Identifier: BSD-2-Clause */
/* cache_txn.c - changing a table through its cache. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "error.h"

struct cache_txn {
  void *members;
  bool all;
  dictum_buf keys; /* each: its length as a size_t, and its bytes */
};

static void drop_changed(struct cache *cache, const struct cache_txn *txn) {
  if (txn->all)
    cache_drop(cache, NULL, NULL);
  for (size_t at = 0; at < txn->keys.len;) {
    dictum_key key;
    memcpy(&key.n, txn->keys.data + at, sizeof key.n);
    key.p = txn->keys.data + at + sizeof key.n;
    cache_drop(cache, &key, NULL);
    at += sizeof key.n + key.n;
  }
  if (txn->all || txn->keys.len > 0)
    cache_begin_epoch(cache);
}

dictum_status cache_txn_begin(struct node *node, const dictum_txn_args *args, void **out,
                              dictum_error *err) {
  struct cache_txn *txn = calloc(1, sizeof *txn);
  if (!txn)
    return error_nomem(err);
  txn->all = args->mode == DICTUM_TXN_REPLACE_ALL;
  dictum_status status = pass_txn_begin(node, args, &txn->members, err);
  if (status == DICTUM_OK)
    *out = txn;
  else
    free(txn);
  return status;
}

static dictum_status note_change(struct cache_txn *txn, const char *key, size_t len,
                                 dictum_error *err) {
  if (txn->all)
    return DICTUM_OK;
  const size_t before = txn->keys.len;
  if (buf_append(&txn->keys, (const char *)&len, sizeof len) && buf_append(&txn->keys, key, len))
    return DICTUM_OK;
  txn->keys.len = before;
  return error_nomem(err);
}

dictum_status cache_put(struct node *node, void *opaque, const dictum_rec *rec, uint32_t dup,
                        dictum_error *err) {
  struct cache_txn *txn = opaque;
  dictum_status status = note_change(txn, rec->key.p, rec->key.n, err);
  return status == DICTUM_OK ? pass_put(node, txn->members, rec, dup, err) : status;
}

dictum_status cache_del(struct node *node, void *opaque, const char *key, size_t len,
                        dictum_error *err) {
  struct cache_txn *txn = opaque;
  dictum_status status = note_change(txn, key, len, err);
  return status == DICTUM_OK ? pass_del(node, txn->members, key, len, err) : status;
}

uint64_t cache_bucket(struct node *node, void *opaque, const char *key, size_t len) {
  struct cache_txn *txn = opaque;
  return pass_bucket(node, txn->members, key, len);
}

dictum_status cache_load(struct node *node, void *opaque, dictum_bulk *bulk, dictum_error *err) {
  struct cache_txn *txn = opaque;
  return pass_load(node, txn->members, bulk, err);
}

static void end_txn(struct node *node, struct cache_txn *txn) {
  drop_changed((struct cache *)node, txn);
  dictum_buf_free(&txn->keys);
  free(txn);
}

dictum_status cache_commit(struct node *node, void *opaque, dictum_error *err) {
  struct cache_txn *txn = opaque;
  dictum_status status = pass_commit(node, txn->members, err);
  end_txn(node, txn);
  return status;
}

/* Changes to some types show before commit, and may have been cached. */
void cache_abort(struct node *node, void *opaque) {
  struct cache_txn *txn = opaque;
  pass_abort(node, txn->members);
  end_txn(node, txn);
}
