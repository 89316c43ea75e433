/* SPDX-License-Identifier: BSD-2-Clause */
/* cache.h - the cache node, between its files: cache.c, cache_lookup.c, cache_txn.c. */
#ifndef DICTUM_CORE_CACHE_H
#define DICTUM_CORE_CACHE_H

#include "cache_memory.h"
#include "cache_store.h"
#include "combine.h"

struct cache {
  struct combinator base;
  struct cache_times times;
  struct cache_memory *memory;
  struct cache_store *store; /**< or NULL */
  atomic_bool stale_told;    /**< since the member last told something */
  atomic_int_least64_t next_tick_ns;
  _Atomic uint64_t drops;    /**< how often something was dropped */
  struct forklock tick_lock; /**< guards what follows */
  uint64_t epoch;
  struct cache_counts told; /**< what the tally has of this process's counts */
};

static inline struct node *cache_member(const struct cache *cache) {
  return cache->base.members[0];
}

/** The form of the keys under which answers are kept. */
const dictum_key *cache_form(const struct cache *cache, const struct node_keys *keys);
/** To be called with each lookup: tells counts, and hears of flushes by other processes. */
void cache_tick(struct cache *cache, int64_t now_ns);
/** Drops what is kept of a key, or of all when it is NULL, here and in the store.
 * @return OK; RETRY or CONFIG when the store may still have it. */
dictum_status cache_drop(struct cache *cache, const dictum_key *key, dictum_error *err);
/** Lets other processes forget what they have in memory. */
bool cache_begin_epoch(struct cache *cache);
/** Keeps answers in the store, unless something was dropped since @p drops was read. */
void cache_put_in_store(struct cache *cache, const struct cache_record *records, size_t n,
                        uint64_t drops);

dictum_status cache_lookup(struct node *node, const dictum_call *call, const struct node_keys *keys,
                           dictum_sink *sink, dictum_error *err);
/* Changes go to the member; what is kept of their keys is dropped when they are done. */
dictum_status cache_txn_begin(struct node *node, const dictum_txn_args *args, void **txn,
                              dictum_error *err);
dictum_status cache_put(struct node *node, void *txn, const dictum_rec *rec, uint32_t dup,
                        dictum_error *err);
dictum_status cache_del(struct node *node, void *txn, const char *key, size_t len,
                        dictum_error *err);
uint64_t cache_bucket(struct node *node, void *txn, const char *key, size_t len);
dictum_status cache_load(struct node *node, void *txn, dictum_bulk *bulk, dictum_error *err);
dictum_status cache_commit(struct node *node, void *txn, dictum_error *err);
void cache_abort(struct node *node, void *txn);

#endif
