/* SPDX-License-Identifier: BSD-2-Clause */
/* newfile.c - building a table's file aside and putting it in place at once. */
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tablefile.h"

enum { longest_chain_of_links = 40 };

static atomic_uint replaced;

unsigned newfile_replaced(void) {
  return atomic_load_explicit(&replaced, memory_order_acquire);
}

struct newfile {
  const dictum_host *host;
  char *target;        /* links followed */
  char *aside;         /* target + ".tmp" */
  char *name;          /* the file aside, by its descriptor where the system can */
  int fd;              /* of the file aside; its lock is ours */
  bool replaces;       /* there was a target when we began */
  struct stat old;     /* that */
  mode_t mode;         /* when there was none */
  int64_t patience_ns; /* how long to wait for a lock; 0: for ever */
};

static dictum_status fail(const struct newfile *file, dictum_error *err, int sys_errno,
                          const char *what, const char *path) {
  char text[128];
  return file->host->fail(err, tablefile_status(sys_errno), sys_errno, "%s %s: %s", what, path,
                          tablefile_errno_text(sys_errno, text, sizeof text));
}

static void newfile_free(struct newfile *file) {
  if (file->fd >= 0)
    close(file->fd);
  free(file->target);
  free(file->aside);
  free(file->name);
  free(file);
}

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- the target ----------------------------------------------------------------------------- */

/* What the link @p path leads to, in malloc()ed memory. */
static char *next_of_link(const char *path) {
  char to[PATH_MAX];
  ssize_t len = readlink(path, to, sizeof to - 1);
  if (len < 0)
    return NULL;
  to[len] = '\0';
  const char *slash = strrchr(path, '/');
  if (to[0] == '/' || !slash)
    return strdup(to);
  char *joined;
  if (asprintf(&joined, "%.*s%s", (int)(slash - path + 1), path, to) < 0)
    return NULL;
  return joined;
}

/* Unlike realpath() this also follows a link to what does not exist yet. */
static char *follow_links(const char *path) {
  char *at = strdup(path);
  struct stat st;
  for (int i = 0; at && lstat(at, &st) == 0 && S_ISLNK(st.st_mode); i++) {
    char *next = NULL;
    if (i < longest_chain_of_links)
      next = next_of_link(at);
    else
      errno = ELOOP;
    free(at);
    at = next;
  }
  return at;
}

