/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * keyhash.h - hashing of keys for tables in memory.
 *
 * Keys may come from strangers who would like them all in one slot: the hash of
 * each table depends on a number that nobody knows.
 */
#ifndef DICTUM_CORE_KEYHASH_H
#define DICTUM_CORE_KEYHASH_H

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/** A number for one table, from the system's source of chance. */
uint64_t keyhash_seed(void);

static inline uint64_t keyhash(const char *key, size_t len, uint64_t seed) {
  return XXH3_64bits_withSeed(key, len, seed);
}

#endif
