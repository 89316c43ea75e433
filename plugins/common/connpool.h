/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connpool.h - the connections of one table to its server, one for each call that is under way.
 *
 * Of several endpoints the one that answered last is tried first. Idle
 * connections are ended once they are idle for too long or too old, which is
 * noticed when the next one is taken or given back.
 *
 * FORK: a child makes its own. It only closes its copies of the parent's
 * sockets: not a word goes to the server.
 */
#ifndef DICTUM_PLUGINS_CONNPOOL_H
#define DICTUM_PLUGINS_CONNPOOL_H

#include "stream.h"

/** Threads beyond these wait for one another. */
enum { connpool_most = 64 };

struct connpool;

/** A connection that a call has to itself. */
struct conn {
  struct stream stream;
  bool fresh; /**< new: nothing has been said on it */
  const struct endpoint *endpoint;
  int64_t born_ns, idle_since_ns;
};

/** Takes over @p endpoints, an array of @p n from malloc(), and what they point to, also when it
 * fails. @return NULL when memory is out. */
struct connpool *connpool_new(struct endpoint *endpoints, size_t n, int64_t idle_ns,
                              int64_t ttl_ns);
/** Ends all connections; none may be in use. NULL is fine. */
void connpool_free(struct connpool *pool);
/** The same in the child of a fork(). NULL is fine. */
void connpool_forget(struct connpool *pool);

/** For messages: the endpoint that is tried first. */
const char *connpool_label(const struct connpool *pool);

/** Takes an idle connection or makes one. @p fresh: a new one, and those that are idle are ended,
 * as the server has most likely ended them, too.
 * @return NULL after a fault. Any thread. */
struct conn *connpool_take(struct connpool *pool, bool fresh, int64_t deadline_ns,
                           struct fault *fault);
/** Gives it back; one that is not @p sound is ended. */
void connpool_give(struct connpool *pool, struct conn *conn, bool sound);

#endif