/* Opens the target as one who wants to change it: who may not, may not replace it either. */
static int open_target(const char *path) {
  return open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static dictum_status look_at_target(struct newfile *file, const char *path, dictum_error *err) {
  int fd = open_target(path);
  if (fd < 0 && errno == ENOENT)
    return DICTUM_OK;
  if (fd < 0)
    return fail(file, err, errno, "open database", path);
  int error = fstat(fd, &file->old) != 0 ? errno : S_ISREG(file->old.st_mode) ? 0 : EINVAL;
  close(fd);
  if (error)
    return fail(file, err, error, "open database", path);
  file->replaces = true;
  return DICTUM_OK;
}

static dictum_status name_files(struct newfile *file, const char *path, dictum_error *err) {
  file->target = follow_links(path);
  if (!file->target)
    return fail(file, err, errno, "open database", path);
  if (asprintf(&file->aside, "%s.tmp", file->target) < 0) {
    file->aside = NULL;
    return fail(file, err, ENOMEM, "open database", path);
  }
  return DICTUM_OK;
}

/* ---- the file aside ------------------------------------------------------------------------- */

static dictum_status cannot_create(struct newfile *file, dictum_error *err, int sys_errno) {
  char text[128];
  return file->host->fail(err, tablefile_status(sys_errno), sys_errno,
                          "open database %s: create %s: %s", file->target, file->aside,
                          tablefile_errno_text(sys_errno, text, sizeof text));
}

static bool still_at(const char *path, int fd) {
  struct stat ours, there;
  return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && same_file(&ours, &there);
}

/* Could it be what a build that was killed left behind? Those begin with a NUL byte soon, in every
 * format; a text does not, and may be somebody's source that happens to have this name. */
static bool is_leftover(int fd) {
  char head[16];
  ssize_t n = pread(fd, head, sizeof head, 0);
  return n == 0 || (n > 0 && memchr(head, '\0', (size_t)n));
}

static dictum_status refuse_stranger(struct newfile *file, dictum_error *err) {
  return file->host->fail(
      err, DICTUM_CONFIG, EEXIST,
      "open database %s: %s is in the way, and is not what a build leaves behind", file->target,
      file->aside);
}

/* Opens and locks the file aside once. Its builder may have moved or removed it while we waited:
 * *gone then asks for another round, as it does after the removal of a stranger's leftover. */
static dictum_status open_once(struct newfile *file, int64_t deadline_ns, bool *gone,
                               dictum_error *err) {
  *gone = false;
  file->fd = open(file->aside, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                  0600);
  if (file->fd < 0)
    return cannot_create(file, err, errno);
  struct stat st;
  if (fstat(file->fd, &st) != 0)
    return cannot_create(file, err, errno);
  if (!S_ISREG(st.st_mode))
    return cannot_create(file, err, EEXIST);
  int error = filelock_take(file->fd, FILELOCK_FLOCK, true, deadline_ns);
  if (error == ETIMEDOUT)
    return file->host->fail(err, DICTUM_RETRY, error,
                            "lock %s: another program builds or changes it", file->aside);
  if (error)
    return fail(file, err, error, "lock", file->aside);
  *gone = !still_at(file->aside, file->fd);
  if (*gone)
    return DICTUM_OK;
  if (!is_leftover(file->fd))
    return refuse_stranger(file, err);
  /* It could be somebody else's file under another name, or stay open in somebody else's hands. */
  if (fstat(file->fd, &st) != 0 || st.st_uid != geteuid() || st.st_nlink != 1) {
    *gone = unlink(file->aside) == 0;
    return *gone ? DICTUM_OK : cannot_create(file, err, errno);
  }
  if (st.st_size > 0 && ftruncate(file->fd, 0) != 0)
    return cannot_create(file, err, errno);
  return DICTUM_OK;
}

static dictum_status open_aside(struct newfile *file, int64_t deadline_ns, dictum_error *err) {
  for (;;) {
    bool gone;
    dictum_status status = open_once(file, deadline_ns, &gone, err);
    if (status == DICTUM_OK && !gone)
      return DICTUM_OK;
    if (file->fd >= 0)
      close(file->fd);
    file->fd = -1;
    if (status != DICTUM_OK)
      return status;
  }
}

/* A client library opens files by name. By way of the descriptor nobody who may write to the
 * folder can put another file in between. */
static dictum_status name_by_descriptor(struct newfile *file, dictum_error *err) {
  struct stat ours, there;
  if (asprintf(&file->name, "/proc/self/fd/%d", file->fd) < 0) {
    file->name = NULL;
    return cannot_create(file, err, ENOMEM);
  }
  if (fstat(file->fd, &ours) == 0 && stat(file->name, &there) == 0 && same_file(&ours, &there))
    return DICTUM_OK;
  free(file->name);
  file->name = strdup(file->aside);
  return file->name ? DICTUM_OK : cannot_create(file, err, ENOMEM);
}

/* A new file is given to the one who had the old, or not made at all. */
static dictum_status adopt_owner(const struct newfile *file, dictum_error *err) {
  struct stat st;
  if (!file->replaces)
    return DICTUM_OK;
  if (fstat(file->fd, &st) != 0)
    return fail(file, err, errno, "fstat", file->aside);
  uid_t uid = st.st_uid == file->old.st_uid ? (uid_t)-1 : file->old.st_uid;
  gid_t gid = st.st_gid == file->old.st_gid ? (gid_t)-1 : file->old.st_gid;
  if ((uid == (uid_t)-1 && gid == (gid_t)-1) || fchown(file->fd, uid, gid) == 0)
    return DICTUM_OK;
  char text[128];
  return file->host->fail(err, DICTUM_CONFIG, errno,
                          "open database %s: a new file cannot be given to its owner and group"
                          " (%lu:%lu): %s",
                          file->target, (unsigned long)file->old.st_uid,
                          (unsigned long)file->old.st_gid,
                          tablefile_errno_text(errno, text, sizeof text));
}

static void remove_aside(struct newfile *file) {
  if (file->fd >= 0 && still_at(file->aside, file->fd))
    unlink(file->aside);
}

dictum_status newfile_begin(const dictum_host *host, const char *path, uint32_t mode,
                            int64_t deadline_ns, struct newfile **out, dictum_error *err) {
  struct newfile *file = calloc(1, sizeof *file);
  if (!file)
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  file->host = host;
  file->fd = -1;
  file->mode = mode & 07777;
  file->patience_ns = filelock_patience_ns(deadline_ns);
  dictum_status status = look_at_target(file, path, err);
  if (status == DICTUM_OK)
    status = name_files(file, path, err);
  if (status == DICTUM_OK)
    status = open_aside(file, deadline_ns, err);
  if (status == DICTUM_OK)
    status = name_by_descriptor(file, err);
  if (status == DICTUM_OK)
    status = adopt_owner(file, err);
  if (status != DICTUM_OK) {
    newfile_abort(file);
    return status;
  }
  *out = file;
  return DICTUM_OK;
}

const char *newfile_name(const struct newfile *file) {
  return file->name;
}

int newfile_fd(const struct newfile *file) {
  return file->fd;
}

const struct stat *newfile_old(const struct newfile *file) {
  return file->replaces ? &file->old : NULL;
}

/* ---- writing -------------------------------------------------------------------------------- */

int newfile_write(int fd, const void *bytes, size_t n, off_t at) {
  const char *from = bytes;
  for (size_t done = 0; done < n;) {
    ssize_t written = pwrite(fd, from + done, n - done, at + (off_t)done);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return written < 0 ? errno : ENOSPC;
    done += (size_t)written;
  }
  return 0;
}

int newfile_append(int fd, const void *bytes, size_t n, off_t at) {
  int error = newfile_write(fd, bytes, n, at);
#ifdef SYNC_FILE_RANGE_WRITE
  /* Small stretches would cost more than they gain. */
  const off_t stretch = 8 << 20, end = (at + (off_t)n) / stretch * stretch;
  if (!error && at < end)
    sync_file_range(fd, end - stretch, stretch, SYNC_FILE_RANGE_WRITE);
#endif
  return error;
}

/* ---- a copy -------------------------------------------------------------------------------- */

/* For file systems that cannot copy by themselves. */
static int copy_by_hand(int to, int from, off_t at) {
  char bytes[65536];
  for (;;) {
    ssize_t n = pread(from, bytes, sizeof bytes, at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n < 0 ? errno : 0;
    int error = newfile_write(to, bytes, (size_t)n, at);
    if (error)
      return error;
    at += n;
  }
}

static int copy_bytes(int to, int from) {
  const size_t most = 1 << 30;
  loff_t from_at = 0, to_at = 0;
  ssize_t n;
  do
    n = copy_file_range(from, &from_at, to, &to_at, most, 0);
  while (n > 0 || (n < 0 && errno == EINTR));
  return n == 0 && from_at > 0 ? 0 : copy_by_hand(to, from, from_at);
}

dictum_status newfile_copy(struct newfile *file, int fd, dictum_error *err) {
  int error = copy_bytes(file->fd, fd);
  return error ? fail(file, err, error, "write", file->aside) : DICTUM_OK;
}

/* ---- the end -------------------------------------------------------------------------------- */

static int64_t new_deadline(const struct newfile *file) {
  return file->patience_ns ? filelock_now_ns() + file->patience_ns : 0;
}

/* An update of an LMDB file lets readers in, so that its lock looks like one of theirs. Between
 * ourselves, writers of such files are told apart by the other kind of lock. */
static int keep_writers_out(int fd, enum filelock_kind kind, int64_t deadline_ns) {
  int error = kind == FILELOCK_OFD ? filelock_take(fd, FILELOCK_FLOCK, true, deadline_ns) : 0;
  return error ? error : filelock_keep_writers_out(fd, kind, deadline_ns);
}

/* Keeps writers off the target, so that none is cut in half. Readers do no harm: they go on with
 * the file that they have. *fd is -1 when there is none. */
static dictum_status lock_target(struct newfile *file, enum filelock_kind kind, int *fd,
                                 dictum_error *err) {
  int64_t deadline_ns = new_deadline(file);
  for (;;) {
    *fd = open_target(file->target);
    if (*fd < 0 && errno == ENOENT)
      return DICTUM_OK;
    if (*fd < 0)
      return fail(file, err, errno, "open database", file->target);
    int error = keep_writers_out(*fd, kind, deadline_ns);
    if (error == 0 && still_at(file->target, *fd)) {
      file->replaces = fstat(*fd, &file->old) == 0;
      return DICTUM_OK;
    }
    close(*fd);
    *fd = -1;
    if (error)
      return fail(file, err, error, "lock", file->target);
  }
}

static dictum_status adopt_identity(struct newfile *file, dictum_error *err) {
  dictum_status status = adopt_owner(file, err);
  if (status != DICTUM_OK)
    return status;
  if (fchmod(file->fd, file->replaces ? file->old.st_mode & 07777 : file->mode) != 0)
    return fail(file, err, errno, "chmod", file->aside);
  return DICTUM_OK;
}

static dictum_status bring_to_disk(const struct newfile *file, dictum_error *err) {
  if (fsync(file->fd) != 0)
    return fail(file, err, errno, "write", file->aside);
  if (!still_at(file->aside, file->fd))
    return file->host->fail(err, DICTUM_CONFIG, ENOENT, "%s was removed while it was built",
                            file->aside);
  return DICTUM_OK;
}

static dictum_status sync_folder(const struct newfile *file, dictum_error *err) {
  const char *slash = strrchr(file->target, '/');
  size_t len = slash == file->target ? 1 : slash ? (size_t)(slash - file->target) : 0;
  char *folder = len ? strndup(file->target, len) : strdup(".");
  int error = folder ? 0 : ENOMEM;
  int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  /* A folder that we may write to but not read cannot be synced. */
  if (fd < 0 && !error && errno != EACCES)
    error = errno;
  if (fd >= 0 && fsync(fd) != 0 && errno != EINVAL)
    error = errno;
  if (fd >= 0)
    close(fd);
  free(folder);
  if (!error)
    return DICTUM_OK;
  char text[128];
  return file->host->fail(err, DICTUM_UNCERTAIN, error,
                          "%s is in place, but its folder could not be synced: %s", file->target,
                          tablefile_errno_text(error, text, sizeof text));
}

static dictum_status put_in_place(struct newfile *file, enum filelock_kind kind, bool locked,
                                  dictum_error *err) {
  int old = -1;
  dictum_status status = locked ? DICTUM_OK : lock_target(file, kind, &old, err);
  if (status != DICTUM_OK)
    return status;
  /* Once more, as the target may have been given away meanwhile. */
  status = adopt_identity(file, err);
  if (status == DICTUM_OK && rename(file->aside, file->target) != 0)
    status = fail(file, err, errno, "replace database", file->target);
  atomic_fetch_add_explicit(&replaced, 1, memory_order_release);
  if (status == DICTUM_OK)
    status = sync_folder(file, err);
  if (old >= 0)
    close(old);
  return status;
}

dictum_status newfile_replace(struct newfile *file, enum filelock_kind kind, bool locked,
                              dictum_error *err) {
  dictum_status status = adopt_identity(file, err);
  if (status == DICTUM_OK)
    status = bring_to_disk(file, err);
  if (status == DICTUM_OK)
    status = put_in_place(file, kind, locked, err);
  if (status == DICTUM_OK || status == DICTUM_UNCERTAIN)
    newfile_free(file);
  else
    newfile_abort(file);
  return status;
}

dictum_status newfile_create(struct newfile *file, dictum_error *err) {
  dictum_status status = adopt_identity(file, err);
  if (status == DICTUM_OK)
    status = bring_to_disk(file, err);
  if (status == DICTUM_OK && link(file->aside, file->target) != 0 && errno != EEXIST)
    status = fail(file, err, errno, "create database", file->target);
  remove_aside(file);
  if (status == DICTUM_OK)
    status = sync_folder(file, err);
  newfile_free(file);
  return status;
}

void newfile_abort(struct newfile *file) {
  if (!file)
    return;
  remove_aside(file);
  newfile_free(file);
}
