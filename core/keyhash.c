/* SPDX-License-Identifier: BSD-2-Clause */
/* keyhash.c - hashing of keys for tables in memory. */
#include "keyhash.h"

#include <sys/random.h>
#include <time.h>

uint64_t keyhash_seed(void) {
  uint64_t seed;
  if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == sizeof seed)
    return seed;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return ((uint64_t)now.tv_nsec << 32) ^ (uint64_t)(uintptr_t)&seed;
}
