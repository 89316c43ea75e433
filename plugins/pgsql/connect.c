/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.c - one connection to one host, made before a deadline.
 *
 * libpq's messages go no further than their first line. None of them has a
 * password in it; the one that could, about a URI, is not used (server.c).
 */
#include "connect.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aside.h"
#include "clock.h"
#include "resolve.h"
#include "secret.h"
#include "sqlstate.h"

/* What one attempt is made with. */
struct attempt {
  const dictum_host *services;
  const struct server_host *host;
  struct server_words words;
  struct text password;
  dictum_error *err;
};

/* libpq would print them. */
static void ignore_notice(void *rock, const PGresult *result) {
  (void)rock;
  (void)result;
}

short connect_wait(PGconn *conn, bool to_write, int64_t deadline) {
  struct pollfd wanted = {.fd = PQsocket(conn), .events = POLLIN};
  if (to_write)
    wanted.events |= POLLOUT;
  for (;;) {
    int n = poll(&wanted, 1, clock_left_ms(deadline));
    if (n > 0)
      return wanted.revents;
    if (n == 0 || errno != EINTR)
      return 0;
  }
}

static dictum_status fail(const struct attempt *attempt, dictum_status status, int sys_errno,
                          const char *why) {
  return attempt->services->fail(attempt->err, status, sys_errno, "connect to pgsql server %s: %s",
                                 attempt->host->label, why);
}

/* Why an attempt failed, without libpq's repetition of where to. A pooler reports with a protocol
 * violation whatever keeps it from its server. */
static dictum_status explain(const struct attempt *attempt, const PGconn *conn) {
  char state[6], line[400];
  const char *message = PQerrorMessage(conn);
  const char *text = sqlstate_find(message, state);
  if (!*state) {
    const char *behind = strstr(message, "failed: ");
    text = behind && behind < message + strcspn(message, "\n") ? behind + 8 : message;
  }
  size_t len = strcspn(text, "\n");
  if (len >= sizeof line)
    len = sizeof line - 1;
  memcpy(line, text, len);
  line[len] = '\0';
  dictum_status status = sqlstate_status(state);
  if (strcmp(state, "08P01") == 0 && !strstr(line, "authentication failed") &&
      !strstr(line, "no such database") && !strstr(line, "no such user"))
    status = DICTUM_RETRY;
  if (PQconnectionNeedsPassword(conn))
    status = DICTUM_CONFIG;
  return fail(attempt, status, 0, len ? line : "no reason was given");
}

/* ---- aside ---------------------------------------------------------------------------------- */

/* What the thread that connects has for itself. Settings of libpq may make it look names up, in a
 * service file too, read files of secrets and ask for tickets of Kerberos: none of that can be told
 * when to stop. */
struct handshake {
  int64_t deadline;
  PGconn *conn; /* NULL: out of memory */
  bool late;
  struct server_words words; /* copies, behind this */
  size_t size;
};

static void release_handshake(void *job) {
  struct handshake *handshake = job;
  PQfinish(handshake->conn);
  /* A password is among it. */
  explicit_bzero(handshake, handshake->size);
  free(handshake);
}

static const char *copy_word(char **end, const char *word) {
  char *copy = *end;
  *end = stpcpy(copy, word) + 1;
  return copy;
}

static struct handshake *new_handshake(const struct server_words *words, int64_t deadline) {
  size_t size = sizeof(struct handshake);
  for (size_t i = 0; i < words->n; i++)
    size += strlen(words->keys[i]) + 1 + strlen(words->values[i]) + 1;
  struct handshake *handshake = malloc(size);
  if (!handshake)
    return NULL;
  *handshake = (struct handshake){.deadline = deadline, .size = size};
  char *end = (char *)(handshake + 1);
  for (size_t i = 0; i < words->n; i++) {
    handshake->words.keys[i] = copy_word(&end, words->keys[i]);
    handshake->words.values[i] = copy_word(&end, words->values[i]);
  }
  return handshake;
}

static void finish_connecting(struct handshake *handshake) {
  PGconn *conn = handshake->conn;
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    struct pollfd wanted = {.fd = PQsocket(conn),
                            .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    int n = poll(&wanted, 1, clock_left_ms(handshake->deadline));
    if (n < 0 && errno == EINTR)
      continue;
    handshake->late = n <= 0;
    if (handshake->late)
      return;
    state = PQconnectPoll(conn);
  }
}

static void shake_hands(void *job) {
  struct handshake *handshake = job;
  handshake->conn = PQconnectStartParams(handshake->words.keys, handshake->words.values, 0);
  if (!handshake->conn)
    return;
  PQsetErrorVerbosity(handshake->conn, PQERRORS_VERBOSE);
  PQsetNoticeReceiver(handshake->conn, ignore_notice, NULL);
  if (PQstatus(handshake->conn) != CONNECTION_BAD)
    finish_connecting(handshake);
}

/* ---- one address ---------------------------------------------------------------------------- */

static dictum_status nomem(const struct attempt *attempt) {
  return attempt->services->fail(attempt->err, DICTUM_NOMEM, 0, "out of memory");
}

