/* SPDX-License-Identifier: BSD-2-Clause */
/* memcache.h - one open table of type memcache, and what its parts share. */
#ifndef DICTUM_PLUGINS_MEMCACHE_H
#define DICTUM_PLUGINS_MEMCACHE_H

#include "exchange.h"
#include "keyform.h"

struct memcache {
  const dictum_host *host;
  dictum_slot *slot;
  struct terms terms;
  struct servers servers;
  struct keyform form;
  dictum_table *backup; /**< or NULL */
  int64_t timeout_ns;   /**< of one exchange; 0: none */
  int64_t ttl;
  uint32_t flags;
};

/** When an exchange that begins now must be over: after `timeout`, or at the deadline of the call,
 * of whose time the backup gets its half. @param deadline_ns  0: none. @return 0: never. */
int64_t memcache_until(const struct memcache *table, int64_t deadline_ns);

/** Stores a value in the server that @p key, which is formed, belongs to. Values that are too long
 * are taken out instead, as what is there is out of date.
 * @return OK; INVALID: too long; and as memcache_order() */
dictum_status memcache_store(const struct memcache *table, const dictum_key *key,
                             const dictum_key *value, bool only_new, int64_t deadline_ns,
                             dictum_error *err);
dictum_status memcache_remove(const struct memcache *table, const dictum_key *key,
                              int64_t deadline_ns, dictum_error *err);

/** Tells the host about a failure that the backup hides: once, until the server is back.
 * @param err  what it was; NULL: it works */
void memcache_tell(const struct memcache *table, struct server *server, const dictum_error *err);

/* ---- lookup.c -------------------------------------------------------------------------------- */

dictum_status memcache_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                              dictum_sink *sink, dictum_error *err);
dictum_status memcache_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                   size_t n, dictum_sink *sink, dictum_error *err);

/* ---- change.c: transactions, and the walk, which is the backup's ----------------------------- */

dictum_status memcache_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                                 dictum_error *err);
dictum_status memcache_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err);
dictum_status memcache_del(void *txn, const char *key, size_t len, dictum_error *err);
dictum_status memcache_commit(void *txn, dictum_error *err);
void memcache_abort(void *txn);
dictum_status memcache_iter_open(void *self, const dictum_call *call, void **iter,
                                 dictum_error *err);
dictum_status memcache_iter_next(void *iter, dictum_rec *rec, dictum_error *err);
void memcache_iter_close(void *iter);

#endif
