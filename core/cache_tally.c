/* SPDX-License-Identifier: BSD-2-Clause */
/* cache_tally.c - a small file beside a cache's store: counts of all processes, and the epoch. */
#include "cache_tally.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

/* The file, in the byte order of the machine: it is of no use elsewhere. */
struct tally {
  uint64_t magic, epoch;
  struct cache_counts counts;
};

static const uint64_t tally_magic = 0x31796c6c61744344; /* "DCtally1" on little endian */

static int open_tally(const char *path, int access) {
  return open(path, access | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
}

static struct tally read_tally(int fd) {
  struct tally tally;
  if (pread(fd, &tally, sizeof tally, 0) == sizeof tally && tally.magic == tally_magic)
    return tally;
  return (struct tally){.magic = tally_magic};
}

static bool lock_tally(int fd, bool waits) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int status;
  while ((status = fcntl(fd, waits ? F_OFD_SETLKW : F_OFD_SETLK, &lock)) != 0 && errno == EINTR)
    ;
  return status == 0;
}

/* Not left to close(): a child of a fork in between would hold it. */
static void unlock_tally(int fd) {
  struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
  fcntl(fd, F_OFD_SETLK, &lock);
}

/* Others of this machine may add at the same time; for who only adds it can wait.
 * @return the new epoch and one, so that it is never 0; 0 when nothing was done */
static uint64_t change(const char *path, const struct cache_counts *more, uint64_t epochs) {
  int fd = open_tally(path, O_RDWR | O_CREAT);
  if (fd < 0)
    return 0;
  uint64_t done = 0;
  if (lock_tally(fd, epochs > 0)) {
    struct tally tally = read_tally(fd);
    tally.epoch += epochs;
    tally.counts.hits += more->hits;
    tally.counts.negative_hits += more->negative_hits;
    tally.counts.misses += more->misses;
    tally.counts.stale += more->stale;
    tally.counts.refreshes += more->refreshes;
    tally.counts.evictions += more->evictions;
    if (pwrite(fd, &tally, sizeof tally, 0) == sizeof tally)
      done = tally.epoch + 1;
    unlock_tally(fd);
  }
  close(fd);
  return done;
}

bool cache_tally_add(const char *path, const struct cache_counts *more) {
  return change(path, more, 0) != 0;
}

uint64_t cache_tally_flush(const char *path) {
  const struct cache_counts none = {0};
  const uint64_t done = change(path, &none, 1);
  return done ? done - 1 : 0;
}

uint64_t cache_tally_read(const char *path, struct cache_counts *counts) {
  struct tally tally = {0};
  int fd = open_tally(path, O_RDONLY);
  if (fd >= 0) {
    tally = read_tally(fd);
    close(fd);
  }
  if (counts)
    *counts = tally.counts;
  return tally.epoch;
}
