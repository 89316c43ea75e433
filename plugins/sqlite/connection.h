/* SPDX-License-Identifier: BSD-2-Clause */
/* connection.h - an SQLite database that is open for reading, and a prepared statement. */
#ifndef DICTUM_SQLITE_CONNECTION_H
#define DICTUM_SQLITE_CONNECTION_H

#include <dictum_plugin.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <sys/stat.h>

/** One thread at a time. */
struct connection {
  sqlite3 *db;            /**< NULL: not open */
  sqlite3_stmt *prepared; /**< the statement that is the same for all keys, or NULL */
  int64_t deadline_ns;    /**< of the call that uses it; 0: none */
  struct stat seen;       /**< the file when it was opened */
};

/** Where the database is, and who is told when it is not. */
struct database {
  const dictum_host *host;
  const char *path;
  const char *label; /**< "sqlite:/etc/mail/users.cf" */
};

/** Takes it for one call: opens it if it is not, or if the path leads to another file by now.
 * @return OK; CONFIG; RETRY; NOMEM. */
dictum_status sqlite_connection_begin(struct connection *connection,
                                      const struct database *database, int64_t deadline_ns,
                                      dictum_error *err);
/** Drops it, and all that was prepared. */
void sqlite_connection_close(struct connection *connection);

/** What the last failed call on @p connection means: "LABEL: WHAT: SQLITE'S WORDS".
 * @return RETRY: busy, out of time or descriptors, I/O; NOMEM; CONFIG: all else. */
dictum_status sqlite_connection_fail(const struct connection *connection,
                                     const struct database *database, const char *what,
                                     dictum_error *err);

#endif
