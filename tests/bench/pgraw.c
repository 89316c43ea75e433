/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pgraw.c - what libpq can do by itself: keys from standard input, prepared once for a thousand of
 * them, in pipeline mode. Prints what "postmap -q -" prints.
 *
 *     pgraw CONNINFO QUERY     with $1 for the key
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 1000 };

static void die(const char *what) {
  fprintf(stderr, "pgraw: %s\n", what);
  exit(99);
}

static size_t read_keys(char **keys, size_t *rooms) {
  size_t n = 0;
  while (n < AT_ONCE && getline(&keys[n], &rooms[n], stdin) >= 0) {
    keys[n][strcspn(keys[n], "\n")] = '\0';
    n++;
  }
  return n;
}

static void print_rows(const char *key, const PGresult *result) {
  for (int row = 0; row < PQntuples(result); row++)
    printf("%s%s%s", row ? "," : key, row ? "" : "\t", PQgetvalue(result, row, 0));
  if (PQntuples(result) > 0)
    putchar('\n');
}

/* Command 0 is the preparation, the others are keys. */
static void take_answers(PGconn *conn, char **keys) {
  size_t command = 0;
  for (int unsent = 1;;) {
    if (unsent)
      unsent = PQflush(conn);
    while (!PQisBusy(conn)) {
      PGresult *result = PQgetResult(conn);
      ExecStatusType status = result ? PQresultStatus(result) : PGRES_EMPTY_QUERY;
      if (!result)
        command++;
      else if (status == PGRES_TUPLES_OK)
        print_rows(keys[command - 1], result);
      else if (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC)
        die(PQerrorMessage(conn));
      PQclear(result);
      if (status == PGRES_PIPELINE_SYNC)
        return;
    }
    struct pollfd wanted = {PQsocket(conn), (short)(unsent ? POLLIN | POLLOUT : POLLIN), 0};
    if (poll(&wanted, 1, -1) < 0 || !PQconsumeInput(conn))
      die(PQerrorMessage(conn));
  }
}

int main(int argc, char **argv) {
  static char *keys[AT_ONCE];
  static size_t rooms[AT_ONCE];
  PGconn *conn = argc == 3 ? PQconnectdb(argv[1]) : NULL;
  if (!conn || PQstatus(conn) != CONNECTION_OK || PQsetnonblocking(conn, 1) != 0 ||
      !PQenterPipelineMode(conn))
    die(conn ? PQerrorMessage(conn) : "usage: pgraw CONNINFO QUERY");
  for (size_t n; (n = read_keys(keys, rooms)) > 0;) {
    PQsendPrepare(conn, "", argv[2], 0, NULL);
    for (size_t i = 0; i < n; i++) {
      const char *value = keys[i];
      PQsendQueryPrepared(conn, "", 1, &value, NULL, NULL, 0);
    }
    PQpipelineSync(conn);
    take_answers(conn, keys);
  }
  PQfinish(conn);
  return 0;
}
