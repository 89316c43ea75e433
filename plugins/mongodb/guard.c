/* SPDX-License-Identifier: BSD-2-Clause */
/* guard.c - reads a server's messages before libmongoc does. */
#include "guard.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "text.h"

enum {
  guard_type = 0x64637467,
  header_size = 16,
  longest_message = 48000000 + 16384, /* maxMessageSizeBytes, and what may be around it */
  deepest = 200,
  op_reply = 1, /* to the first question */
  op_msg = 2013,
  before_reply = 20,
  before_msg = 5,
  guarded_most = 64
};

struct guard {
  mongoc_stream_t stream; /* first: the library knows it by this */
  mongoc_stream_t *lower;
  bool *garbled;
  struct text message; /* what has come of it */
  size_t size;         /* of it; 0: not known yet */
  size_t given;        /* so much of it was handed on */
};

static struct guard *guard_of(mongoc_stream_t *stream) {
  return (struct guard *)stream;
}

/* ---- messages ------------------------------------------------------------------------------- */

static uint32_t number_at(const uint8_t *bytes) {
  uint32_t number;
  memcpy(&number, bytes, sizeof number);
  return BSON_UINT32_FROM_LE(number);
}

static bool is_document(const uint8_t *bytes, size_t len, unsigned depth);

/* libbson's own way into a document takes one without an end. */
static bool is_nested(const bson_iter_t *iter, unsigned depth) {
  const uint8_t *bytes;
  uint32_t len;
  if (BSON_ITER_HOLDS_DOCUMENT(iter))
    bson_iter_document(iter, &len, &bytes);
  else if (BSON_ITER_HOLDS_ARRAY(iter))
    bson_iter_array(iter, &len, &bytes);
  else
    return true;
  return depth < deepest && is_document(bytes, len, depth + 1);
}

static bool is_document(const uint8_t *bytes, size_t len, unsigned depth) {
  bson_iter_t iter;
  if (len < 5 || !bson_iter_init_from_data(&iter, bytes, len))
    return false;
  while (bson_iter_next(&iter))
    if (!is_nested(&iter, depth))
      return false;
  return iter.err_off == 0;
}

static bool is_sound_header(const uint8_t *header) {
  const uint32_t size = number_at(header), op = number_at(header + 12);
  return size >= header_size && size <= longest_message && (op == op_reply || op == op_msg);
}

/* OP_MSG: no flags, and one section of kind 0. OP_REPLY: one document. */
bool mongo_guard_is_sound(const uint8_t *message, size_t len) {
  if (len < header_size || !is_sound_header(message) || number_at(message) != len)
    return false;
  const uint8_t *body = message + header_size;
  const bool is_msg = number_at(message + 12) == op_msg;
  const size_t before = is_msg ? before_msg : before_reply;
  len -= header_size;
  if (len < before)
    return false;
  bool right = is_msg ? number_at(body) == 0 && body[4] == 0 : number_at(body + 16) == 1;
  return right && is_document(body + before, len - before, 0);
}

/* ---- reading -------------------------------------------------------------------------------- */

static ssize_t refuse(struct guard *guard) {
  *guard->garbled = true;
  errno = EBADMSG;
  return -1;
}

static size_t wanted(const struct guard *guard) {
  return (guard->size ? guard->size : header_size) - guard->message.len;
}

/* Reads on until the message is whole. @return 0; -1 */
static ssize_t fill(struct guard *guard, int32_t ms) {
  struct text *message = &guard->message;
  while (wanted(guard) > 0) {
    const size_t len = wanted(guard);
    if (!text_reserve(message, len)) {
      errno = ENOMEM;
      return -1;
    }
    ssize_t got = mongoc_stream_read(guard->lower, message->data + message->len, len, 1, ms);
    if (got <= 0)
      return -1;
    message->len += (size_t)got;
    if (guard->size > 0 || message->len < header_size)
      continue;
    if (!is_sound_header((const uint8_t *)message->data))
      return refuse(guard);
    guard->size = number_at((const uint8_t *)message->data);
  }
  return mongo_guard_is_sound((const uint8_t *)message->data, message->len) ? 0 : refuse(guard);
}

static bool has_more(const struct guard *guard) {
  return guard->size > 0 && guard->message.len == guard->size && guard->given < guard->size;
}

