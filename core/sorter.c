/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sorter.c - sorts any number of records in bounded memory.
 *
 * Records are packed into large chunks as they come; what is sorted is an array
 * of small references to them. When both together reach the limit they become a
 * sorted run in a temporary file, and in the end all runs are merged.
 */
#include "sorter.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hugepages.h"

struct chunk {
  struct chunk *next;
  size_t used, size;
  _Alignas(struct record) char bytes[];
};

enum {
  first_chunk = 64 << 10, /* each is twice as large as the one before */
  most_chunk = huge_page,
  least_chunk = 4096,
  chunks_of_limit = 32, /* no more than this part of the limit is left unused */
  merge_share = 8,      /* this part of the limit is for buffers of a merge */
  ahead = 12            /* records lie anywhere: how far before its turn one is fetched */
};

struct sorter {
  bool prefix;
  size_t memory, used;
  size_t chunk_size, most_chunk; /* of the next one, and of all but those for large records */
  const char *folder;
  struct chunk *chunks, *empty; /* empty: to be used again */
  struct sort_ref *refs;
  size_t n, capacity;
  size_t next, kept; /* in memory: of refs */
  bool all;          /* in memory: each will be looked at */
  struct runs *runs; /* NULL: all is in memory */
};

struct sorter *sorter_new(bool prefix, size_t memory, const char *folder) {
  struct sorter *sorter = calloc(1, sizeof *sorter);
  if (!sorter)
    return NULL;
  sorter->prefix = prefix;
  sorter->memory = memory;
  sorter->folder = folder;
  size_t most = memory / chunks_of_limit;
  sorter->most_chunk = most > most_chunk ? most_chunk : most < least_chunk ? least_chunk : most;
  sorter->chunk_size = sorter->most_chunk < first_chunk ? sorter->most_chunk : first_chunk;
  return sorter;
}

static void free_chunks(struct chunk *chunk) {
  for (struct chunk *next; chunk; chunk = next) {
    next = chunk->next;
    free(chunk);
  }
}

/* Gives back all that is held for records in memory. */
static void release(struct sorter *sorter) {
  free_chunks(sorter->chunks);
  free_chunks(sorter->empty);
  free(sorter->refs);
  sorter->chunks = sorter->empty = NULL;
  sorter->refs = NULL;
  sorter->n = sorter->capacity = sorter->used = 0;
}

void sorter_free(struct sorter *sorter) {
  if (!sorter)
    return;
  release(sorter);
  runs_free(sorter->runs);
  free(sorter);
}

/* ---- gathering ------------------------------------------------------------------------------ */

/* How large a chunk will be that has room for @p size. */
static size_t next_chunk(const struct sorter *sorter, size_t size) {
  size += sizeof(struct chunk);
  return size > sorter->chunk_size ? size : sorter->chunk_size;
}

static struct chunk *allocate_chunk(struct sorter *sorter, size_t size) {
  const size_t whole = next_chunk(sorter, size);
  struct chunk *chunk = whole == huge_page ? aligned_alloc(huge_page, whole) : malloc(whole);
  if (!chunk)
    return NULL;
  hugepages_ask(chunk, whole);
  chunk->size = whole - sizeof *chunk;
  if (whole == sorter->chunk_size)
    sorter->chunk_size *= 2;
  if (sorter->chunk_size > sorter->most_chunk)
    sorter->chunk_size = sorter->most_chunk;
  return chunk;
}

static struct chunk *new_chunk(struct sorter *sorter, size_t size) {
  struct chunk *chunk;
  while ((chunk = sorter->empty) != NULL) {
    sorter->empty = chunk->next;
    if (size <= chunk->size)
      break;
    free(chunk);
  }
  if (!chunk)
    chunk = allocate_chunk(sorter, size);
  if (!chunk)
    return NULL;
  chunk->used = 0;
  chunk->next = sorter->chunks;
  sorter->chunks = chunk;
  sorter->used += sizeof *chunk + chunk->size;
  return chunk;
}

/* Room for @p size bytes that stay where they are, or NULL. */
static void *allocate(struct sorter *sorter, size_t size) {
  const size_t align = _Alignof(struct record);
  size = (size + align - 1) & ~(align - 1);
  struct chunk *chunk = sorter->chunks;
  if (!chunk || chunk->size - chunk->used < size)
    chunk = new_chunk(sorter, size);
  if (!chunk)
    return NULL;
  void *at = chunk->bytes + chunk->used;
  chunk->used += size;
  return at;
}

static bool grow(struct sorter *sorter) {
  if (sorter->n < sorter->capacity)
    return true;
  size_t capacity = sorter->capacity ? sorter->capacity * 2 : 64;
  struct sort_ref *refs = reallocarray(sorter->refs, capacity, sizeof *refs);
  if (!refs)
    return false;
  hugepages_ask(refs, capacity * sizeof *refs);
  sorter->refs = refs;
  sorter->capacity = capacity;
  return true;
}

/* Would one more record of @p size be too much? Sorting takes each reference twice. */
static bool is_full(const struct sorter *sorter, size_t size) {
  const struct chunk *chunk = sorter->chunks;
  if (sorter->n == 0)
    return false;
  if (sorter->n == sorter_most)
    return true;
  size_t used = sorter->used + (sorter->n + 1) * 2 * sizeof *sorter->refs;
  if (chunk->size - chunk->used < size + _Alignof(struct record))
    used += next_chunk(sorter, size);
  return used > sorter->memory;
}

/* ---- sorting -------------------------------------------------------------------------------- */

static const unsigned char *key_bytes(const void *item, size_t *len) {
  const struct record *record = item;
  *len = record->keylen;
  return (const unsigned char *)record->bytes;
}

