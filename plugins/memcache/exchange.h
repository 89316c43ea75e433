/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exchange.h - one question or order, and what one server answers to it, within a limit of time.
 *
 * A connection that has been idle may have been lost meanwhile, as servers are
 * started anew; then, and after a reply that makes no sense, one more attempt
 * is made on a new connection, at once and within the same limit of time.
 * Whoever calls gets a status that is never mixed up: "no such key" only after
 * the server's own word for it.
 */
#ifndef DICTUM_PLUGINS_MEMCACHE_EXCHANGE_H
#define DICTUM_PLUGINS_MEMCACHE_EXCHANGE_H

#include "server.h"
#include "text.h"

/** What holds for every exchange of one table. */
struct terms {
  const dictum_host *host;
  size_t value_max, line_max; /**< what a reply may hold */
  bool retries;               /**< max_try is more than 1 */
  bool alone;                 /**< there is one server; else its failure is that of some keys */
};

/** What the server has for one key. */
struct answer {
  bool found;
  size_t off, len; /**< of the value, in questions.values */
};

/** Keys for one server. All before `done` have their answers. A command's answers count when its
 * reply is whole, which is why values are kept here first. */
struct questions {
  const char **keys;
  size_t *lens;
  size_t n, done;
  struct answer *answers; /**< one for each key */
  struct text *values;    /**< the caller's */
};

/** Asks for all keys.
 * @param until_ns  on CLOCK_MONOTONIC; 0: no limit
 * @return OK when every key has its answer; RETRY, CONFIG: from `done` on, none has. Any thread. */
dictum_status memcache_get(const struct terms *terms, struct server *server, int64_t until_ns,
                           struct questions *questions, dictum_error *err);

/** A change of one key. */
struct order {
  enum { ORDER_SET, ORDER_ADD, ORDER_DELETE } kind;
  dictum_key key, value; /**< ADD and SET: the value */
  int64_t ttl;
  uint32_t flags;
};

/** Gives an order.
 * @return OK; NOTFOUND: DELETE of a key that is not there; EXISTS: ADD of one that is; INVALID: the
 *   server does not take values of this size; RETRY; CONFIG. Any thread. */
dictum_status memcache_order(const struct terms *terms, struct server *server, int64_t until_ns,
                             const struct order *order, dictum_error *err);

#endif
