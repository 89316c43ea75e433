/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk.c - the whole new content of a table: gathered, made unique, and handed out in order.
 *
 * Entries are packed into large chunks as they come; what is sorted is an array
 * of small references to them. All of it is in memory: about 40 bytes an entry
 * beside its text.
 */
#include "bulk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "sort.h"

struct record {
  uint64_t line;
  uint32_t keylen, valuelen;
  uint8_t dup; /* dictum_dup, as asked by the one who added it */
  char bytes[];
};

struct chunk {
  struct chunk *next;
  size_t used, size;
  _Alignas(struct record) char bytes[];
};

enum { chunk_size = 1 << 20, handed_out_at_once = 512 };

struct bulk {
  dictum_bulk public; /* first: next() gets back to the rest by its address */
  struct chunk *chunks;
  struct sort_ref *refs;
  size_t n, capacity, next;
  bulk_progress *progress;
  void *progress_rock;
  dictum_rec window[handed_out_at_once];
};

struct bulk *bulk_new(void) {
  return calloc(1, sizeof(struct bulk));
}

void bulk_free(struct bulk *bulk) {
  if (!bulk)
    return;
  for (struct chunk *chunk = bulk->chunks, *next; chunk; chunk = next) {
    next = chunk->next;
    free(chunk);
  }
  free(bulk->refs);
  free(bulk);
}

/* Room for @p size bytes that stay where they are, or NULL. */
static void *allocate(struct bulk *bulk, size_t size) {
  size_t align = _Alignof(struct record);
  size = (size + align - 1) & ~(align - 1);
  struct chunk *chunk = bulk->chunks;
  if (!chunk || chunk->size - chunk->used < size) {
    size_t room = size > chunk_size ? size : chunk_size;
    chunk = malloc(sizeof *chunk + room);
    if (!chunk)
      return NULL;
    chunk->used = 0;
    chunk->size = room;
    chunk->next = bulk->chunks;
    bulk->chunks = chunk;
  }
  void *at = chunk->bytes + chunk->used;
  chunk->used += size;
  return at;
}

static bool grow(struct bulk *bulk) {
  if (bulk->n < bulk->capacity)
    return true;
  size_t capacity = bulk->capacity ? bulk->capacity * 2 : 4096;
  struct sort_ref *refs = reallocarray(bulk->refs, capacity, sizeof *refs);
  if (!refs)
    return false;
  bulk->refs = refs;
  bulk->capacity = capacity;
  return true;
}

dictum_status bulk_add(struct bulk *bulk, const dictum_entry *entry, dictum_dup dup,
                       dictum_error *err) {
  if (entry->keylen > UINT32_MAX / 2 || entry->valuelen > UINT32_MAX / 2)
    return error_set(err, DICTUM_INVALID, 0, "entry is too long");
  size_t size = sizeof(struct record) + entry->keylen + entry->valuelen;
  struct record *record = grow(bulk) ? allocate(bulk, size) : NULL;
  if (!record)
    return error_nomem(err);
  record->line = entry->line;
  record->keylen = (uint32_t)entry->keylen;
  record->valuelen = (uint32_t)entry->valuelen;
  record->dup = (uint8_t)dup;
  if (entry->keylen > 0)
    memcpy(record->bytes, entry->key, entry->keylen);
  if (entry->valuelen > 0)
    memcpy(record->bytes + entry->keylen, entry->value, entry->valuelen);
  bulk->refs[bulk->n++] = (struct sort_ref){0, record};
  return DICTUM_OK;
}

static const unsigned char *key_bytes(const void *item, size_t *len) {
  const struct record *record = item;
  *len = record->keylen;
  return (const unsigned char *)record->bytes;
}

static bool same_key(const struct record *a, const struct record *b) {
  return a->keylen == b->keylen && memcmp(a->bytes, b->bytes, a->keylen) == 0;
}

/* Records that were dropped with a word, with the one that they lost to. */
struct dropped {
  const struct record *record, *first;
};

struct drops {
  struct dropped *list;
  size_t n, capacity;
  bool error;         /* one of them must not be */
  bool out_of_memory; /* the list is not complete */
};

static void drop(struct drops *drops, const struct record *record, const struct record *first) {
  drops->error |= record->dup == DICTUM_DUP_ERROR;
  if (drops->n == drops->capacity) {
    size_t capacity = drops->capacity ? drops->capacity * 2 : 64;
    struct dropped *list = reallocarray(drops->list, capacity, sizeof *list);
    if (!list) {
      drops->out_of_memory = true;
      return;
    }
    drops->list = list;
    drops->capacity = capacity;
  }
  drops->list[drops->n++] = (struct dropped){record, first};
}