static size_t give(struct guard *guard, void *to, size_t len) {
  struct text *message = &guard->message;
  if (len > message->len - guard->given)
    len = message->len - guard->given;
  memcpy(to, message->data + guard->given, len);
  guard->given += len;
  if (guard->given < guard->size)
    return len;
  text_free(message);
  guard->size = guard->given = 0;
  return len;
}

static ssize_t guard_readv(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n, size_t least,
                           int32_t ms) {
  struct guard *guard = guard_of(stream);
  size_t done = 0, at = 0;
  for (size_t i = 0; i < n;) {
    if (at == iov[i].iov_len) {
      i++;
      at = 0;
      continue;
    }
    if (!has_more(guard)) {
      if (done > 0 && done >= least)
        break;
      if (*guard->garbled)
        return refuse(guard);
      if (fill(guard, ms) < 0)
        return -1;
    }
    size_t len = give(guard, (char *)iov[i].iov_base + at, iov[i].iov_len - at);
    done += len;
    at += len;
  }
  return (ssize_t)done;
}

/* ---- the rest is the lower stream's --------------------------------------------------------- */

static ssize_t guard_writev(mongoc_stream_t *stream, mongoc_iovec_t *iov, size_t n, int32_t ms) {
  return mongoc_stream_writev(guard_of(stream)->lower, iov, n, ms);
}

static int guard_close(mongoc_stream_t *stream) {
  return mongoc_stream_close(guard_of(stream)->lower);
}

static void guard_destroy(mongoc_stream_t *stream) {
  struct guard *guard = guard_of(stream);
  mongoc_stream_destroy(guard->lower);
  text_free(&guard->message);
  bson_free(guard);
}

static int guard_flush(mongoc_stream_t *stream) {
  return mongoc_stream_flush(guard_of(stream)->lower);
}

static int guard_setsockopt(mongoc_stream_t *stream, int level, int name, void *value,
                            mongoc_socklen_t len) {
  return mongoc_stream_setsockopt(guard_of(stream)->lower, level, name, value, len);
}

static bool guard_is_closed(mongoc_stream_t *stream) {
  return mongoc_stream_check_closed(guard_of(stream)->lower);
}

static bool guard_timed_out(mongoc_stream_t *stream) {
  return mongoc_stream_timed_out(guard_of(stream)->lower);
}

static bool guard_should_retry(mongoc_stream_t *stream) {
  return !*guard_of(stream)->garbled && mongoc_stream_should_retry(guard_of(stream)->lower);
}

/* What has been read, no socket will tell of any more. */
static ssize_t guard_poll(mongoc_stream_poll_t *streams, size_t n, int32_t ms) {
  mongoc_stream_poll_t lower[guarded_most];
  bool more = false;
  if (n > guarded_most) {
    errno = EINVAL;
    return -1;
  }
  for (size_t i = 0; i < n; i++) {
    lower[i] = streams[i];
    lower[i].stream = guard_of(streams[i].stream)->lower;
    more |= has_more(guard_of(streams[i].stream));
  }
  ssize_t ready = mongoc_stream_poll(lower, n, more ? 0 : ms);
  for (size_t i = 0; i < n; i++) {
    streams[i].revents = ready >= 0 ? lower[i].revents : 0;
    if (has_more(guard_of(streams[i].stream)))
      streams[i].revents |= POLLIN;
  }
  return more && ready >= 0 ? (ssize_t)n : ready;
}

static const mongoc_stream_t methods = {
    .type = guard_type,
    .destroy = guard_destroy,
    .close = guard_close,
    .flush = guard_flush,
    .writev = guard_writev,
    .readv = guard_readv,
    .setsockopt = guard_setsockopt,
    .check_closed = guard_is_closed,
    .poll = guard_poll,
    .failed = guard_destroy,
    .timed_out = guard_timed_out,
    .should_retry = guard_should_retry,
};

mongoc_stream_t *mongo_guard_new(mongoc_stream_t *lower, bool *garbled) {
  struct guard *guard = bson_malloc0(sizeof *guard);
  *guard = (struct guard){.stream = methods, .lower = lower, .garbled = garbled};
  return &guard->stream;
}
