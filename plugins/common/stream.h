/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h - a connection over TCP or a Unix socket that never waits past a deadline.
 *
 * Deadlines are those of clock.h, and never 0. Sockets do not block; waiting is poll(2). No signal
 * is ever sent (MSG_NOSIGNAL). A stream belongs to one thread at a time; only its descriptor may be
 * read by others (connpool_forget()).
 */
#ifndef DICTUM_PLUGINS_STREAM_H
#define DICTUM_PLUGINS_STREAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "text.h"

/** Why a connection is of no more use. */
enum fault_kind {
  FAULT_NONE,
  FAULT_CONNECT, /**< there never was one; sys_errno or a text tells */
  FAULT_BUSY,    /**< every connection was in use until the deadline */
  FAULT_TIMEOUT, /**< it was there, and no answer came in time */
  FAULT_LOST,    /**< the other side ended it; sys_errno is 0 for an orderly end */
  FAULT_REPLY,   /**< what it said makes no sense; the text tells */
  FAULT_REFUSED, /**< it would not let us in, now; the text tells */
  FAULT_DENIED,  /**< it will not let us in, ever; the text tells */
  FAULT_NOMEM
};
struct fault {
  enum fault_kind kind;
  int sys_errno;
  char text[200]; /**< words for it, never empty */
};
/** Fills @p out, with the system's words for @p sys_errno when @p text is NULL.
 * @return false, so that a function may end with it. */
bool fault_set(struct fault *out, enum fault_kind kind, int sys_errno, const char *text);

/** Where a server listens. */
struct endpoint {
  char *host;  /**< name or address, without brackets; NULL: a Unix socket */
  char *port;  /**< number or name; of a Unix socket: its path */
  char *label; /**< for messages: as the user wrote it */
};
enum endpoint_answer { ENDPOINT_DONE, ENDPOINT_MALFORMED, ENDPOINT_NOMEM };
/** Reads "host:port", "[address]:port" or "port". @p port is for a text without one, or NULL. */
enum endpoint_answer endpoint_inet(const char *text, const char *port, struct endpoint *out);
/** Takes the path of a Unix socket. */
enum endpoint_answer endpoint_unix(const char *path, struct endpoint *out);
/** {0} is fine. */
void endpoint_free(struct endpoint *endpoint);

struct stream {
  atomic_int fd;   /**< -1: none */
  struct text in;  /**< what was read; the part before `start` is done with */
  struct text out; /**< what is to be written; the part before `sent` is */
  size_t start, sent;
};

/** Connects to the first of the server's addresses that answers. */
bool stream_connect(struct stream *stream, const struct endpoint *endpoint, int64_t deadline_ns,
                    struct fault *fault);
/** Ends it and forgets what was read and not written; keeps the memory. */
void stream_close(struct stream *stream);
/** The same, and releases the memory. */
void stream_free(struct stream *stream);
/** Has an idle connection stayed as it should? False: the other side ended it, or said something
 * that nobody asked for, and the next answer would not be the next question's. */
bool stream_is_quiet(const struct stream *stream);
/** Has the server said something that nobody has taken yet? Does not wait. */
bool stream_has_more(const struct stream *stream);
/** Sends what can be sent, reads once if something has come, and waits for either if neither is.
 * @return false: it is over. */
bool stream_step(struct stream *stream, int64_t deadline_ns, struct fault *fault);

#endif
