/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.h - the connections to some servers, shared by all tables of the process that ask the same
 * ones with the same settings.
 *
 * Sockets are tried first, then addresses, then URIs; common/hostpool.h has the
 * rest. A child of a fork has pools of its own.
 */
#ifndef DICTUM_PGSQL_POOL_H
#define DICTUM_PGSQL_POOL_H

#include "hostpool.h"
#include "server.h"

struct pool;

/** Finds or makes the pool for @p server, and takes over what that points to.
 * @return OK; NOMEM. */
dictum_status pool_open(const dictum_host *services, struct server *server, struct pool **out,
                        dictum_error *err);
/** The last one closes all connections. NULL is fine. */
void pool_close(struct pool *pool);
/** In the child of a fork. Any thread, any number of times. NULL is fine. */
void pool_forget(struct pool *pool);
/** They live as long as @p pool is open. */
struct hostpool *pool_connections(const struct pool *pool);

#endif