static dictum_status sort_refs(struct sorter *sorter, bool prefix, dictum_error *err) {
  struct sort_ref *spare = reallocarray(NULL, sorter->n ? sorter->n : 1, sizeof *spare);
  if (!spare)
    return error_nomem(err);
  hugepages_ask(spare, sorter->n * sizeof *spare);
  sort_by_number_then_bytes(sorter->refs, sorter->n, spare, prefix, key_bytes);
  free(spare);
  return DICTUM_OK;
}

static void fetch(const struct sorter *sorter, size_t i) {
  if (i >= sorter->n)
    return;
  __builtin_prefetch(sorter->refs[i].item);
  __builtin_prefetch((const char *)sorter->refs[i].item + 64);
}

/* Keeps the chunks for what comes, but for those of records larger than usual. */
static void empty_chunks(struct sorter *sorter) {
  for (struct chunk *chunk = sorter->chunks, *next; chunk; chunk = next) {
    next = chunk->next;
    if (sizeof *chunk + chunk->size > sorter->most_chunk) {
      free(chunk);
      continue;
    }
    chunk->next = sorter->empty;
    sorter->empty = chunk;
  }
  sorter->chunks = NULL;
  sorter->used = 0;
  sorter->n = 0;
}

/* Makes a run of what is in memory. */
static dictum_status spill(struct sorter *sorter, dictum_error *err) {
  if (!sorter->runs && !(sorter->runs = runs_new(sorter->folder, sorter->memory / merge_share)))
    return error_nomem(err);
  dictum_status status = sort_refs(sorter, sorter->prefix, err);
  if (status == DICTUM_OK)
    status = runs_begin(sorter->runs, err);
  for (size_t i = 0; i < sorter->n && status == DICTUM_OK; i++) {
    const struct record *record = sorter->refs[i].item;
    fetch(sorter, i + ahead);
    const uint64_t order = sorter->prefix ? sort_number_of(record->bytes, record->keylen)
                                          : sorter->refs[i].order;
    status = runs_put(sorter->runs, order, record, err);
  }
  empty_chunks(sorter);
  return status == DICTUM_OK ? runs_end(sorter->runs, err) : status;
}

dictum_status sorter_add(struct sorter *sorter, uint64_t order, const dictum_entry *entry,
                         dictum_dup dup, dictum_error *err) {
  static const uint64_t last_line = (UINT64_C(1) << 62) - 1;
  size_t size = sizeof(struct record) + entry->keylen + entry->valuelen;
  dictum_status status = is_full(sorter, size) ? spill(sorter, err) : DICTUM_OK;
  if (status != DICTUM_OK)
    return status;
  struct record *record = grow(sorter) ? allocate(sorter, size) : NULL;
  if (!record)
    return error_nomem(err);
  record->line = (entry->line < last_line ? entry->line : last_line) & last_line;
  record->dup = dup & 3u;
  record->keylen = (uint32_t)entry->keylen;
  record->valuelen = (uint32_t)entry->valuelen;
  if (entry->keylen > 0)
    memcpy(record->bytes, entry->key, entry->keylen);
  if (entry->valuelen > 0)
    memcpy(record->bytes + entry->keylen, entry->value, entry->valuelen);
  sorter->refs[sorter->n++] = (struct sort_ref){order, record};
  return DICTUM_OK;
}

dictum_status sorter_finish(struct sorter *sorter, bool all, dictum_error *err) {
  sorter->all = all;
  if (!sorter->runs) {
    dictum_status status = sort_refs(sorter, sorter->prefix, err);
    return status == DICTUM_OK ? sorter_rewind(sorter, err) : status;
  }
  dictum_status status = sorter->n > 0 ? spill(sorter, err) : DICTUM_OK;
  release(sorter);
  return status == DICTUM_OK ? runs_rewind(sorter->runs, err) : status;
}

/* ---- the sorted records --------------------------------------------------------------------- */

bool sorter_is_in_memory(const struct sorter *sorter) {
  return !sorter->runs;
}

struct sort_ref *sorter_refs(const struct sorter *sorter, size_t *n) {
  *n = sorter->n;
  return sorter->refs;
}

const struct record *sorter_peek(const struct sorter *sorter, uint64_t *order) {
  if (sorter->runs)
    return runs_peek(sorter->runs, order);
  if (sorter->next == sorter->n)
    return NULL;
  *order = sorter->refs[sorter->next].order;
  return sorter->refs[sorter->next].item;
}

dictum_status sorter_pop(struct sorter *sorter, dictum_error *err) {
  if (sorter->runs)
    return runs_pop(sorter->runs, err);
  const size_t later = ++sorter->next + ahead;
  if (sorter->all ||
      (later + 1 < sorter->n && sorter->refs[later].order == sorter->refs[later + 1].order))
    fetch(sorter, later);
  return DICTUM_OK;
}

void sorter_keep(struct sorter *sorter, uint64_t order, const struct record *record) {
  sorter->refs[sorter->kept++] = (struct sort_ref){order, record};
}

dictum_status sorter_rewind(struct sorter *sorter, dictum_error *err) {
  if (sorter->runs)
    return runs_rewind(sorter->runs, err);
  if (sorter->kept > 0) {
    sorter->n = sorter->kept;
    sorter->all = true;
  }
  sorter->next = sorter->kept = 0;
  return DICTUM_OK;
}

dictum_status sorter_resort(struct sorter *sorter, dictum_error *err) {
  dictum_status status = sorter_rewind(sorter, err);
  return status == DICTUM_OK ? sort_refs(sorter, false, err) : status;
}
