/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - the connections of one table.
 *
 * A connection belongs to one call at a time. There are never more than the
 * setting "connections"; who finds all of them busy waits, until its deadline.
 *
 * HOSTS are tried sockets first, each kind in random order; those that failed
 * lately come last, and are not left out: whether to ask at all is core's
 * decision.
 *
 * FORK. A child only closes its copies of the sockets: a good-bye would be said
 * in the parent's name. The memory stays, as another thread of the parent may
 * have been at it.
 */
#ifndef DICTUM_MYSQL_POOL_H
#define DICTUM_MYSQL_POOL_H

#include <mysql.h>

#include "server.h"

struct pool;

/** A connection that a call has to itself. */
struct pool_conn {
  MYSQL *my;
  struct server_host *host;
  bool reused; /**< it was there before this call, and the server may have ended it since */
  bool tls;
  unsigned slot;
  int64_t idle_since;
  struct pool_conn *next;
};

/** Takes over what @p server points to. @return NULL when memory is out. */
struct pool *maria_pool_new(const dictum_host *services, struct server *server);
/** Ends all connections; none may be in use. NULL is fine. */
void maria_pool_free(struct pool *pool);
/** In the child of a fork. NULL is fine. */
void maria_pool_forget(struct pool *pool);

/** @return OK; RETRY when no host can be reached, or no connection is free, by @p deadline;
 *   CONFIG when every host says that the settings are wrong; NOMEM. Any thread. */
dictum_status maria_pool_take(struct pool *pool, int64_t deadline, struct pool_conn **out,
                              dictum_error *err);
/** Gives a connection back that is in order. */
void maria_pool_give(struct pool *pool, struct pool_conn *conn);
/** Ends one that is not. */
void maria_pool_drop(struct pool *pool, struct pool_conn *conn);
/** The same, and ends all that are idle to the same host, since they will be no better. With
 * @p blame other hosts are tried first for a while. */
void maria_pool_drop_host(struct pool *pool, struct pool_conn *conn, bool blame);

#endif
