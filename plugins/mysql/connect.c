/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * connect.c - one connection to one host, made before a deadline.
 *
 * The library's functions that do not wait do so nevertheless while TLS is being
 * agreed upon; so they are called aside.
 *
 * What a server may ask of a client is kept small: no files of ours (LOAD DATA
 * LOCAL), and no ways to log in but those that send no password as it is and
 * ask nobody at a terminal.
 */
#include "connect.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aside.h"
#include "clock.h"
#include "errors.h"
#include "resolve.h"
#include "secret.h"
#include "sigpipe.h"

static const char ways_to_log_in[] =
    "mysql_native_password,client_ed25519,parsec,caching_sha2_password,sha256_password";

/* What one attempt is made with. */
struct attempt {
  const dictum_host *services;
  const struct server *server;
  const struct server_host *host;
  struct text password;
  dictum_error *err;
};

/* ---- waiting -------------------------------------------------------------------------------- */

/* The library has limits of its own, from an option file. */
static int patience_ms(MYSQL *my, int events, int64_t deadline) {
  int left = clock_left_ms(deadline);
  if (!(events & MYSQL_WAIT_TIMEOUT))
    return left;
  unsigned own = mysql_get_timeout_value_ms(my);
  return left < 0 || own < (unsigned)left ? (int)own : left;
}

