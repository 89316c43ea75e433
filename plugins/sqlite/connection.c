/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connection.c - an SQLite database that is open for reading.
 *
 * A call ends at its deadline in two ways: SQLite waits no longer for a lock of
 * others, and while it computes it looks at the clock from time to time.
 */
#include "connection.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

enum { steps_between_looks = 4000 };

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int is_late(void *rock) {
  const struct connection *connection = rock;
  return connection->deadline_ns != 0 && now_ns() >= connection->deadline_ns;
}

static dictum_status status_of(sqlite3 *db) {
  switch (sqlite3_errcode(db) & 0xff) {
  case SQLITE_NOMEM:
    return DICTUM_NOMEM;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_INTERRUPT:
  case SQLITE_IOERR:
  case SQLITE_PROTOCOL:
  case SQLITE_SCHEMA:
    return DICTUM_RETRY;
  default:
    break;
  }
  int error = sqlite3_system_errno(db);
  bool passes = error == EMFILE || error == ENFILE || error == ESTALE || error == ENOLCK;
  return (sqlite3_errcode(db) & 0xff) == SQLITE_CANTOPEN && passes ? DICTUM_RETRY : DICTUM_CONFIG;
}

dictum_status sqlite_connection_fail(const struct connection *connection,
                                     const struct database *database, const char *what,
                                     dictum_error *err) {
  if (!connection->db)
    return database->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  dictum_status status = status_of(connection->db);
  bool late = (sqlite3_errcode(connection->db) & 0xff) == SQLITE_INTERRUPT;
  return database->host->fail(err, status, 0, "%s: %s: %s", database->label, what,
                              late ? "timed out" : sqlite3_errmsg(connection->db));
}

void sqlite_connection_close(struct connection *connection) {
  sqlite3_finalize(connection->prepared);
  sqlite3_close_v2(connection->db);
  connection->prepared = NULL;
  connection->db = NULL;
}

static bool is_same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The file is only looked for when the first statement runs, by SQLite; here it is at once. */
static dictum_status open_file(struct connection *connection, const struct database *database,
                               dictum_error *err) {
  char text[128];
  if (stat(database->path, &connection->seen) != 0) {
    int error = errno;
    return database->host->fail(err, DICTUM_CONFIG, error, "%s: open database %s: %s",
                                database->label, database->path,
                                strerror_r(error, text, sizeof text));
  }
  int error = sqlite3_open_v2(database->path, &connection->db,
                              SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
  if (error == SQLITE_OK)
    return DICTUM_OK;
  char what[512];
  sqlite3_snprintf(sizeof what, what, "open database %s", database->path);
  dictum_status status = sqlite_connection_fail(connection, database, what, err);
  sqlite_connection_close(connection);
  return status;
}

/* What is left of the call's time, in the milliseconds that SQLite counts in. */
static int patience_ms(int64_t deadline_ns) {
  if (deadline_ns == 0)
    return INT_MAX;
  int64_t left = (deadline_ns - now_ns()) / 1000000;
  return left < 1 ? 1 : left > INT_MAX ? INT_MAX : (int)left;
}

dictum_status sqlite_connection_begin(struct connection *connection,
                                      const struct database *database, int64_t deadline_ns,
                                      dictum_error *err) {
  struct stat now;
  if (connection->db && (stat(database->path, &now) != 0 || !is_same_file(&now, &connection->seen)))
    sqlite_connection_close(connection);
  if (!connection->db) {
    dictum_status status = open_file(connection, database, err);
    if (status != DICTUM_OK)
      return status;
    sqlite3_progress_handler(connection->db, steps_between_looks, is_late, connection);
  }
  connection->deadline_ns = deadline_ns;
  sqlite3_busy_timeout(connection->db, patience_ms(deadline_ns));
  return DICTUM_OK;
}
