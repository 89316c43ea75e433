/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keyreader.c - keys from a file descriptor, as many at a time as have arrived.
 *
 * The buffer holds what has been read and not yet given out. Complete keys are
 * given out first; only when there is none does a read, which may wait, follow.
 */
#include "keyreader.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 128 * 1024, MAX_CAPACITY = 256 * 1024 * 1024 };

struct keyreader {
  int fd;
  char separator;
  bool at_end;
  int failed; /* errno of a read that failed, or 0 */
  char *data;
  size_t start, end, capacity; /* data[start..end) has not been given out */
  size_t scanned;              /* data[start..scanned) holds no separator */
};

static dictum_status read_failure(const struct keyreader *reader, dictum_error *err) {
  dictum_status status = reader->failed == ENOMEM ? DICTUM_NOMEM : DICTUM_CONFIG;
  if (!err)
    return status;
  *err = (dictum_error)DICTUM_ERROR_INIT;
  err->status = status;
  err->sys_errno = reader->failed;
  snprintf(err->what, sizeof err->what, "read standard input: %s", strerror(reader->failed));
  return status;
}

struct keyreader *keyreader_open(int fd, char separator) {
  struct keyreader *reader = calloc(1, sizeof *reader);
  if (!reader)
    return NULL;
  reader->fd = fd;
  reader->separator = separator;
  reader->capacity = FIRST_CAPACITY;
  reader->data = malloc(reader->capacity);
  if (!reader->data) {
    free(reader);
    return NULL;
  }
  return reader;
}

void keyreader_close(struct keyreader *reader) {
  if (!reader)
    return;
  free(reader->data);
  free(reader);
}

/* Moves what is left to the front, and makes room for at least one more byte.
 * @return 0, or an errno. */
static int make_room(struct keyreader *reader) {
  if (reader->start > 0) {
    memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->scanned -= reader->start;
    reader->start = 0;
  }
  if (reader->end < reader->capacity)
    return 0;
  if (reader->capacity >= MAX_CAPACITY)
    return EMSGSIZE;
  char *bigger = realloc(reader->data, reader->capacity * 2);
  if (!bigger)
    return ENOMEM;
  reader->data = bigger;
  reader->capacity *= 2;
  return 0;
}

/* Reads once; what comes of it is in the reader. */
static void read_more(struct keyreader *reader) {
  reader->failed = make_room(reader);
  if (reader->failed)
    return;
  ssize_t got;
  do
    got = read(reader->fd, reader->data + reader->end, reader->capacity - reader->end);
  while (got < 0 && errno == EINTR);
  if (got < 0) {
    reader->failed = errno;
    return;
  }
  reader->at_end = got == 0;
  reader->end += (size_t)got;
}

/* Returns the end of the first key that is complete, or NULL. */
static char *key_end(struct keyreader *reader) {
  char *end = memchr(reader->data + reader->scanned, reader->separator,
                     reader->end - reader->scanned);
  reader->scanned = end ? (size_t)(end - reader->data) : reader->end;
  return end;
}

/* True when there is a key, or nothing more to come. */
static bool settled(struct keyreader *reader) {
  return reader->at_end || reader->failed || key_end(reader);
}

dictum_status keyreader_next(struct keyreader *reader, dictum_req *reqs, size_t max, size_t *n,
                             dictum_error *err) {
  *n = 0;
  while (!settled(reader))
    read_more(reader);
  for (char *end; *n < max && (end = key_end(reader)) != NULL; ++*n) {
    char *key = reader->data + reader->start;
    reqs[*n].key = key;
    reqs[*n].keylen = (size_t)(end - key);
    reader->start = reader->scanned = (size_t)(end - reader->data) + 1;
  }
  if (*n == 0 && reader->failed)
    return read_failure(reader, err);
  if (*n == 0 && max > 0 && reader->start < reader->end) { /* a last key without separator */
    reqs[0].key = reader->data + reader->start;
    reqs[0].keylen = reader->end - reader->start;
    reader->start = reader->scanned = reader->end;
    *n = 1;
  }
  return DICTUM_OK;
}

bool keyreader_ready(struct keyreader *reader) {
  struct pollfd input = {reader->fd, POLLIN, 0};
  while (!settled(reader) && poll(&input, 1, 0) == 1)
    read_more(reader);
  return settled(reader);
}
