/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - the servers of one table, the connections to each, and who may use one.
 *
 * A connection is a memcached_st with a single server in it. So a failure is
 * always that of one known server, and the library's own bookkeeping of several
 * (which takes a server that failed out of service for a while, and takes a
 * time-out of one for "no such key") never comes into play: what has failed once
 * is thrown away. One more memcached_st, which never connects, is the ring that
 * tells which server a key belongs to.
 */
#ifndef DICTUM_PLUGINS_MEMCACHE_SERVER_H
#define DICTUM_PLUGINS_MEMCACHE_SERVER_H

#include <libmemcached/memcached.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "settings.h"

/** Threads beyond these wait for one another. */
enum { server_connections_max = 16 };

struct server {
  char *label; /**< in messages: "host:port" or the path of a socket */
  char *host;  /**< name, address, or the path of a socket */
  in_port_t port;
  bool resolves; /**< the name is no address */
  pthread_mutex_t lock;
  pthread_cond_t freed;
  memcached_st *idle[server_connections_max]; /**< the one used last is the next one to be used */
  size_t nidle, nopen;                        /**< open: idle and in use */
  bool has_lock;                              /**< lock and freed are initialized */
  atomic_bool down;                           /**< its last call failed; for messages only */
};

struct servers {
  struct server *list;
  size_t n;
  memcached_st *ring; /**< NULL for a single server */
};

/** Reads the setting "memcache": "inet:host:port" and "unix:path", one or several. Connects to
 * none.
 * @param out  to be released with memcache_servers_close(), also after a failure
 * @return OK; CONFIG; NOMEM. */
dictum_status memcache_servers_open(struct servers *out, const struct settings *settings);
/** Ends all connections; none may be in use. {0} is fine. */
void memcache_servers_close(struct servers *servers);
/** The same in the child of a fork(), where the connections are the parent's: the library cannot
 * end one without a word to the server, so that they are left as they are. */
void memcache_servers_forget(struct servers *servers);
/** The place in the list of the server that @p key belongs to. Any thread. */
size_t memcache_servers_place(const struct servers *servers, const char *key, size_t len);

/** A connection that one thread has for itself for some time. */
struct link {
  struct server *server;
  memcached_st *memc; /**< NULL: none */
  bool fresh;         /**< new, so that what goes wrong first is the connecting */
};

/** Takes an idle connection, or makes one. Connecting is left to the first command, unless the
 * server has a name with several addresses.
 * @param until_ns  waits for others, and later for the connection, no longer, on CLOCK_MONOTONIC;
 *   0: for ever
 * @return SUCCESS; TIMEOUT; HOST_LOOKUP_FAILURE; MEMORY_ALLOCATION_FAILURE; with several addresses,
 *   why the last could not be reached. Any thread. */
memcached_return_t memcache_link_take(struct server *server, int64_t until_ns, struct link *out);
/** Gives a connection back. One that is not @p sound is ended, and so are all idle ones: what
 * ended one has most likely ended them, too. */
void memcache_link_give(struct link *link, bool sound);
/** Limits the next wait for a reply. @param until_ns  0: no limit */
void memcache_link_limit(struct link *link, int64_t until_ns);

#endif
