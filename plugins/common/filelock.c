/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filelock.c - locks on whole files, of the two kinds that Postfix's tables are guarded by.
 *
 * The kernel cannot wait for a file lock with a time limit without signals,
 * which are the host's. So a call with a deadline asks again and again, with
 * pauses that grow from 50 us to 5 ms: locks are mostly held for microseconds.
 */
#include "filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { first_pause_ns = 50000, longest_pause_ns = 5000000 };

int64_t filelock_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* How a lock is asked for. */
struct wish {
  enum filelock_kind kind;
  bool exclusive, writer; /* a writer gives up when the host catches a signal */
};

int64_t filelock_patience_ns(int64_t deadline_ns) {
  if (deadline_ns == 0)
    return 0;
  int64_t left = deadline_ns - filelock_now_ns();
  return left > 0 ? left : 1;
}

static int ask(int fd, const struct wish *wish, bool wait) {
  int rc;
  do {
    if (wish->kind == FILELOCK_FLOCK) {
      rc = flock(fd, (wish->exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB));
    } else {
      struct flock whole = {.l_type = wish->exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
      rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &whole);
    }
  } while (rc != 0 && errno == EINTR && !(wait && wish->writer));
  return rc == 0 ? 0 : errno;
}

static bool is_busy(int error) {
  return error == EWOULDBLOCK || error == EAGAIN || error == EACCES;
}

static int take(int fd, const struct wish *wish, int64_t deadline_ns) {
  if (deadline_ns == 0)
    return ask(fd, wish, true);
  int64_t pause_ns = first_pause_ns;
  for (;;) {
    int error = ask(fd, wish, false);
    if (!is_busy(error))
      return error;
    int64_t left = deadline_ns - filelock_now_ns();
    if (left <= 0)
      return ETIMEDOUT;
    int64_t pause = pause_ns < left ? pause_ns : left;
    const struct timespec nap = {.tv_sec = 0, .tv_nsec = (long)pause};
    if (nanosleep(&nap, NULL) != 0 && wish->writer)
      return EINTR;
    if (pause_ns < longest_pause_ns)
      pause_ns *= 2;
  }
}

int filelock_take(int fd, enum filelock_kind kind, bool exclusive, int64_t deadline_ns) {
  const struct wish wish = {kind, exclusive, exclusive};
  return take(fd, &wish, deadline_ns);
}

int filelock_keep_writers_out(int fd, enum filelock_kind kind, int64_t deadline_ns) {
  const struct wish wish = {kind, false, true};
  return take(fd, &wish, deadline_ns);
}

void filelock_drop(int fd, enum filelock_kind kind) {
  if (kind == FILELOCK_FLOCK) {
    flock(fd, LOCK_UN);
    return;
  }
  struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
  fcntl(fd, F_OFD_SETLK, &whole);
}
