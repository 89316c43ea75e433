/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostpool.h - connections to some hosts, of which any will do, made by a client's library.
 *
 * A connection belongs to one call at a time. There are never more than the
 * plan's `connections`; who finds all of them busy waits, until its deadline.
 *
 * HOSTS are tried by rank, those of a rank in random order; those that failed
 * lately come last, and are not left out: whether to ask at all is core's
 * decision.
 *
 * FORK. A child only closes its copies of the sockets: a good-bye would be said
 * in the parent's name. The memory stays, as another thread of the parent may
 * have been at it.
 */
#ifndef DICTUM_PLUGINS_HOSTPOOL_H
#define DICTUM_PLUGINS_HOSTPOOL_H

#include <dictum_plugin.h>
#include <stdbool.h>

struct hostpool;

struct hostpool_host {
  unsigned rank;        /**< lower ones are tried before */
  const char *label;    /**< for messages; it outlives the pool */
  int64_t failed_until; /**< when it may be tried again before others; the pool's lock guards it */
};

/** What a pool is for, and how its plugin's library is called. */
struct hostpool_plan {
  const dictum_host *services;
  const char *type; /**< "pgsql", for messages */
  size_t nhosts;
  unsigned connections;
  int64_t idle_ns;  /**< after so long an idle connection is ended */
  int64_t retry_ns; /**< for so long others come before a host that failed */
  void *rock;       /**< for what follows */
  /** Fills in rank and label of host @p i. */
  void (*describe)(void *rock, size_t i, struct hostpool_host *host);
  /** Connects to host @p i; @p fd is the socket, to be closed in a child.
   * @return OK; RETRY; CONFIG when it is the settings that are wrong; NOMEM. Any thread. */
  dictum_status (*connect)(void *rock, size_t i, int64_t deadline, void **link, int *fd,
                           dictum_error *err);
  /** Ends it; says good-bye when it is @p sound. */
  void (*end)(void *link, bool sound);
};

/** A connection that a call has to itself. */
struct hostpool_conn {
  void *link; /**< the library's */
  struct hostpool_host *host;
  bool reused; /**< it was there before this call, and the server may have ended it since */
  unsigned slot;
  int64_t idle_since;
  struct hostpool_conn *next;
};

/** @p plan is copied. @return NULL when memory is out. */
struct hostpool *hostpool_new(const struct hostpool_plan *plan);
/** Ends all connections; none may be in use. NULL is fine. */
void hostpool_free(struct hostpool *pool);
/** In the child of a fork. Any thread, any number of times. NULL is fine. */
void hostpool_forget(struct hostpool *pool);

/** @return OK; RETRY when no host can be reached, or no connection is free, by @p deadline;
 *   CONFIG when every host says that the settings are wrong; NOMEM. Any thread. */
dictum_status hostpool_take(struct hostpool *pool, int64_t deadline, struct hostpool_conn **out,
                            dictum_error *err);
/** Gives a connection back that is in order. */
void hostpool_give(struct hostpool *pool, struct hostpool_conn *conn);
/** Ends one that is not. */
void hostpool_drop(struct hostpool *pool, struct hostpool_conn *conn);
/** The same, and ends all that are idle to the same host, since they will be no better. With
 * @p blame other hosts are tried first for a while. */
void hostpool_drop_host(struct hostpool *pool, struct hostpool_conn *conn, bool blame);

#endif
