/* SPDX-License-Identifier: BSD-2-Clause */
/* stream.c - a connection over TCP or a Unix socket that never waits past a deadline. */
#include "stream.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "resolve.h"

/* How much is read at once, and how much memory an idle connection may keep. */
enum { chunk = 16 * 1024, kept_room = 4 * chunk };

bool fault_set(struct fault *out, enum fault_kind kind, int sys_errno, const char *text) {
  char words[128];
  if (!text)
    text = strerror_r(sys_errno, words, sizeof words);
  *out = (struct fault){.kind = kind, .sys_errno = sys_errno};
  snprintf(out->text, sizeof out->text, "%s", text);
  return false;
}

/* ---- endpoints ------------------------------------------------------------------------------ */

void endpoint_free(struct endpoint *endpoint) {
  free(endpoint->host);
  free(endpoint->port);
  free(endpoint->label);
  *endpoint = (struct endpoint){0};
}

static enum endpoint_answer finish(struct endpoint *endpoint, bool local) {
  if ((local || endpoint->host) && endpoint->port && endpoint->label)
    return ENDPOINT_DONE;
  endpoint_free(endpoint);
  return ENDPOINT_NOMEM;
}

enum endpoint_answer endpoint_unix(const char *path, struct endpoint *out) {
  *out = (struct endpoint){0};
  if (*path == '\0' || strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path)
    return ENDPOINT_MALFORMED;
  *out = (struct endpoint){.port = strdup(path), .label = strdup(path)};
  return finish(out, true);
}

/* "[address]:port": the host's part, and *rest behind the bracket. */
static char *bracketed(const char *text, const char **rest) {
  const char *end = strchr(text, ']');
  *rest = end ? end + 1 : NULL;
  return end ? strndup(text + 1, (size_t)(end - text - 1)) : NULL;
}

enum endpoint_answer endpoint_inet(const char *text, const char *port, struct endpoint *out) {
  *out = (struct endpoint){0};
  const char *rest = strrchr(text, ':');
  char *host;
  if (*text == '[')
    host = bracketed(text, &rest);
  else if (rest)
    host = rest == text ? strdup("localhost") : strndup(text, (size_t)(rest - text));
  else
    host = strdup(port ? text : "localhost");
  const char *given = rest && *rest == ':' ? rest + 1 : port || *text == '[' ? port : text;
  bool malformed = *text == '\0' || !given || *given == '\0' ||
                   (*text == '[' && (!rest || (*rest != ':' && *rest != '\0')));
  if (malformed || (host && (*host == '\0' || (*text != '[' && strchr(host, ':'))))) {
    free(host);
    return ENDPOINT_MALFORMED;
  }
  *out = (struct endpoint){.host = host, .port = strdup(given), .label = strdup(text)};
  return finish(out, false);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* @return 0; ETIMEDOUT; another error of poll(2). A signal that the host catches is no reason to
 * stop: the deadline is. */
static int wait_for(int fd, short events, int64_t deadline_ns) {
  struct pollfd wanted = {.fd = fd, .events = events};
  for (;;) {
    int n = poll(&wanted, 1, clock_left_ms(deadline_ns));
    if (n > 0)
      return 0;
    if (n == 0)
      return ETIMEDOUT;
    if (errno != EINTR)
      return errno;
  }
}

/* ---- connecting ----------------------------------------------------------------------------- */

static int finish_connect(int fd, int64_t deadline_ns) {
  int error = wait_for(fd, POLLOUT, deadline_ns);
  socklen_t len = sizeof error;
  if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
    error = errno;
  return error;
}

/* A full queue of a Unix socket cannot be waited for with poll(2): it is tried again shortly. */
static int connect_queued(int fd, const struct sockaddr *address, socklen_t len,
                          int64_t deadline_ns) {
  while (connect(fd, address, len) != 0) {
    if (errno == EINPROGRESS || errno == EINTR)
      return finish_connect(fd, deadline_ns);
    if (errno != EAGAIN)
      return errno;
    if (clock_now() >= deadline_ns)
      return ETIMEDOUT;
    poll(NULL, 0, 1);
  }
  return 0;
}

/* @return 0 or an error number */
static int connect_address(struct stream *stream, const struct sockaddr *address, socklen_t len,
                           int64_t deadline_ns) {
  int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return errno;
  int error = connect_queued(fd, address, len, deadline_ns);
  if (error) {
    close(fd);
    return error;
  }
  if (address->sa_family != AF_UNIX) {
    const int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  }
  atomic_store(&stream->fd, fd);
  return 0;
}

static bool connect_unix(struct stream *stream, const char *path, int64_t deadline_ns,
                         struct fault *fault) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  memcpy(address.sun_path, path, strlen(path) + 1);
  int error = connect_address(stream, (const struct sockaddr *)&address, sizeof address,
                              deadline_ns);
  return error == 0 || fault_set(fault, FAULT_CONNECT, error, NULL);
}

