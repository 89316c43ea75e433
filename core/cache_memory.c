/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_memory.c - answers kept in memory, up to a size, and questions that are under way.
 *
 * The keys are spread over shards (cache_shard.h). An answer whose key is under
 * way is pinned: it is not thrown away before the flight has landed.
 */
#include "cache_memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cache_shard.h"
#include "error.h"
#include "forklock.h"
#include "keyhash.h"

enum { nshards = 16 };
/* After a refresh that failed, the next is not tried at once. */
static const int64_t refresh_pause_ns = 1000000000;

struct cache_memory {
  struct cache_times times;
  size_t shard_bytes;
  uint64_t seed;
  atomic_uint generation;
  struct forklock adoption;
  struct shard shards[nshards];
};

/* ---- locks, forks --------------------------------------------------------------------------- */

static void adopt_process(struct cache_memory *memory) {
  forklock_acquire(&memory->adoption);
  unsigned now = atomic_load(&fork_generation);
  if (atomic_load(&memory->generation) != now) {
    for (size_t i = 0; i < nshards; i++)
      shard_adopt(&memory->shards[i]);
    atomic_store_explicit(&memory->generation, now, memory_order_release);
  }
  forklock_release(&memory->adoption);
}

static void notice_fork(struct cache_memory *memory) {
  if (atomic_load_explicit(&memory->generation, memory_order_acquire) !=
      atomic_load_explicit(&fork_generation, memory_order_relaxed))
    adopt_process(memory);
}

static struct place enter_for(struct cache_memory *memory, const dictum_key *key) {
  notice_fork(memory);
  const uint64_t hash = keyhash(key->p, key->n, memory->seed);
  const struct place place = {&memory->shards[hash >> 60], (unsigned)hash};
  _Static_assert(nshards == 16, "four bits choose the shard");
  shard_enter(place.shard);
  return place;
}

/* ---- age ------------------------------------------------------------------------------------ */

static int64_t ttl_of(const struct cache_memory *memory, const struct entry *e) {
  return e->status == DICTUM_OK ? memory->times.ttl : memory->times.negative_ttl;
}

static bool is_fresh(const struct cache_memory *memory, const struct entry *e, int64_t now_ns) {
  return e->known && now_ns - e->stored_ns < ttl_of(memory, e);
}

static bool may_be_stale(const struct cache_memory *memory, const struct entry *e, int64_t now_ns) {
  if (!e->known)
    return false;
  int64_t beyond = e->status == DICTUM_OK ? memory->times.stale_ok : memory->times.stale_negative;
  return now_ns - e->stored_ns < ttl_of(memory, e) + beyond;
}

static bool wants_refresh(const struct cache_memory *memory, const struct entry *e,
                          int64_t now_ns) {
  return memory->times.refresh_ahead > 0 && !e->flight && now_ns >= e->next_refresh_ns &&
         now_ns - e->stored_ns >= ttl_of(memory, e) - memory->times.refresh_ahead;
}

static void answer(const struct entry *e, dictum_sink *sink, size_t i, uint32_t flags) {
  host_services.emit_at(sink, i, e->status, e->value, e->valuelen);
  sink->reqs[i].flags = flags;
}

static void count_hit(struct shard *shard, dictum_status status) {
  if (status == DICTUM_OK)
    shard->counts.hits++;
  else
    shard->counts.negative_hits++;
}

/* ---- flights -------------------------------------------------------------------------------- */

static void take_off(struct entry *e) {
  struct flight *flight = calloc(1, sizeof *flight);
  if (!flight)
    return;
  flight->refs = 1;
  e->flight = flight;
}

static void leave_flight(struct flight *flight) {
  if (--flight->refs == 0)
    free(flight);
}

/* The place is entered, and the entry not fresh or to be refreshed. */
static enum cache_find join_or_lead(const struct place *place, const dictum_key *key,
                                    struct entry *e, struct flight **flight) {
  if (e && e->flight) {
    e->flight->refs++;
    *flight = e->flight;
    return CACHE_JOIN;
  }
  if (e)
    e->used = true;
  else
    e = shard_insert(place, key);
  if (e)
    take_off(e);
  *flight = e ? e->flight : NULL;
  return CACHE_LEAD;
}

