/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxymap.h - a table that is asked and changed through Postfix's proxymap(8).
 *
 * Names and values follow each other as null-terminated texts, and an empty name
 * ends a message. The server begins with "protocol"; then each "request" gets its
 * "status". It drops what it has read beyond a request, so that there is never
 * more than one under way. (Seen with strace between Postfix 3.7's programs.)
 */
#ifndef DICTUM_PLUGINS_PROXYMAP_H
#define DICTUM_PLUGINS_PROXYMAP_H

#include "net.h"

struct proxymap {
  const dictum_host *host;
  struct connpool *pool;
  char *service;  /**< "proxymap", for messages */
  char *table;    /**< "type:name" */
  unsigned flags; /**< how the server opens it, as it has them */
};

/** Connects to the socket at @p path and asks whether the table may be used.
 * @param is_pattern  receives whether its keys are patterns'
 * @return OK; RETRY; CONFIG when the server will not have it; NOMEM. */
dictum_status proxymap_open(const dictum_host *host, const dictum_open_args *args, const char *path,
                            const char *service, struct proxymap **out, bool *is_pattern,
                            dictum_error *err);
/** NULL is fine. */
void proxymap_close(struct proxymap *proxymap);
/** In the child of a fork(). NULL is fine. */
void proxymap_forget(struct proxymap *proxymap);

/** Answers all keys. @return as a lookup. */
dictum_status proxymap_ask(const struct proxymap *proxymap, struct asking *asking);
/** Is there such a key? @return OK; NOTFOUND; RETRY; CONFIG; NOMEM. */
dictum_status proxymap_has(const struct proxymap *proxymap, int64_t deadline_ns,
                           const dictum_key *key, dictum_error *err);
/** Stores a record. What is there is replaced: the server knows nothing else.
 * @return OK; INVALID for a key or value with a null byte; RETRY; CONFIG; NOMEM. */
dictum_status proxymap_update(const struct proxymap *proxymap, int64_t deadline_ns,
                              const dictum_rec *rec, dictum_error *err);
/** @return OK; NOTFOUND; RETRY; CONFIG; NOMEM. */
dictum_status proxymap_delete(const struct proxymap *proxymap, int64_t deadline_ns,
                              const dictum_key *key, dictum_error *err);

#endif