/* @param address  in numbers */
static bool connect_inet(struct stream *stream, const char *address, const char *port,
                         int64_t deadline_ns, struct fault *fault) {
  const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found;
  int error = getaddrinfo(address, port, &hints, &found);
  if (error == EAI_SYSTEM)
    return fault_set(fault, FAULT_CONNECT, errno, NULL);
  if (error)
    return fault_set(fault, FAULT_CONNECT, EADDRNOTAVAIL, gai_strerror(error));
  error = connect_address(stream, found->ai_addr, found->ai_addrlen, deadline_ns);
  freeaddrinfo(found);
  return error == 0 || fault_set(fault, FAULT_CONNECT, error, NULL);
}

/* Each address gets its part of the time that is left. */
bool stream_connect(struct stream *stream, const struct endpoint *endpoint, int64_t deadline_ns,
                    struct fault *fault) {
  struct addresses addresses;
  int error;
  if (!endpoint->host)
    return connect_unix(stream, endpoint->port, deadline_ns, fault);
  const char *why = resolve(endpoint->host, deadline_ns, &addresses, &error);
  if (why)
    return fault_set(fault, FAULT_CONNECT, error ? error : EADDRNOTAVAIL, why);
  for (unsigned i = 0; i < addresses.n; i++)
    if (connect_inet(stream, addresses.text[i], endpoint->port,
                     clock_slice(deadline_ns, addresses.n - i), fault))
      return true;
  return false;
}

/* ---- life ----------------------------------------------------------------------------------- */

void stream_close(struct stream *stream) {
  int fd = atomic_exchange(&stream->fd, -1);
  if (fd >= 0)
    close(fd);
  text_clear(&stream->in);
  text_clear(&stream->out);
  stream->start = stream->sent = 0;
  if (stream->in.room > kept_room)
    text_free(&stream->in);
  if (stream->out.room > kept_room)
    text_free(&stream->out);
}

void stream_free(struct stream *stream) {
  stream_close(stream);
  text_free(&stream->in);
  text_free(&stream->out);
}

/* ---- talking -------------------------------------------------------------------------------- */

bool stream_is_quiet(const struct stream *stream) {
  char byte;
  return stream->start == stream->in.len &&
         recv(atomic_load(&stream->fd), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EINTR);
}

bool stream_has_more(const struct stream *stream) {
  char byte;
  return stream->start < stream->in.len ||
         recv(atomic_load(&stream->fd), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool is_later(int error) {
  return error == EAGAIN || error == EINTR;
}

/* Sends what can be sent at once. @return 0 or an error number */
static int send_some(struct stream *stream) {
  while (stream->sent < stream->out.len) {
    ssize_t n = send(atomic_load(&stream->fd), stream->out.data + stream->sent,
                     stream->out.len - stream->sent, MSG_NOSIGNAL);
    if (n < 0)
      return is_later(errno) ? 0 : errno;
    stream->sent += (size_t)n;
  }
  text_clear(&stream->out);
  stream->sent = 0;
  return 0;
}

/* Drops what is done with, so that only unread text takes room. */
static void compact(struct stream *stream) {
  size_t left = stream->in.len - stream->start;
  if (left > 0 && stream->start > 0)
    memmove(stream->in.data, stream->in.data + stream->start, left);
  stream->in.len = left;
  stream->start = 0;
}

/* A long answer is read in larger and larger pieces, as it is looked through after each. */
static bool receive(struct stream *stream, struct fault *fault) {
  compact(stream);
  const size_t room = stream->in.len > chunk ? stream->in.len : chunk;
  if (!text_reserve(&stream->in, room))
    return fault_set(fault, FAULT_NOMEM, ENOMEM, "out of memory");
  ssize_t n = recv(atomic_load(&stream->fd), stream->in.data + stream->in.len, room, 0);
  if (n > 0) {
    stream->in.len += (size_t)n;
    return true;
  }
  if (n == 0)
    return fault_set(fault, FAULT_LOST, 0, "unexpected disconnect");
  return is_later(errno) || fault_set(fault, FAULT_LOST, errno, NULL);
}

bool stream_step(struct stream *stream, int64_t deadline_ns, struct fault *fault) {
  int error = send_some(stream);
  if (error)
    return fault_set(fault, FAULT_LOST, error, NULL);
  short events = stream->sent < stream->out.len ? POLLIN | POLLOUT : POLLIN;
  struct pollfd wanted = {.fd = atomic_load(&stream->fd), .events = events};
  int left = clock_left_ms(deadline_ns);
  /* Late is late, also for a server that goes on and on. */
  int n = left > 0 ? poll(&wanted, 1, left) : 0;
  if (n == 0)
    return fault_set(fault, FAULT_TIMEOUT, ETIMEDOUT, NULL);
  if (n < 0)
    return errno == EINTR || fault_set(fault, FAULT_LOST, errno, NULL);
  return !(wanted.revents & (POLLIN | POLLHUP | POLLERR)) || receive(stream, fault);
}