enum cache_find cache_memory_find(struct cache_memory *memory, const dictum_key *key,
                                  int64_t now_ns, dictum_sink *sink, size_t i,
                                  struct flight **flight) {
  const struct place place = enter_for(memory, key);
  struct entry *e = shard_find(&place, key);
  enum cache_find found = CACHE_HIT;
  *flight = NULL;
  if (!e || !is_fresh(memory, e, now_ns)) {
    found = join_or_lead(&place, key, e, flight);
  } else if (wants_refresh(memory, e, now_ns)) {
    take_off(e);
    *flight = e->flight;
    found = CACHE_REFRESH;
    place.shard->counts.refreshes++;
  } else {
    e->used = true;
    answer(e, sink, i, DICTUM_F_CACHED);
    count_hit(place.shard, e->status);
  }
  shard_leave(place.shard);
  return found;
}

static bool is_answer(dictum_status status) {
  return status == DICTUM_OK || status == DICTUM_NOTFOUND;
}

/* The flight is off the entry before anybody may make room. */
static void end_flight(struct shard *shard, struct entry *e, struct flight *flight,
                       dictum_status status, const dictum_error *why) {
  if (e && e->flight == flight)
    e->flight = NULL;
  flight->landed = true;
  flight->status = status;
  flight->why = (dictum_error)DICTUM_ERROR_INIT;
  if (why)
    error_copy(&flight->why, why);
  leave_flight(flight);
  pthread_cond_broadcast(&shard->landed);
}

bool cache_memory_land(struct cache_memory *memory, const dictum_key *key, struct flight *flight,
                       enum cache_origin origin, dictum_status status, const dictum_key *value,
                       int64_t stored_ns, const dictum_error *why) {
  const struct place place = enter_for(memory, key);
  if (origin == CACHE_FROM_STORE)
    count_hit(place.shard, status);
  else
    place.shard->counts.misses++;
  struct entry *e = shard_find(&place, key);
  bool keep = is_answer(status) && !(flight && flight->outdated);
  if (keep && !e)
    e = shard_insert(&place, key);
  keep = keep && e &&
         shard_set_answer(place.shard, memory->shard_bytes, e, status, value, stored_ns);
  if (!keep && e)
    e->next_refresh_ns = stored_ns + refresh_pause_ns;
  if (flight)
    end_flight(place.shard, e, flight, status, why);
  if (e && !e->known && !e->flight)
    shard_discard(place.shard, e);
  shard_make_room(place.shard, memory->shard_bytes);
  shard_leave(place.shard);
  return keep;
}

void cache_memory_keep(struct cache_memory *memory, const dictum_key *key, dictum_status status,
                       const dictum_key *value, int64_t stored_ns) {
  const struct place place = enter_for(memory, key);
  struct entry *e = shard_find(&place, key);
  bool newer = !e || !e->known || e->stored_ns < stored_ns;
  if (e && e->flight && e->flight->outdated) /* dropped, and read from the store before that */
    newer = false;
  if (newer && !e)
    e = shard_insert(&place, key);
  if (newer && e)
    (void)shard_set_answer(place.shard, memory->shard_bytes, e, status, value, stored_ns);
  if (e && !e->known && !e->flight)
    shard_discard(place.shard, e);
  shard_make_room(place.shard, memory->shard_bytes);
  shard_leave(place.shard);
}

/* False when the deadline has passed. */
static bool await(struct shard *shard, int64_t deadline_ns) {
  if (deadline_ns == 0)
    return pthread_cond_wait(&shard->landed, &shard->mutex) == 0;
  const struct timespec until = {.tv_sec = deadline_ns / 1000000000,
                                 .tv_nsec = deadline_ns % 1000000000};
  return pthread_cond_timedwait(&shard->landed, &shard->mutex, &until) != ETIMEDOUT;
}

