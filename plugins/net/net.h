/* SPDX-License-Identifier: BSD-2-Clause */
/* net.h - what the table types of this module share. */
#ifndef DICTUM_PLUGINS_NET_H
#define DICTUM_PLUGINS_NET_H

#include <errno.h>
#include "asking.h"
#include "dialogue.h"

/** Makes a pool for one endpoint, which it takes over. @return OK; NOMEM. */
dictum_status net_pool(const dictum_host *host, const dictum_cfg *cfg, struct endpoint *endpoint,
                       struct connpool **out, dictum_error *err);
/** What a fault means for a table. */
dictum_status net_status(const struct fault *fault);
/** An endpoint "inet:host:port" or "unix:path". @return OK; CONFIG; NOMEM. */
dictum_status net_endpoint(const dictum_host *host, const char *text, struct endpoint *out,
                           dictum_error *err);

/** What a type is made of, for the list of types in net.c. Methods as in dictum_plugin.h. */
#define NET_TYPE(type)                                                                             \
  dictum_status type##_open(const dictum_host *host, const dictum_open_args *args, void **self,    \
                            dictum_error *err);                                                    \
  void type##_close(void *self);                                                                   \
  void type##_forget(void *self);                                                                  \
  dictum_status type##_lookup(void *self, const dictum_call *call, const char *key, size_t len,    \
                              dictum_sink *sink, dictum_error *err);                               \
  dictum_status type##_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,    \
                                   size_t n, dictum_sink *sink, dictum_error *err)
NET_TYPE(socketmap);
NET_TYPE(tcp);
NET_TYPE(proxy);

dictum_status proxy_iter_open(void *self, const dictum_call *call, void **iter, dictum_error *err);
dictum_status proxy_iter_next(void *iter, dictum_rec *rec, dictum_error *err);
void proxy_iter_close(void *iter);
dictum_status proxy_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                              dictum_error *err);
dictum_status proxy_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err);
dictum_status proxy_del(void *txn, const char *key, size_t len, dictum_error *err);
dictum_status proxy_commit(void *txn, dictum_error *err);
void proxy_abort(void *txn);

#endif
