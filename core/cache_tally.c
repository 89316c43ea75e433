/* SPDX-License-Identifier: BSD-2-Clause */
/* cache_tally.c - a small file beside a cache's store: counts of all processes, and the epoch. */
#include "cache_tally.h"

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

/* Others of this machine may add at the same time. @return the new epoch. */
static uint64_t change(const char *path, const struct cache_counts *more, uint64_t epochs) {
  int fd = open_tally(path, O_RDWR | O_CREAT);
  if (fd < 0)
    return 0;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  struct tally tally = {0};
  if (fcntl(fd, F_OFD_SETLKW, &lock) == 0) {
    tally = read_tally(fd);
    tally.epoch += epochs;
    tally.counts.hits += more->hits;
    tally.counts.negative_hits += more->negative_hits;
    tally.counts.misses += more->misses;
    tally.counts.stale += more->stale;
    tally.counts.refreshes += more->refreshes;
    tally.counts.evictions += more->evictions;
    if (pwrite(fd, &tally, sizeof tally, 0) != sizeof tally)
      tally.epoch = 0;
  }
  close(fd);
  return tally.epoch;
}

void cache_tally_add(const char *path, const struct cache_counts *more) {
  change(path, more, 0);
}

uint64_t cache_tally_flush(const char *path) {
  const struct cache_counts none = {0};
  return change(path, &none, 1);
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