int maria_connect_wait(MYSQL *my, int events, int64_t deadline, bool *late) {
  struct pollfd wanted = {.fd = mysql_get_socket(my)};
  wanted.events = (short)((events & MYSQL_WAIT_READ ? POLLIN : 0) |
                          (events & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                          (events & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
  int n = 0;
  do
    n = *late ? 0 : poll(&wanted, 1, patience_ms(my, events, deadline));
  while (n < 0 && errno == EINTR);
  if (n <= 0) {
    *late |= clock_left_ms(deadline) == 0;
    if (*late)
      shutdown(wanted.fd, SHUT_RDWR);
    return MYSQL_WAIT_TIMEOUT;
  }
  /* Whatever ended the connection, it is the library that finds out. */
  if (wanted.revents & (POLLERR | POLLHUP | POLLNVAL))
    return events & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE | MYSQL_WAIT_EXCEPT);
  return (wanted.revents & POLLIN ? MYSQL_WAIT_READ : 0) |
         (wanted.revents & POLLOUT ? MYSQL_WAIT_WRITE : 0) |
         (wanted.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
}

/* ---- options -------------------------------------------------------------------------------- */

static dictum_status fail(const struct attempt *attempt, dictum_status status, int sys_errno,
                          const char *why) {
  return attempt->services->fail(attempt->err, status, sys_errno, "connect to mysql server %s: %s",
                                 attempt->host->label, why);
}

static dictum_status nomem(const struct attempt *attempt) {
  return attempt->services->fail(attempt->err, DICTUM_NOMEM, 0, "out of memory");
}

static void set_tls(const struct server *server, MYSQL *my) {
  const struct {
    enum mysql_option option;
    const char *value;
  } texts[] = {
      {MYSQL_OPT_SSL_KEY, server->tls_key_file},   {MYSQL_OPT_SSL_CERT, server->tls_cert_file},
      {MYSQL_OPT_SSL_CA, server->tls_ca_file},     {MYSQL_OPT_SSL_CAPATH, server->tls_ca_path},
      {MYSQL_OPT_SSL_CIPHER, server->tls_ciphers},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (*texts[i].value)
      mysql_options(my, texts[i].option, texts[i].value);
  my_bool yes = 1, verify = server->verifies;
  if (maria_server_wants_tls(server))
    mysql_options(my, MYSQL_OPT_SSL_ENFORCE, &yes);
  if (server->verifies || server->may_not_verify)
    mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static bool set_options(const struct attempt *attempt, MYSQL *my) {
  const struct server *server = attempt->server;
  const unsigned no = 0;
  bool done = mysql_options(my, MYSQL_OPT_NONBLOCK, NULL) == 0 &&
              mysql_options(my, MYSQL_SET_CHARSET_NAME, server->charset) == 0 &&
              mysql_options(my, MARIADB_OPT_RESTRICTED_AUTH, ways_to_log_in) == 0 &&
              mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no) == 0;
  if (done && *server->option_file)
    done = mysql_options(my, MYSQL_READ_DEFAULT_FILE, server->option_file) == 0;
  if (done && *server->option_group)
    done = mysql_options(my, MYSQL_READ_DEFAULT_GROUP, server->option_group) == 0;
  if (attempt->host->kind == HOST_INET)
    set_tls(server, my);
  return done;
}

/* ---- one address ---------------------------------------------------------------------------- */

static const char *or_null(const char *text) {
  return *text ? text : NULL;
}

/* Below one number are certificates that do not fit, which somebody must mend, and connections that
 * break during a handshake: these end with the number of a system error, or tell of the
 * end of the file. */
static bool is_passing(unsigned number, const char *text) {
  const size_t len = strlen(text);
  return number == CR_SSL_CONNECTION_ERROR &&
         ((len > 0 && text[len - 1] == ')') || strstr(text, "unexpected eof"));
}

static dictum_status explain(const struct attempt *attempt, MYSQL *my, bool late) {
  const unsigned number = mysql_errno(my);
  if (late)
    return fail(attempt, DICTUM_RETRY, ETIMEDOUT, "timed out");
  dictum_status status = maria_error_status(number);
  if (status == DICTUM_INVALID) /* there is no key yet */
    status = DICTUM_CONFIG;
  if (is_passing(number, mysql_error(my)))
    status = DICTUM_RETRY;
  char line[400];
  size_t len = strcspn(mysql_error(my), "\n");
  if (len >= sizeof line)
    len = sizeof line - 1;
  memcpy(line, mysql_error(my), len);
  line[len] = '\0';
  return attempt->services->fail(attempt->err, status, 0, "connect to mysql server %s: %s (%u)",
                                 attempt->host->label, line, number);
}

/* A program that this process starts has no business with the connection. And the library, which
 * never waits in a plain socket, does so below TLS unless the socket itself does not. */
static void prepare_socket(int fd) {
  if (fd < 0)
    return;
  int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (flags >= 0 && !(flags & O_NONBLOCK))
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Each wait of a TLS handshake is the library's own, which counts in seconds: nobody may be waiting
 * for it any more. */
static void limit_handshake(MYSQL *my, int64_t deadline) {
  const int left = clock_left_ms(deadline);
  const unsigned seconds = left < 0 ? 0 : (unsigned)left / 1000 + 1;
  if (seconds > 0)
    mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
}

/* What the thread that connects has for itself: TLS is agreed upon with waits of the library's own,
 * and a name that a certificate must have is looked up once more. */
struct handshake {
  MYSQL *my;
  int64_t deadline;
  bool done, late;
  unsigned port;
  size_t size;
  const char *name, *user, *password, *dbname, *path; /* copies, behind this; or NULL */
};

static void release_handshake(void *job) {
  struct handshake *handshake = job;
  maria_connect_end(handshake->my, false);
  /* A password is among it. */
  explicit_bzero(handshake, handshake->size);
  free(handshake);
}

static size_t size_of(const char *text) {
  return text ? strlen(text) + 1 : 0;
}

static void copy_into(char **end, const char **text) {
  if (!*text)
    return;
  char *copy = *end;
  *end = stpcpy(copy, *text) + 1;
  *text = copy;
}

/* @param name  NULL for a Unix socket */
static struct handshake *new_handshake(const struct attempt *attempt, const char *name,
                                       int64_t deadline) {
  const struct server *server = attempt->server;
  const bool local = attempt->host->kind == HOST_UNIX;
  struct handshake words = {.deadline = deadline,
                            .port = attempt->host->port,
                            .name = name,
                            .user = or_null(server->user),
                            .password = *server->password ? server->password
                                                          : attempt->password.data,
                            .dbname = or_null(server->dbname),
                            .path = local ? attempt->host->name : NULL};
  words.size = sizeof words + size_of(words.name) + size_of(words.user) + size_of(words.password) +
               size_of(words.dbname) + size_of(words.path);
  struct handshake *handshake = malloc(words.size);
  if (!handshake)
    return NULL;
  *handshake = words;
  char *end = (char *)(handshake + 1);
  copy_into(&end, &handshake->name);
  copy_into(&end, &handshake->user);
  copy_into(&end, &handshake->password);
  copy_into(&end, &handshake->dbname);
  copy_into(&end, &handshake->path);
  return handshake;
}

static void shake_hands(void *job) {
  struct handshake *handshake = job;
  MYSQL *my = handshake->my, *done = NULL;
  limit_handshake(my, handshake->deadline);
  int events = mysql_real_connect_start(&done, my, handshake->name, handshake->user,
                                        handshake->password, handshake->dbname, handshake->port,
                                        handshake->path, CLIENT_MULTI_RESULTS);
  while (events != 0) {
    prepare_socket(mysql_get_socket(my));
    events = mysql_real_connect_cont(
        &done, my, maria_connect_wait(my, events, handshake->deadline, &handshake->late));
  }
  /* The library may have left it waiting when TLS was agreed upon. */
  if (done)
    prepare_socket(mysql_get_socket(my));
  handshake->done = done != NULL;
}

/* Takes the connection out of @p handshake if it is one. */
static dictum_status settle(const struct attempt *attempt, struct handshake *handshake,
                            MYSQL **out) {
  MYSQL *my = handshake->my;
  if (!handshake->done || handshake->late)
    return explain(attempt, my, handshake->late);
  if (handshake->name && maria_server_wants_tls(attempt->server) && !mysql_get_ssl_cipher(my))
    return fail(attempt, DICTUM_CONFIG, 0, "TLS is asked for, and the server has none");
  handshake->my = NULL;
  *out = my;
  return DICTUM_OK;
}

static dictum_status connect_once(const struct attempt *attempt, const char *name, int64_t deadline,
                                  MYSQL **out) {
  struct handshake *handshake = new_handshake(attempt, name, aside_before(deadline));
  if (!handshake)
    return nomem(attempt);
  handshake->my = mysql_init(NULL);
  if (!handshake->my || !set_options(attempt, handshake->my)) {
    release_handshake(handshake);
    return nomem(attempt);
  }
  enum aside_answer answer = aside_run(shake_hands, release_handshake, handshake, deadline);
  if (answer != ASIDE_DONE)
    return fail(attempt, answer == ASIDE_NOMEM ? DICTUM_NOMEM : DICTUM_RETRY,
                answer == ASIDE_LATE ? ETIMEDOUT : 0, aside_why(answer));
  dictum_status status = settle(attempt, handshake, out);
  release_handshake(handshake);
  return status;
}

void maria_connect_end(MYSQL *my, bool sound) {
  struct sigpipe saved;
  if (!my)
    return;
  int fd = mysql_get_socket(my);
  if (!sound && fd >= 0)
    shutdown(fd, SHUT_RDWR);
  maria_sigpipe_block(&saved);
  mysql_close(my);
  maria_sigpipe_restore(&saved);
}

/* ---- what an attempt needs ------------------------------------------------------------------ */

static dictum_status check_file(const struct attempt *attempt, const char *option,
                                const char *path) {
  if (!*path || access(path, R_OK) == 0)
    return DICTUM_OK;
  int error = errno;
  char reason[128];
  return attempt->services->fail(attempt->err, DICTUM_CONFIG, error, "%s: %s: %s", option, path,
                                 strerror_r(error, reason, sizeof reason));
}

/* The library passes over a file of options that is not there. */
static dictum_status check_files(const struct attempt *attempt) {
  const struct server *server = attempt->server;
  const struct {
    const char *option, *path;
  } files[] = {
      {"option_file", server->option_file},   {"tls_CAfile", server->tls_ca_file},
      {"tls_CApath", server->tls_ca_path},    {"tls_cert_file", server->tls_cert_file},
      {"tls_key_file", server->tls_key_file},
  };
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < sizeof files / sizeof *files && status == DICTUM_OK; i++)
    status = check_file(attempt, files[i].option, files[i].path);
  return status;
}

/* "localhost" is the default socket to the library. The name that a certificate must have is the
 * one that the library is given, so there it looks the name up once more. */
static dictum_status connect_each(const struct attempt *attempt, int64_t deadline, MYSQL **out) {
  const char *name = attempt->host->name;
  struct addresses addresses;
  int error;
  if (strcmp(name, "localhost") == 0)
    return connect_once(attempt, name, deadline, out);
  const char *why = resolve(name, deadline, &addresses, &error);
  if (why)
    return fail(attempt, DICTUM_RETRY, error, why);
  dictum_status status = DICTUM_RETRY;
  if (attempt->server->verifies)
    return connect_once(attempt, name, deadline, out);
  for (unsigned i = 0; i < addresses.n; i++) {
    status = connect_once(attempt, addresses.text[i], clock_slice(deadline, addresses.n - i), out);
    if (status != DICTUM_RETRY || clock_left_ms(deadline) == 0)
      break;
  }
  return status;
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

/* The library ignores SIGPIPE for the whole process, which is not its to decide. */
static void start_library(void) {
  struct sigaction before;
  bool known = sigaction(SIGPIPE, NULL, &before) == 0;
  mysql_server_init(0, NULL, NULL);
  if (known)
    sigaction(SIGPIPE, &before, NULL);
}

void maria_connect_prepare(void) {
  pthread_once(&library_once, start_library);
}

static dictum_status try_host(struct attempt *attempt, int64_t deadline, MYSQL **out) {
  const struct server *server = attempt->server;
  dictum_status status = check_files(attempt);
  if (status == DICTUM_OK && server->password_file && !*server->password)
    status = secret_read(attempt->services, "password_file", server->password_file,
                         &attempt->password, attempt->err);
  if (status != DICTUM_OK)
    return status;
  return attempt->host->kind == HOST_UNIX ? connect_once(attempt, NULL, deadline, out)
                                          : connect_each(attempt, deadline, out);
}

dictum_status maria_connect_to(const dictum_host *services, const struct server *server,
                               const struct server_host *host, int64_t deadline, MYSQL **out,
                               dictum_error *err) {
  struct attempt attempt = {.services = services, .server = server, .host = host, .err = err};
  struct sigpipe saved;
  maria_sigpipe_block(&saved);
  dictum_status status = try_host(&attempt, deadline, out);
  maria_sigpipe_restore(&saved);
  secret_free(&attempt.password);
  return status;
}
