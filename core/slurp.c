/* SPDX-License-Identifier: BSD-2-Clause */
/* slurp.c - reading descriptors and whole files. */
#include "slurp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "error.h"

enum { block_size = 64 * 1024 };
/* Half a second in all: longer than an editor or a copy needs for a rule file. */
enum { settle_attempts = 20, settle_pause_ms = 25 };

ssize_t read_some(int fd, char *data, size_t size) {
  for (;;) {
    ssize_t n = read(fd, data, size);
    if (n >= 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK))
      return n;
    if (errno == EINTR)
      continue;
    struct pollfd ready = {fd, POLLIN, 0};
    if (poll(&ready, 1, -1) < 0 && errno != EINTR)
      return -1;
  }
}

static dictum_status open_failed(const char *path, dictum_error *err) {
  int number = errno;
  return error_set(err, DICTUM_CONFIG, number, "open %s: %s", path, ERRNO_TEXT(number));
}

dictum_status slurp_fd(int fd, const struct stat *st, const char *path, dictum_buf *out,
                       dictum_error *err) {
  size_t begin = out->len, size = S_ISREG(st->st_mode) ? (size_t)st->st_size : 0;
  /* One byte more than there is: a single read then tells that the file ends there. */
  for (size_t more = size ? size + 1 : block_size;; more = block_size) {
    if (!buf_reserve(out, more))
      return error_nomem(err);
    ssize_t n = read_some(fd, out->data + out->len, out->cap - out->len - 1);
    if (n < 0) {
      int number = errno;
      return error_set(err, DICTUM_CONFIG, number, "read %s: %s", path, ERRNO_TEXT(number));
    }
    out->len += (size_t)n;
    out->data[out->len] = '\0';
    if (n == 0 || (size > 0 && out->len - begin == size))
      return DICTUM_OK;
  }
}

dictum_status slurp_file(const char *path, dictum_buf *out, dictum_error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return open_failed(path, err);
  struct stat st;
  dictum_status status = fstat(fd, &st) == 0 ? slurp_fd(fd, &st, path, out, err)
                                             : open_failed(path, err);
  close(fd);
  return status;
}

static bool same_time(struct timespec a, struct timespec b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* What is not a regular file has no content to compare. */
static bool unchanged(int fd, const struct stat *before) {
  struct stat now;
  return fstat(fd, &now) == 0 &&
         (!S_ISREG(now.st_mode) ||
          (now.st_size == before->st_size && same_time(now.st_mtim, before->st_mtim) &&
           same_time(now.st_ctim, before->st_ctim)));
}

static dictum_status slurp_settled_fd(int fd, const char *path, dictum_buf *out,
                                      dictum_error *err) {
  for (int i = 0; i < settle_attempts; i++) {
    struct stat before;
    if (fstat(fd, &before) < 0)
      return open_failed(path, err);
    buf_clear(out);
    dictum_status status = slurp_fd(fd, &before, path, out, err);
    if (status != DICTUM_OK || unchanged(fd, &before))
      return status;
    nanosleep(&(struct timespec){0, settle_pause_ms * 1000000L}, NULL);
    if (lseek(fd, 0, SEEK_SET) < 0)
      return open_failed(path, err);
  }
  return error_set(err, DICTUM_CONFIG, 0, "read %s: file changes all the time", path);
}

dictum_status slurp_settled_file(const char *path, dictum_buf *out, dictum_error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0)
    return open_failed(path, err);
  dictum_status status = slurp_settled_fd(fd, path, out, err);
  close(fd);
  return status;
}
