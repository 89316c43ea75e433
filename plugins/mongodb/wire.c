/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.c - a socket as libmongoc wants one.
 *
 * A time limit of the library's, in milliseconds, counts as well: 0 is not to
 * wait at all, a negative one is none. TLS is the library's own, over such a socket.
 */
#include "wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "guard.h"
#include "resolve.h"

/* The number tells sockets of one make from others in a poll. */
enum { wire_type = 0x64637475, polled_most = link_sockets_most };

struct wire {
  mongoc_stream_t stream; /* first: the library knows it by this */
  struct link *link;
  atomic_int *place; /* where the socket is kept, for a child */
  int fd;
  int error; /* of what was done last */
};

static struct wire *wire_of(mongoc_stream_t *stream) {
  return (struct wire *)stream;
}

static bool is_again(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* For poll(2): until the library's limit from now on, or the deadline of the call. */
static int64_t limit(const struct link *link, int32_t ms) {
  int64_t own = ms < 0 ? 0 : clock_now() + (int64_t)ms * 1000000;
  if (own == 0 || (link->deadline != 0 && link->deadline < own))
    own = link->deadline;
  return own;
}

static int poll_until(struct pollfd *fds, nfds_t n, int64_t until) {
  int ready;
  do
    ready = poll(fds, n, clock_left_ms(until));
  while (ready < 0 && errno == EINTR);
  return ready;
}

/* @return 0, or an error number */
static int wait_for(int fd, short events, int64_t until) {
  struct pollfd wanted = {.fd = fd, .events = events};
  int ready = poll_until(&wanted, 1, until);
  return ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno;
}

/* ---- methods -------------------------------------------------------------------------------- */

static ssize_t failed(struct wire *wire, int error) {
  wire->error = errno = error;
  if (!is_again(error))
    wire->link->lost = true;
  return -1;
}

static ssize_t not_connected(struct wire *wire) {
  wire->error = errno = ENOTCONN;
  return -1;
}

/* @return bytes sent; -1 */
static ssize_t send_all(struct wire *wire, const char *bytes, size_t len, bool more, int32_t ms,
                        int64_t until) {
  size_t done = 0;
  while (done < len) {
    ssize_t n = send(wire->fd, bytes + done, len - done, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    int error = n < 0 ? errno : 0;
    if (n >= 0) {
      done += (size_t)n;
      continue;
    }
    if (error == EINTR)
      continue;
    if (is_again(error) && ms != 0)
      error = wait_for(wire->fd, POLLOUT, until);
    if (error == 0)
      continue;
    failed(wire, error);
    return done > 0 ? (ssize_t)done : -1;
  }
  return (ssize_t)done;
}

static ssize_t wire_writev(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n, int32_t ms) {
  struct wire *wire = wire_of(stream);
  const int64_t until = limit(wire->link, ms);
  ssize_t done = 0;
  if (wire->fd < 0)
    return not_connected(wire);
  wire->error = 0;
  for (size_t i = 0; i < n; i++) {
    ssize_t sent = send_all(wire, iov[i].iov_base, iov[i].iov_len, i + 1 < n, ms, until);
    if (sent < 0)
      return done > 0 ? done : -1;
    done += sent;
    if ((size_t)sent < iov[i].iov_len)
      break;
  }
  return done;
}

/* @return bytes, 0 at the end, -1 */
static ssize_t receive_some(struct wire *wire, void *to, size_t len, int32_t ms, int64_t until) {
  for (;;) {
    ssize_t n = recv(wire->fd, to, len, MSG_DONTWAIT);
    int error = n < 0 ? errno : 0;
    if (n == 0)
      wire->link->lost = true;
    if (n >= 0)
      return n;
    if (is_again(error) && ms != 0)
      error = wait_for(wire->fd, POLLIN, until);
    if (error != 0 && error != EINTR)
      return failed(wire, error);
  }
}

/* At least @p least bytes, or it has failed; with 0, whatever comes first. */
static ssize_t wire_readv(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n, size_t least,
                          int32_t ms) {
  struct wire *wire = wire_of(stream);
  const int64_t until = limit(wire->link, ms);
  size_t done = 0, at = 0;
  if (wire->fd < 0)
    return not_connected(wire);
  wire->error = errno = 0;
  for (size_t i = 0; i < n;) {
    if (at == iov[i].iov_len) {
      i++;
      at = 0;
      continue;
    }
    if (done > 0 && done >= least)
      break;
    ssize_t got = receive_some(wire, (char *)iov[i].iov_base + at, iov[i].iov_len - at, ms, until);
    if (got < 0)
      return -1;
    if (got == 0)
      return least == 0 ? 0 : failed(wire, ECONNRESET);
    done += (size_t)got;
    at += (size_t)got;
  }
  return (ssize_t)done;
}

static int wire_close(mongoc_stream_t *stream) {
  struct wire *wire = wire_of(stream);
  int fd = wire->fd;
  wire->fd = -1;
  if (fd < 0)
    return 0;
  /* Forgotten first: a child may close only what is open. */
  atomic_store(wire->place, -1);
  return close(fd);
}

static void wire_destroy(mongoc_stream_t *stream) {
  wire_close(stream);
  bson_free(wire_of(stream));
}

static int wire_flush(mongoc_stream_t *stream) {
  (void)stream;
  return 0;
}

static int wire_setsockopt(mongoc_stream_t *stream, int level, int name, void *value,
                           mongoc_socklen_t len) {
  return setsockopt(wire_of(stream)->fd, level, name, value, len);
}

/* A server that has something to say unasked has ended the connection, or is out of step. */
static bool wire_is_closed(mongoc_stream_t *stream) {
  struct pollfd wanted = {.fd = wire_of(stream)->fd, .events = POLLIN};
  return wanted.fd < 0 || poll_until(&wanted, 1, 1) != 0;
}

static bool wire_timed_out(mongoc_stream_t *stream) {
  return wire_of(stream)->error == ETIMEDOUT;
}

static bool wire_should_retry(mongoc_stream_t *stream) {
  return is_again(wire_of(stream)->error);
}

/* A stream that never was connected has failed at once; after the deadline all have, or the library
 * would ask again until its own. */
static ssize_t wire_poll(mongoc_stream_poll_t *streams, size_t n, int32_t ms) {
  struct pollfd wanted[polled_most];
  int dead = 0;
  if (n == 0 || n > polled_most) {
    errno = EINVAL;
    return -1;
  }
  struct link *link = wire_of(streams[0].stream)->link;
  for (size_t i = 0; i < n; i++) {
    wanted[i] = (struct pollfd){.fd = wire_of(streams[i].stream)->fd,
                                .events = (short)streams[i].events};
    dead += wanted[i].fd < 0;
  }
  int ready = poll_until(wanted, n, limit(link, dead ? 0 : ms));
  const bool late = ready == 0 && clock_left_ms(link->deadline) == 0;
  for (size_t i = 0; i < n; i++)
    streams[i].revents = late || wanted[i].fd < 0 ? POLLERR : wanted[i].revents;
  return late ? (ssize_t)n : ready < 0 ? -1 : ready + dead;
}

static const mongoc_stream_t methods = {
    .type = wire_type,
    .destroy = wire_destroy,
    .close = wire_close,
    .flush = wire_flush,
    .writev = wire_writev,
    .readv = wire_readv,
    .setsockopt = wire_setsockopt,
    .check_closed = wire_is_closed,
    .poll = wire_poll,
    .failed = wire_destroy,
    .timed_out = wire_timed_out,
    .should_retry = wire_should_retry,
};

/* ---- connecting ----------------------------------------------------------------------------- */

static atomic_int *free_place(struct link *link) {
  for (size_t i = 0; i < link_sockets_most; i++)
    if (atomic_load(&link->sockets[i]) < 0)
      return &link->sockets[i];
  return NULL;
}

/* The first failure is told. */
static void explain(struct link *link, const char *where, const char *why) {
  if (!link->why[0])
    snprintf(link->why, sizeof link->why, "%.100s: %.250s", where, why);
}

/* Memory is the library's matter, which ends the process without. @param fd  -1: it has failed */
static mongoc_stream_t *new_wire(struct link *link, int fd) {
  struct wire *wire = bson_malloc0(sizeof *wire);
  *wire = (struct wire){.stream = methods, .link = link, .fd = fd};
  if (fd < 0)
    return &wire->stream;
  wire->place = free_place(link);
  if (wire->place) {
    atomic_store(wire->place, fd);
    return &wire->stream;
  }
  close(fd);
  wire->fd = -1;
  link->lost = true;
  explain(link, "servers", "there are too many");
  return &wire->stream;
}

/* @param fd  receives the socket, or -1. @return 0, or an error number */
static int connect_to(const struct sockaddr *address, socklen_t len, int64_t until, int *fd) {
  const int yes = 1;
  *fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (*fd < 0)
    return errno;
  if (address->sa_family != AF_UNIX)
    setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  int error = connect(*fd, address, len) == 0 ? 0 : errno;
  if (error == EINPROGRESS || error == EINTR) {
    error = wait_for(*fd, POLLOUT, until);
    socklen_t size = sizeof error;
    if (error == 0 && getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
      error = errno;
  }
  if (error != 0) {
    close(*fd);
    *fd = -1;
  }
  return error;
}

static int connect_unix(const char *path, int64_t until, int *fd) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path)
    return ENAMETOOLONG;
  strcpy(address.sun_path, path);
  return connect_to((struct sockaddr *)&address, sizeof address, until, fd);
}

static int connect_number(const char *text, const char *port, int64_t until, int *fd) {
  const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                 .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  if (getaddrinfo(text, port, &hints, &found) != 0)
    return EINVAL;
  int error = connect_to(found->ai_addr, found->ai_addrlen, until, fd);
  freeaddrinfo(found);
  return error;
}

static int connect_name(struct link *link, const mongoc_host_list_t *host, int64_t until) {
  struct addresses addresses;
  char port[16];
  int fd = -1, sys_errno;
  snprintf(port, sizeof port, "%u", host->port);
  const char *why = resolve(host->host, until, &addresses, &sys_errno);
  if (why) {
    explain(link, host->host_and_port, why);
    return -1;
  }
  for (unsigned i = 0; i < addresses.n && fd < 0; i++) {
    char words[128];
    int failure = connect_number(addresses.text[i], port, clock_slice(until, addresses.n - i), &fd);
    if (failure != 0)
      explain(link, host->host_and_port, strerror_r(failure, words, sizeof words));
  }
  return fd;
}

/* @return a socket; -1 */
static int connect_host(struct link *link, const mongoc_host_list_t *host, int64_t until) {
  int fd = -1;
  char words[128];
  if (host->family != AF_UNIX)
    return connect_name(link, host, until);
  int failure = connect_unix(host->host, until, &fd);
  if (failure != 0)
    explain(link, host->host, strerror_r(failure, words, sizeof words));
  return fd;
}

/* A certificate that does not fit is for somebody to mend, while a handshake that breaks passes.
 * @return a stream that has failed, when that is so */
static mongoc_stream_t *add_tls(struct link *link, mongoc_stream_t *plain,
                                const mongoc_host_list_t *host, int64_t until) {
  mongoc_ssl_opt_t options = link->server->tls;
  bson_error_t error = {0};
  mongoc_stream_t *stream = mongoc_stream_tls_new_with_hostname(plain, host->host, &options, 1);
  if (!stream) {
    mongoc_stream_destroy(plain);
    link->refused = true;
    explain(link, host->host_and_port, "the files of TLS in uri cannot be used");
    return new_wire(link, -1);
  }
  if (mongoc_stream_tls_handshake_block(stream, host->host, clock_left_ms(until), &error))
    return stream;
  link->refused |= !link->lost && clock_left_ms(until) != 0;
  explain(link, host->host_and_port, error.message);
  mongoc_stream_destroy(stream);
  return new_wire(link, -1);
}

/* Hosts of a set are connected to one after the other, and one that is silent leaves time for the
 * others, of which not all need be in @p uri. */
static unsigned count_shares(const mongoc_uri_t *uri, const struct link *link) {
  unsigned n = 0;
  for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(uri); host; host = host->next)
    n++;
  for (size_t i = 0; i < link_sockets_most; i++)
    n += atomic_load(&link->sockets[i]) >= 0;
  return n;
}

/* What cannot be connected is a stream all the same: over none, the library waits for itself, for
 * ever, when it has heard of the host from another one. */
mongoc_stream_t *mongo_wire_open(const mongoc_uri_t *uri, const mongoc_host_list_t *host,
                                 void *link_, bson_error_t *error) {
  struct link *link = link_;
  (void)error;
  const int32_t ms = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, 10000);
  const int64_t until = clock_slice(limit(link, ms > 0 ? ms : -1), count_shares(uri, link));
  const int fd = connect_host(link, host, until);
  link->lost |= fd < 0;
  mongoc_stream_t *stream = new_wire(link, fd);
  if (fd >= 0 && host->family != AF_UNIX && mongoc_uri_get_tls(uri))
    stream = add_tls(link, stream, host, until);
  return mongo_guard_new(stream, &link->garbled);
}
