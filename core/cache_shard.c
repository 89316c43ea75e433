/* SPDX-License-Identifier: BSD-2-Clause */
/* cache_shard.c - one part of what a cache has in memory. */
#include "cache_shard.h"

#include <stdlib.h>
#include <string.h>

void shard_init_locks(struct shard *shard) {
  pthread_condattr_t attr;
  pthread_mutex_init(&shard->mutex, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&shard->landed, &attr);
  pthread_condattr_destroy(&attr);
  atomic_store(&shard->busy, false);
}

/* In a child nobody will land what other threads of the parent had under way. */
void shard_adopt(struct shard *shard) {
  if (atomic_load(&shard->busy)) {
    shard->table = shard->queue = NULL;
    shard->bytes = 0;
  }
  for (struct entry *e = shard->table; e; e = e->hh.next)
    e->flight = NULL;
  shard_init_locks(shard);
}

void shard_enter(struct shard *shard) {
  pthread_mutex_lock(&shard->mutex);
  atomic_store_explicit(&shard->busy, true, memory_order_relaxed);
}

void shard_leave(struct shard *shard) {
  atomic_store_explicit(&shard->busy, false, memory_order_relaxed);
  pthread_mutex_unlock(&shard->mutex);
}

static size_t entry_bytes(const struct entry *e) {
  return sizeof *e + e->keylen + e->valuelen;
}

struct entry *shard_find(const struct place *place, const dictum_key *key) {
  struct entry *e = NULL;
  HASH_FIND_BYHASHVALUE(hh, place->shard->table, key->p, key->n, place->hash, e);
  return e;
}

static void entry_free(struct entry *e) {
  free(e->value);
  free(e);
}

void shard_discard(struct shard *shard, struct entry *e) {
  HASH_DELETE(hh, shard->table, e);
  DL_DELETE(shard->queue, e);
  shard->bytes -= entry_bytes(e);
  entry_free(e);
}

/* @return NULL when memory is out. */
struct entry *shard_insert(const struct place *place, const dictum_key *key) {
  struct entry *e = calloc(1, sizeof *e + key->n);
  if (!e)
    return NULL;
  e->keylen = key->n;
  memcpy(e->key, key->p, key->n);
  struct entry *added = e;
  HASH_ADD_KEYPTR_BYHASHVALUE(hh, place->shard->table, e->key, e->keylen, place->hash, added);
  /* uthash says by a NULL head handle that it had no memory. */
  if (!e->hh.tbl) {
    free(e);
    return NULL;
  }
  DL_PREPEND(place->shard->queue, e);
  place->shard->bytes += entry_bytes(e);
  return e;
}

/* Each entry gets one more chance at most, so that there is an end. */
void shard_make_room(struct shard *shard, size_t max_bytes) {
  struct entry *e = shard->queue ? shard->queue->prev : NULL; /* the last one */
  while (e && shard->bytes > max_bytes) {
    struct entry *before = e == shard->queue ? NULL : e->prev;
    if (e->used && before) {
      e->used = false;
      DL_DELETE(shard->queue, e);
      DL_PREPEND(shard->queue, e);
    } else if (!e->flight) {
      shard->counts.evictions += e->known;
      shard_discard(shard, e);
    }
    e = before;
  }
}

/* False when it is too large or memory is out; then nothing has changed. */
bool shard_set_answer(struct shard *shard, size_t max_bytes, struct entry *e, dictum_status status,
                      const dictum_key *value, int64_t stored_ns) {
  size_t len = status == DICTUM_OK ? value->n : 0;
  /* One answer must not drive out all others. */
  if (sizeof *e + e->keylen + len > max_bytes / 2)
    return false;
  char *copy = NULL;
  if (len > 0) {
    copy = malloc(len);
    if (!copy)
      return false;
    memcpy(copy, value->p, len);
  }
  free(e->value);
  shard->bytes = shard->bytes - e->valuelen + len;
  e->value = copy;
  e->valuelen = len;
  e->known = true;
  e->status = status;
  e->stored_ns = stored_ns;
  e->next_refresh_ns = 0;
  return true;
}
