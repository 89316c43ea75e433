/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_shard.h - one part of what a cache has in memory: a lock, a hash table, a list in the order
 * in which entries are looked at when room is needed.
 *
 * What goes then is chosen as by the clock algorithm, or second chance: an entry that was used
 * since it was looked at last is kept once more. It comes close to the least recently used one, and
 * a hit writes to no entry but its own.
 *
 * All but the locking itself is for the one who holds the lock.
 */
#ifndef DICTUM_CORE_CACHE_SHARD_H
#define DICTUM_CORE_CACHE_SHARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The list would check itself with assert(), which ends the host. */
#define NDEBUG
/* A table that cannot grow stays as it is and gets slower; nothing is lost. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>
/* Each entry of a chain that is not the right one means a wait for memory. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 4U

#include "cache_memory.h"

struct flight {
  unsigned refs; /* the leader and those who wait */
  bool landed;
  bool outdated; /* the key was dropped since the question went out */
  dictum_status status;
  dictum_error why;
};

struct entry {
  UT_hash_handle hh;
  struct entry *prev, *next; /* that which is looked at last comes first */
  struct flight *flight;     /* under way, or NULL */
  bool used;                 /* since it was looked at last */
  bool known;                /* there is an answer; else there is only a flight */
  dictum_status status;      /* OK or NOTFOUND */
  int64_t stored_ns, next_refresh_ns;
  char *value;
  size_t valuelen, keylen;
  char key[];
};

struct shard {
  pthread_mutex_t mutex;
  pthread_cond_t landed;
  atomic_bool busy; /* some thread is inside: what a fork finds then is not whole */
  struct entry *table, *queue;
  size_t bytes;
  struct cache_counts counts;
};

/** A key where it belongs, with the shard's lock held. */
struct place {
  struct shard *shard;
  unsigned hash;
};

void shard_init_locks(struct shard *shard);
/** In a child: makes the locks anew, and keeps what was whole at the moment of the fork. */
void shard_adopt(struct shard *shard);
void shard_enter(struct shard *shard);
void shard_leave(struct shard *shard);

/** NULL when it is not there. */
struct entry *shard_find(const struct place *place, const dictum_key *key);
/** A new entry, without an answer. NULL when memory is out. */
struct entry *shard_insert(const struct place *place, const dictum_key *key);
void shard_discard(struct shard *shard, struct entry *e);
/** Gives @p e an answer. False when that is too large or memory is out; then nothing has changed.
 */
bool shard_set_answer(struct shard *shard, size_t max_bytes, struct entry *e, dictum_status status,
                      const dictum_key *value, int64_t stored_ns);
/** Discards entries that were not used for long until the rest is within @p max_bytes. Those under
 * way stay. */
void shard_make_room(struct shard *shard, size_t max_bytes);

#endif
