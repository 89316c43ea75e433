/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - a client of libmongoc's that one call at a time uses, and its sockets.
 *
 * THE LIBRARY is told of time limits when a client is made, while each call has
 * its own. So its sockets are ours (mongoc_client_set_stream_initiator): they
 * stop waiting at the deadline of the call that has the link, look names up in
 * time, raise no SIGPIPE, and can be closed in the child of a fork. A client is
 * of the kind that has no threads of its own.
 *
 * THE PROCESS: libmongoc is started once and never ended, since others may use
 * it, too. What it logs in our calls goes nowhere, as each failure is returned in
 * words; what it logs in calls of others goes where it went by default, to
 * standard error. A program that has a handler of its own sets it after its first
 * mongodb table is opened.
 */
#ifndef DICTUM_MONGODB_LINK_H
#define DICTUM_MONGODB_LINK_H

#include <dictum_plugin.h>
#include <mongoc/mongoc.h>
#include <stdatomic.h>

#include "server.h"

enum { link_sockets_most = 64 };

struct link {
  const dictum_host *host;
  const struct server *server;
  mongoc_client_t *client; /**< NULL: not open */
  int64_t deadline;        /**< of the call that has it; 0: none */
  bool proven;             /**< it has brought an answer before */
  bool lost;               /**< a socket has failed during this call */
  bool refused;            /**< somebody must mend what made a connection fail */
  bool garbled;            /**< the server said what cannot be read */
  char why[400];           /**< the first connection that failed; "" */
  atomic_int sockets[link_sockets_most];
};

/** Starts the library, once. */
void mongo_library_start(void);
/** Between these, what the library logs in this thread goes nowhere. */
void mongo_library_hush(void);
void mongo_library_unhush(void);

void mongo_link_init(struct link *link, const dictum_host *host, const struct server *server);
/** Gives the link to a call. What it needs to connect is made; connections follow by themselves.
 * @return OK; RETRY, as when a name of "mongodb+srv" cannot be looked up; CONFIG; NOMEM */
dictum_status mongo_link_begin(struct link *link, int64_t deadline, dictum_error *err);
/** Forgets what failed: another server of the set may do. */
void mongo_link_absolve(struct link *link);
/** From now on nothing is said any more to servers, which would mean to wait for them. */
void mongo_link_silence(struct link *link);
bool mongo_link_is_silent(const struct link *link);
/** Ends all of its connections, if there are any. Unless it was silenced, a good-bye is said, which
 * takes a moment at most. */
void mongo_link_end(struct link *link);
/** In the child of a fork: closes our copies of the sockets. */
void mongo_link_forget(struct link *link);

#endif
