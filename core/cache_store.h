/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_store.h - answers kept in a table on disk: they outlive the process and are shared.
 *
 * The store is an ordinary table of a type that can be changed in place, as
 * lmdb is. Its size has a bound: when its file has grown to half of that, it
 * becomes the old generation, NAME.old, in place of the one before, and a new
 * one begins; answers are looked for in both. What goes wrong with the store is
 * an event at most: an answer never depends on it.
 */
#ifndef DICTUM_CORE_CACHE_STORE_H
#define DICTUM_CORE_CACHE_STORE_H

#include <stdbool.h>
#include "ctx.h"

struct cache_store;

/** An answer with its age. */
struct cache_record {
  dictum_key key;
  dictum_status status; /**< OK or NOTFOUND */
  dictum_key value;
  int64_t age_ns;
};

/** @param spec    "lmdb:/var/lib/dictum/users"
 * @param source  of whose answers; several sources may use one store
 * @return OK also when the store is out of service for now; INVALID, UNSUPPORTED, NOMEM. */
dictum_status cache_store_open(dictum_ctx *ctx, const char *spec, const char *source,
                               uint64_t max_bytes, struct cache_store **out, dictum_error *err);
/** NULL is fine. */
void cache_store_close(struct cache_store *store);

/** Looks for record->key. @p buf holds the value. @return false: it is not there. */
bool cache_store_get(struct cache_store *store, struct cache_record *record, dictum_buf *buf);
/** Keeps some answers that are new. */
void cache_store_put(struct cache_store *store, const struct cache_record *records, size_t n);
/** Drops some keys. @return OK; RETRY, CONFIG: they may still be there. */
dictum_status cache_store_drop(struct cache_store *store, const dictum_key *keys, size_t n,
                               dictum_error *err);
/** Drops everything, of all sources. @return as cache_store_drop() */
dictum_status cache_store_drop_all(struct cache_store *store, dictum_error *err);

/** The file for cache_tally_*(); lives as long as the store. */
const char *cache_store_tally(const struct cache_store *store);

#endif
