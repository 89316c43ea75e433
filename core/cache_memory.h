/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_memory.h - answers kept in memory, up to a size, and questions that are under way.
 *
 * Of many threads that miss the same key, one asks and the others wait for its
 * answer. Answers that were not used for long go first when room is
 * needed. Any number of threads; a forked child keeps what was whole at the
 * moment of the fork.
 */
#ifndef DICTUM_CORE_CACHE_MEMORY_H
#define DICTUM_CORE_CACHE_MEMORY_H

#include <stdbool.h>
#include "host.h"

struct cache_memory;
struct flight; /**< a question that is under way */

/** How long answers live, all in nanoseconds. */
struct cache_times {
  int64_t ttl, negative_ttl;
  int64_t stale_ok, stale_negative; /**< beyond that, while the source cannot tell; 0: never */
  int64_t refresh_ahead;            /**< of ttl's end; 0: never */
};

/** Numbers since the cache was opened. A hit is an answer that took no question to the source, a
 * miss one that did. */
struct cache_counts {
  uint64_t hits, negative_hits, misses, stale, refreshes, evictions;
};

/** @param max_bytes  of keys, values and what goes with them. NULL when memory is out. */
struct cache_memory *cache_memory_new(const struct cache_times *times, size_t max_bytes);
/** No thread may be inside. NULL is fine. */
void cache_memory_free(struct cache_memory *memory);

enum cache_find {
  CACHE_HIT,     /**< answered into the sink */
  CACHE_LEAD,    /**< the caller must ask, and cache_memory_land() */
  CACHE_REFRESH, /**< the same, ahead of time; a failure leaves the old answer good */
  CACHE_JOIN     /**< another thread is asking: cache_memory_join() */
};
/** Looks for key @p key and answers request @p i of @p sink when it is fresh at @p now_ns.
 * @param flight  receives the flight, for LEAD, REFRESH and JOIN, or NULL when memory is out: then
 *                the caller asks for itself alone */
enum cache_find cache_memory_find(struct cache_memory *memory, const dictum_key *key,
                                  int64_t now_ns, dictum_sink *sink, size_t i,
                                  struct flight **flight);

enum cache_origin { CACHE_FROM_SOURCE, CACHE_FROM_STORE };
/** Ends a flight of one's own: keeps the answer, when it is OK or NOTFOUND, and wakes those who
 * wait.
 * @param flight     as found; may be NULL
 * @param stored_ns  when the answer came from its source
 * @param why        the failure's text, or NULL
 * @return false when the answer was not kept: the key was dropped meanwhile, say. */
bool cache_memory_land(struct cache_memory *memory, const dictum_key *key, struct flight *flight,
                       enum cache_origin origin, dictum_status status, const dictum_key *value,
                       int64_t stored_ns, const dictum_error *why);

/** Keeps an answer that may be too old already, without ending the flight for its key. */
void cache_memory_keep(struct cache_memory *memory, const dictum_key *key, dictum_status status,
                       const dictum_key *value, int64_t stored_ns);

/** Waits for another's flight and leaves it.
 * @param deadline_ns  on CLOCK_MONOTONIC; 0: none
 * @return the answer's status, which is not its value; RETRY also when the deadline passed. */
dictum_status cache_memory_join(struct cache_memory *memory, const dictum_key *key,
                                struct flight *flight, int64_t deadline_ns, dictum_error *err);

enum cache_age { CACHE_NONE, CACHE_FRESH, CACHE_STALE };
/** Answers with what is there, if it is fresh or may still be used when the source cannot tell. */
enum cache_age cache_memory_salvage(struct cache_memory *memory, const dictum_key *key,
                                    int64_t now_ns, dictum_sink *sink, size_t i);

/** Drops one answer, or all when @p key is NULL. */
void cache_memory_drop(struct cache_memory *memory, const dictum_key *key);

/** Adds up. @p entries and @p bytes are those of now. */
void cache_memory_count(struct cache_memory *memory, struct cache_counts *counts, uint64_t *entries,
                        uint64_t *bytes);

#endif
