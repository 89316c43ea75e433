/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - connections to the servers of a table, shared by all tables of the process that ask the
 * same ones.
 *
 * A connection belongs to one call at a time. There are never more than the
 * setting "connections"; who finds all of them busy waits, until its deadline.
 *
 * HOSTS are tried sockets first, then addresses, then URIs, each kind in random
 * order; those that failed lately come last, and are not left out: whether to
 * ask at all is core's decision.
 *
 * FORK. A child has pools of its own. Of the parent's it only closes its copies
 * of the sockets: PQfinish() would say good-bye to the server in the parent's
 * name. The memory stays, as another thread of the parent may have been at it.
 */
#ifndef DICTUM_PGSQL_POOL_H
#define DICTUM_PGSQL_POOL_H

#include "server.h"

struct pool;

/** A connection that a call has to itself. */
struct pool_conn {
  PGconn *pg;
  struct server_host *host;
  bool reused; /**< it was there before this call, and the server may have ended it since */
  unsigned slot;
  int64_t idle_since;
  struct pool_conn *next;
};

/** Finds or makes the pool for @p server, and takes over what that points to.
 * @return OK; NOMEM. */
dictum_status pool_open(const dictum_host *services, struct server *server, struct pool **out,
                        dictum_error *err);
/** The last one closes all connections. NULL is fine. */
void pool_close(struct pool *pool);
/** In the child of a fork. Any thread, any number of times. NULL is fine. */
void pool_forget(struct pool *pool);

/** @return OK; RETRY when no host can be reached, or no connection is free, by @p deadline;
 *   CONFIG when every host says that the settings are wrong; NOMEM. */
dictum_status pool_take(struct pool *pool, int64_t deadline, struct pool_conn **out,
                        dictum_error *err);
/** Gives a connection back that is in order. */
void pool_give(struct pool *pool, struct pool_conn *conn);
/** Closes one that is not. */
void pool_drop(struct pool *pool, struct pool_conn *conn);
/** The same, and closes all that are idle to the same host, since they will be no better. With
 * @p blame other hosts are tried first for a while. */
void pool_drop_host(struct pool *pool, struct pool_conn *conn, bool blame);

#endif
