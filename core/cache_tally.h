/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_tally.h - a small file beside a cache's store: counts of all processes, and the epoch.
 *
 * The epoch grows with each flush; a process that sees it grow forgets what it
 * has in memory. The file is opened for each use, so nothing is shared by a
 * fork. What cannot be read counts as zero, what cannot be written is lost:
 * answers do not depend on it.
 */
#ifndef DICTUM_CORE_CACHE_TALLY_H
#define DICTUM_CORE_CACHE_TALLY_H

#include "cache_memory.h"

/** Adds @p more to the counts in the file @p path. Does not wait for others.
 * @return whether it did */
bool cache_tally_add(const char *path, const struct cache_counts *more);
/** Reads the counts and returns the epoch. @p counts may be NULL. */
uint64_t cache_tally_read(const char *path, struct cache_counts *counts);
/** Begins a new epoch. @return it; 0 when that failed. */
uint64_t cache_tally_flush(const char *path);

#endif