/* Which of the equal keys refs[from..to) stays; they stand in the order of their coming. */
static const struct record *settle_run(const struct sort_ref *refs, size_t from, size_t to,
                                       struct drops *drops) {
  const struct record *first = refs[from].item, *kept = first;
  for (size_t i = from + 1; i < to; i++) {
    const struct record *later = refs[i].item;
    if (later->dup == DICTUM_DUP_REPLACE)
      kept = later;
    else if (later->dup != DICTUM_DUP_IGNORE)
      drop(drops, later, first);
  }
  return kept;
}

/* Several entries may share a line, or have none: settle_run() found them in the order of their
 * keys, and a stable sort keeps that order within a line. */
static bool report(const struct drops *drops,
                   void (*each)(void *rock, const struct bulk_duplicate *duplicate), void *rock) {
  struct sort_ref *refs = reallocarray(NULL, drops->n * 2 + 1, sizeof *refs);
  if (!refs)
    return false;
  for (size_t i = 0; i < drops->n; i++)
    refs[i] = (struct sort_ref){drops->list[i].record->line, &drops->list[i]};
  sort_by_number(refs, drops->n, refs + drops->n);
  for (size_t i = 0; i < drops->n; i++) {
    const struct dropped *dropped = refs[i].item;
    const struct record *record = dropped->record;
    const struct bulk_duplicate duplicate = {
        {record->bytes, record->keylen}, record->line, dropped->first->line};
    each(rock, &duplicate);
  }
  free(refs);
  return true;
}

dictum_status bulk_settle(struct bulk *bulk,
                          void (*each)(void *rock, const struct bulk_duplicate *duplicate),
                          void *rock, dictum_error *err) {
  struct sort_ref *spare = reallocarray(NULL, bulk->n ? bulk->n : 1, sizeof *spare);
  if (!spare)
    return error_nomem(err);
  sort_by_bytes(bulk->refs, bulk->n, spare, key_bytes);
  free(spare);
  struct drops drops = {0};
  size_t kept = 0;
  for (size_t from = 0, to; from < bulk->n; from = to) {
    for (to = from + 1; to < bulk->n && same_key(bulk->refs[from].item, bulk->refs[to].item); to++)
      ;
    const struct record *record = settle_run(bulk->refs, from, to, &drops);
    bulk->public.nbytes += (uint64_t)record->keylen + record->valuelen;
    bulk->refs[kept++] = (struct sort_ref){0, record};
  }
  bulk->n = kept;
  bulk->public.nrecs = kept;
  bool complete = !drops.out_of_memory && (drops.n == 0 || report(&drops, each, rock));
  free(drops.list);
  if (!complete)
    return error_nomem(err);
  return drops.error ? error_set(err, DICTUM_EXISTS, 0, "duplicate entries") : DICTUM_OK;
}

uint64_t bulk_count(const struct bulk *bulk) {
  return bulk->n;
}

static dictum_status give(dictum_bulk *public, const dictum_rec **recs, size_t *n,
                          dictum_error *err) {
  (void)err;
  struct bulk *bulk = (struct bulk *)public;
  size_t left = bulk->n - bulk->next;
  *n = left < handed_out_at_once ? left : handed_out_at_once;
  *recs = bulk->window;
  if (bulk->progress)
    bulk->progress(bulk->progress_rock, bulk->next, bulk->n);
  if (*n == 0)
    return DICTUM_END;
  for (size_t i = 0; i < *n; i++) {
    const struct record *record = bulk->refs[bulk->next + i].item;
    bulk->window[i] = (dictum_rec){{record->bytes, record->keylen},
                                   {record->bytes + record->keylen, record->valuelen}};
  }
  bulk->next += *n;
  return DICTUM_OK;
}

dictum_status bulk_order(struct bulk *bulk, uint32_t order,
                         uint64_t (*bucket)(void *rock, const char *key, size_t len, uint64_t n),
                         void *bucket_rock, bulk_progress *progress, void *progress_rock,
                         dictum_bulk **out, dictum_error *err) {
  /* ORDER_ANY gets them by key too: they are sorted already. */
  bool by_bucket = order == DICTUM_ORDER_BUCKET && bucket;
  if (by_bucket || order == DICTUM_ORDER_SOURCE) {
    struct sort_ref *spare = reallocarray(NULL, bulk->n ? bulk->n : 1, sizeof *spare);
    if (!spare)
      return error_nomem(err);
    for (size_t i = 0; i < bulk->n; i++) {
      const struct record *record = bulk->refs[i].item;
      bulk->refs[i].order = by_bucket ? bucket(bucket_rock, record->bytes, record->keylen, bulk->n)
                                      : record->line - 1; /* 0, which is none, comes last */
    }
    sort_by_number(bulk->refs, bulk->n, spare);
    free(spare);
  }
  bulk->progress = progress;
  bulk->progress_rock = progress_rock;
  bulk->public.size = sizeof bulk->public;
  bulk->public.next = give;
  *out = &bulk->public;
  return DICTUM_OK;
}