dictum_status cache_memory_join(struct cache_memory *memory, const dictum_key *key,
                                struct flight *flight, int64_t deadline_ns, dictum_error *err) {
  const struct place place = enter_for(memory, key);
  bool in_time = true;
  while (!flight->landed && in_time) {
    /* A fork during the wait finds the shard whole. */
    atomic_store_explicit(&place.shard->busy, false, memory_order_relaxed);
    in_time = await(place.shard, deadline_ns);
    atomic_store_explicit(&place.shard->busy, true, memory_order_relaxed);
  }
  dictum_status status = DICTUM_RETRY;
  if (flight->landed)
    status = flight->status;
  if (is_answer(status))
    count_hit(place.shard, status);
  if (!flight->landed)
    error_set(err, DICTUM_RETRY, 0, "no answer in time to the same question of another thread");
  else if (!is_answer(status))
    error_copy(err, &flight->why);
  leave_flight(flight);
  shard_leave(place.shard);
  return status;
}

/* ---- the rest ------------------------------------------------------------------------------- */

enum cache_age cache_memory_salvage(struct cache_memory *memory, const dictum_key *key,
                                    int64_t now_ns, dictum_sink *sink, size_t i) {
  const struct place place = enter_for(memory, key);
  struct entry *e = shard_find(&place, key);
  enum cache_age age = CACHE_NONE;
  if (e && is_fresh(memory, e, now_ns)) {
    age = CACHE_FRESH;
    answer(e, sink, i, DICTUM_F_CACHED);
  } else if (e && may_be_stale(memory, e, now_ns)) {
    age = CACHE_STALE;
    answer(e, sink, i, DICTUM_F_CACHED | DICTUM_F_STALE);
    place.shard->counts.stale++;
    e->used = true;
  }
  shard_leave(place.shard);
  return age;
}

static void drop(struct shard *shard, struct entry *e) {
  if (!e->flight) {
    shard_discard(shard, e);
    return;
  }
  e->known = false;
  e->flight->outdated = true;
}

static void drop_all(struct shard *shard) {
  struct entry *e, *next;
  HASH_ITER(hh, shard->table, e, next)
  drop(shard, e);
}

void cache_memory_drop(struct cache_memory *memory, const dictum_key *key) {
  if (key) {
    const struct place place = enter_for(memory, key);
    struct entry *e = shard_find(&place, key);
    if (e)
      drop(place.shard, e);
    shard_leave(place.shard);
    return;
  }
  notice_fork(memory);
  for (size_t i = 0; i < nshards; i++) {
    shard_enter(&memory->shards[i]);
    drop_all(&memory->shards[i]);
    shard_leave(&memory->shards[i]);
  }
}

void cache_memory_count(struct cache_memory *memory, struct cache_counts *counts, uint64_t *entries,
                        uint64_t *bytes) {
  notice_fork(memory);
  *counts = (struct cache_counts){0};
  *entries = *bytes = 0;
  for (size_t i = 0; i < nshards; i++) {
    struct shard *shard = &memory->shards[i];
    shard_enter(shard);
    counts->hits += shard->counts.hits;
    counts->negative_hits += shard->counts.negative_hits;
    counts->misses += shard->counts.misses;
    counts->stale += shard->counts.stale;
    counts->refreshes += shard->counts.refreshes;
    counts->evictions += shard->counts.evictions;
    *entries += HASH_COUNT(shard->table);
    *bytes += shard->bytes;
    shard_leave(shard);
  }
}

struct cache_memory *cache_memory_new(const struct cache_times *times, size_t max_bytes) {
  struct cache_memory *memory = calloc(1, sizeof *memory);
  if (!memory)
    return NULL;
  memory->times = *times;
  memory->shard_bytes = max_bytes / nshards;
  memory->seed = keyhash_seed();
  atomic_init(&memory->generation, atomic_load(&fork_generation));
  forklock_init(&memory->adoption);
  for (size_t i = 0; i < nshards; i++)
    shard_init_locks(&memory->shards[i]);
  return memory;
}

void cache_memory_free(struct cache_memory *memory) {
  if (!memory)
    return;
  notice_fork(memory);
  for (size_t i = 0; i < nshards; i++) {
    struct shard *shard = &memory->shards[i];
    drop_all(shard);
    pthread_cond_destroy(&shard->landed);
    pthread_mutex_destroy(&shard->mutex);
  }
  forklock_destroy(&memory->adoption);
  free(memory);
}
