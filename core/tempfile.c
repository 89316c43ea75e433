/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tempfile.c - a file without a name: it ends with the last descriptor, whatever ends its user.
 *
 * Linux makes such a file at once. Elsewhere it has a name for a moment, and a
 * kill in that very moment leaves it, empty.
 */
#include "tempfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "error.h"

static dictum_status fail(const struct tempfile *file, dictum_error *err, const char *what,
                          int sys_errno) {
  bool passes = sys_errno == EIO || sys_errno == EMFILE || sys_errno == ENFILE ||
                sys_errno == ESTALE;
  return error_set(err, passes ? DICTUM_RETRY : DICTUM_CONFIG, sys_errno,
                   "%s temporary file in %s: %s", what, file->folder, ERRNO_TEXT(sys_errno));
}

/* With a name, which is taken away at once. */
static int make_by_name(const char *folder) {
  char *name;
  if (asprintf(&name, "%s/.dictum-XXXXXX", folder) < 0) {
    errno = ENOMEM;
    return -1;
  }
  int fd = mkostemp(name, O_CLOEXEC);
  if (fd >= 0)
    unlink(name);
  free(name);
  return fd;
}

dictum_status tempfile_make(struct tempfile *file, dictum_error *err) {
#ifdef O_TMPFILE
  file->fd = open(file->folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
  /* What a file system, or a kernel, says that has no such files. */
  if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
#endif
    file->fd = make_by_name(file->folder);
  return file->fd < 0 ? fail(file, err, "create", errno) : DICTUM_OK;
}

dictum_status tempfile_write(const struct tempfile *file, const void *bytes, size_t size, off_t at,
                             dictum_error *err) {
  for (const char *from = bytes; size > 0;) {
    ssize_t n = pwrite(file->fd, from, size, at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return fail(file, err, "write", n < 0 ? errno : ENOSPC);
    from += n;
    at += n;
    size -= (size_t)n;
  }
  return DICTUM_OK;
}

dictum_status tempfile_read(const struct tempfile *file, void *bytes, size_t size, off_t at,
                            dictum_error *err) {
  for (char *to = bytes; size > 0;) {
    ssize_t n = pread(file->fd, to, size, at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return fail(file, err, "read", n < 0 ? errno : EIO);
    to += n;
    at += n;
    size -= (size_t)n;
  }
  return DICTUM_OK;
}

void tempfile_forget(const struct tempfile *file, off_t from, off_t to) {
#ifdef FALLOC_FL_PUNCH_HOLE
  if (to > from)
    (void)fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from);
#else
  (void)file, (void)from, (void)to;
#endif
}

void tempfile_close(struct tempfile *file) {
  if (file->fd >= 0)
    close(file->fd);
  file->fd = -1;
}