/* Takes the connection out of @p handshake if it is one. */
static dictum_status settle(const struct attempt *attempt, struct handshake *handshake,
                            PGconn **out) {
  PGconn *conn = handshake->conn;
  if (!conn)
    return nomem(attempt);
  if (handshake->late)
    return fail(attempt, DICTUM_RETRY, ETIMEDOUT, "timed out");
  if (PQstatus(conn) != CONNECTION_OK)
    return explain(attempt, conn);
  if (PQsetnonblocking(conn, 1) != 0 || PQenterPipelineMode(conn) != 1)
    return fail(attempt, DICTUM_RETRY, 0, "it cannot be used without waiting");
  PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
  handshake->conn = NULL;
  *out = conn;
  return DICTUM_OK;
}

static dictum_status connect_once(const struct attempt *attempt, int64_t deadline, PGconn **out) {
  struct handshake *handshake = new_handshake(&attempt->words, aside_before(deadline));
  if (!handshake)
    return nomem(attempt);
  enum aside_answer answer = aside_run(shake_hands, release_handshake, handshake, deadline);
  if (answer != ASIDE_DONE)
    return fail(attempt, answer == ASIDE_NOMEM ? DICTUM_NOMEM : DICTUM_RETRY,
                answer == ASIDE_LATE ? ETIMEDOUT : 0, aside_why(answer));
  dictum_status status = settle(attempt, handshake, out);
  release_handshake(handshake);
  return status;
}

/* ---- what an attempt needs ------------------------------------------------------------------ */

static dictum_status check_file(struct attempt *attempt, const char *option, const char *path) {
  if (!*path || access(path, R_OK) == 0)
    return DICTUM_OK;
  int error = errno;
  char reason[128];
  return attempt->services->fail(attempt->err, DICTUM_CONFIG, error, "%s: %s: %s", option, path,
                                 strerror_r(error, reason, sizeof reason));
}

static dictum_status check_files(struct attempt *attempt, const struct server *server) {
  dictum_status status = check_file(attempt, "tls_ca_file", server->tls_ca_file);
  if (status == DICTUM_OK)
    status = check_file(attempt, "tls_cert_file", server->tls_cert_file);
  if (status == DICTUM_OK)
    status = check_file(attempt, "tls_key_file", server->tls_key_file);
  return status;
}

/* Where libpq may look for a password. It prints about a file that others may read, so it is not
 * told of such a one, and not left to find it. */
static const char *usable_passfile(const struct server *server, char room[4096]) {
  static const char nowhere[] = "/dev/null/no passfile";
  const char *path = server->passfile;
  if (!path)
    path = secure_getenv("PGPASSFILE");
  if (!path) {
    const char *home = secure_getenv("HOME");
    if (!home || strlen(home) > 4000)
      return nowhere;
    strcpy(stpcpy(room, home), "/.pgpass");
    path = room;
  }
  return secret_is_private(path) ? path : nowhere;
}

static dictum_status find_password(struct attempt *attempt, const struct server *server,
                                   char room[4096]) {
  if (attempt->host->kind != HOST_URI) {
    server_word(&attempt->words, "password", server->password);
    if (server->password_file && !*server->password) {
      dictum_status status = secret_read(attempt->services, "password_file", server->password_file,
                                         &attempt->password, attempt->err);
      if (status != DICTUM_OK)
        return status;
      server_word(&attempt->words, "password", attempt->password.data);
    }
  }
  server_word(&attempt->words, "passfile", usable_passfile(server, room));
  return DICTUM_OK;
}

/* Does libpq need no help to find the address? */
static bool needs_no_name(const struct attempt *attempt) {
  const char *name = attempt->host->name;
  return !name || name[0] == '/' || name[0] == '@' || name[0] == '\0' || strchr(name, ',') ||
         server_find_word(&attempt->words, "hostaddr");
}

static dictum_status connect_each(struct attempt *attempt, int64_t deadline, PGconn **out) {
  struct addresses addresses;
  int error;
  const char *why = resolve(attempt->host->name, deadline, &addresses, &error);
  if (why)
    return fail(attempt, DICTUM_RETRY, error, why);
  dictum_status status = DICTUM_RETRY;
  size_t place = attempt->words.n;
  for (unsigned i = 0; i < addresses.n; i++) {
    attempt->words.n = place;
    server_word(&attempt->words, "hostaddr", addresses.text[i]);
    status = connect_once(attempt, clock_slice(deadline, addresses.n - i), out);
    if (status != DICTUM_RETRY || clock_left_ms(deadline) == 0)
      break;
  }
  return status;
}

static dictum_status try_host(struct attempt *attempt, const struct server *server,
                              int64_t deadline, PGconn **out) {
  char room[4096];
  dictum_status status = check_files(attempt, server);
  if (status == DICTUM_OK)
    status = find_password(attempt, server, room);
  if (status != DICTUM_OK)
    return status;
  const struct server_host *host = attempt->host;
  if (needs_no_name(attempt)) {
    server_word(&attempt->words, "host", host->name);
    return connect_once(attempt, deadline, out);
  }
  return connect_each(attempt, deadline, out);
}

dictum_status connect_to(const dictum_host *services, const struct server *server,
                         const struct server_host *host, int64_t deadline, PGconn **out,
                         dictum_error *err) {
  struct attempt attempt = {.services = services, .host = host, .err = err};
  bool is_socket = !host->name || host->name[0] == '/';
  /* The name that a certificate must have; with addresses given, libpq asks nobody about it. */
  if (!is_socket)
    server_word(&attempt.words, "host",
                *server->tls_server_name ? server->tls_server_name : host->name);
  server_words_of(server, host, &attempt.words);
  dictum_status status = try_host(&attempt, server, deadline, out);
  secret_free(&attempt.password);
  return status;
}
