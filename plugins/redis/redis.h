/* SPDX-License-Identifier: BSD-2-Clause */
/* redis.h - an open table in a Redis server, and what its parts share. */
#ifndef DICTUM_PLUGINS_REDIS_H
#define DICTUM_PLUGINS_REDIS_H

#include "asking.h"
#include "domains.h"
#include "session.h"

enum redis_kind { KIND_STRING, KIND_HASH, KIND_SET, KIND_LIST };

/** Unchanging once it is open. */
struct redis {
  const dictum_host *host;
  dictum_slot *slot;
  char *label; /**< the table's name, for messages */
  struct session session;
  enum redis_kind kind;
  char *hash; /**< KIND_HASH: the key of the hash whose fields are the table's keys */
  struct template key_format, result_format;
  bool plain;        /**< the result is the value as it is */
  dictum_key prefix; /**< what keys begin with, when they are that and the table's key; else NULL */
  struct domains *domains;
  uint64_t expansion_limit; /**< 0: none */
  char ttl[24];             /**< seconds, or "" for ever */
};

/** Makes Redis's key of @p key, at the end of @p out.
 * @return OK; NOTFOUND: there can be none; RETRY or CONFIG of the domains' tables; NOMEM. */
dictum_status redis_form_key(const struct redis *table, const dictum_call *call,
                             const dictum_key *key, struct text *out, dictum_error *err);

dictum_status redis_iter_open(void *self, const dictum_call *call, void **iter, dictum_error *err);
dictum_status redis_iter_next(void *iter, dictum_rec *rec, dictum_error *err);
void redis_iter_close(void *iter);
dictum_status redis_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                              dictum_error *err);
dictum_status redis_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err);
dictum_status redis_del(void *txn, const char *key, size_t len, dictum_error *err);
dictum_status redis_commit(void *txn, dictum_error *err);
void redis_abort(void *txn);

#endif
