/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_write_hash.c - writes a new hash, page by page, as Berkeley DB would leave it.
 *
 * Records come bucket by bucket. All buckets exist from the beginning, each with
 * its page at the place that its number says; what does not fit goes to a chain
 * of pages behind them. On a page keys are in order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "bdb_pages.h"
#include "bdb_write.h"

enum {
  page_room = bdb_page_bytes - page_content,
  largest_item = bdb_page_bytes / 4, /* what is larger goes to a chain */
  least_record = 2 * (2 + 1),        /* two offsets, two types */
  most_records = page_room / least_record
};

/* A record as it will be on the page: both items, and where the second begins. */
struct staged {
  uint16_t at, key_size, size;
};

struct writer {
  struct bdb_pages pages;
  uint32_t buckets, bucket;
  uint32_t number, previous; /* the page under way; 0: none */
  bool alone;                /* what it has is to stay alone */
  unsigned n, used;
  struct staged records[most_records];
  uint16_t order[most_records]; /* of the records, by key */
  unsigned char staged[page_room];
};

/* ---- the page under way --------------------------------------------------------------------- */

/* The order of Berkeley DB: by bytes, and of two with the same beginning the longer first. */
static bool is_before(const struct writer *w, const struct staged *a, const struct staged *b) {
  unsigned n = a->key_size < b->key_size ? a->key_size : b->key_size;
  int order = memcmp(w->staged + a->at + 1, w->staged + b->at + 1, n - 1);
  return order < 0 || (order == 0 && a->key_size > b->key_size);
}

/* Puts the record that was staged last in its place. */
static void sort_in(struct writer *w) {
  const struct staged *last = &w->records[w->n];
  unsigned low = 0, high = w->n;
  while (low < high) {
    unsigned middle = (low + high) / 2;
    if (is_before(w, last, &w->records[w->order[middle]]))
      high = middle;
    else
      low = middle + 1;
  }
  memmove(w->order + low + 1, w->order + low, (w->n - low) * sizeof *w->order);
  w->order[low] = (uint16_t)w->n++;
}

static int write_page(struct writer *w, uint32_t next) {
  unsigned char page[bdb_page_bytes] = {0};
  unsigned at = bdb_page_bytes;
  bdb_page_begin(page, w->number, type_hash, 0);
  bdb_set_u32(page + page_previous, w->previous);
  bdb_set_u32(page + page_next, next);
  bdb_set_u16(page + page_items, 2 * w->n);
  for (unsigned i = 0; i < w->n; i++) {
    const struct staged *record = &w->records[w->order[i]];
    const unsigned value_size = record->size - record->key_size;
    at -= record->key_size;
    memcpy(page + at, w->staged + record->at, record->key_size);
    bdb_set_u16(page + page_content + 4 * i, at);
    at -= value_size;
    memcpy(page + at, w->staged + record->at + record->key_size, value_size);
    bdb_set_u16(page + page_content + 4 * i + 2, at);
  }
  bdb_set_u16(page + page_lowest, at);
  return bdb_pages_write(&w->pages, w->number, page);
}

static void begin_page(struct writer *w, uint32_t number, uint32_t previous) {
  w->number = number;
  w->previous = previous;
  w->n = w->used = 0;
  w->alone = false;
}

static int begin_bucket(struct writer *w, uint32_t bucket) {
  int error = w->number ? write_page(w, 0) : 0;
  w->bucket = bucket;
  begin_page(w, 1 + bucket, 0);
  return error;
}

/* Goes on with another page of the same bucket. */
static int continue_bucket(struct writer *w) {
  uint32_t next;
  int error = bdb_pages_take(&w->pages, &next);
  if (!error)
    error = write_page(w, next);
  begin_page(w, next, w->number);
  return error;
}

/* ---- records -------------------------------------------------------------------------------- */

static bool is_large(const struct writer *w, const dictum_key *bytes) {
  return bytes->n + w->pages.nul > largest_item;
}

static unsigned item_size(const struct writer *w, const dictum_key *bytes) {
  return is_large(w, bytes) ? chain_bytes : (unsigned)(1 + bytes->n + w->pages.nul);
}

static int stage_item(struct writer *w, const dictum_key *bytes) {
  unsigned char *at = w->staged + w->used;
  w->used += item_size(w, bytes);
  if (is_large(w, bytes)) {
    uint32_t first;
    memset(at, 0, chain_bytes);
    *at = item_chain;
    bdb_set_u32(at + chain_length, (uint32_t)(bytes->n + w->pages.nul));
    int error = bdb_pages_write_chain(&w->pages, bytes, w->pages.nul, &first);
    bdb_set_u32(at + chain_first, first);
    return error;
  }
  *at = item_here;
  if (bytes->n > 0)
    memcpy(at + 1, bytes->p, bytes->n);
  if (w->pages.nul)
    at[1 + bytes->n] = '\0';
  return 0;
}

static int add(struct writer *w, const dictum_rec *rec, uint32_t hash) {
  const uint32_t bucket = hash & (w->buckets - 1);
  /* Where among others a key belongs that is elsewhere could only be told by keeping it. */
  const bool alone = is_large(w, &rec->key);
  const unsigned size = item_size(w, &rec->key) + item_size(w, &rec->value);
  int error = 0;
  if (w->number == 0 || bucket != w->bucket)
    error = begin_bucket(w, bucket);
  else if (w->alone || alone || w->used + size + 4 * (w->n + 1) > page_room)
    error = continue_bucket(w);
  if (error)
    return error;
  w->alone = alone;
  w->records[w->n] = (struct staged){(uint16_t)w->used, (uint16_t)item_size(w, &rec->key),
                                     (uint16_t)size};
  error = stage_item(w, &rec->key);
  if (!error)
    error = stage_item(w, &rec->value);
  sort_in(w);
  return error;
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* All buckets have a page, also those that stay empty: of zeros, as Berkeley DB leaves them. */
static int make_room(const struct writer *w) {
  const off_t size = ((off_t)w->buckets + 1) * bdb_page_bytes;
  if (ftruncate(w->pages.fd, size) != 0)
    return errno;
  /* So that they lie in a row, though they are written in another order. */
  if (fallocate(w->pages.fd, 0, 0, size) != 0 && (errno == ENOSPC || errno == EDQUOT))
    return errno;
  return 0;
}

static int end(struct writer *w, const struct bdb_hash_size *size, uint64_t nrecs) {
  unsigned char meta[bdb_page_bytes] = {0};
  int error = w->number ? write_page(w, 0) : 0;
  if (error)
    return error;
  bdb_set_u32(meta + meta_max_bucket, w->buckets - 1);
  bdb_set_u32(meta + meta_high_mask, w->buckets - 1);
  bdb_set_u32(meta + meta_low_mask, (w->buckets >> 1) - 1);
  bdb_set_u32(meta + meta_fill_factor, size->each);
  bdb_set_u32(meta + meta_records, nrecs < UINT32_MAX ? (uint32_t)nrecs : UINT32_MAX);
  bdb_set_u32(meta + meta_test_hash, bdb_test_hash());
  for (unsigned i = 0; UINT32_C(1) << i <= w->buckets && i < 32; i++)
    bdb_set_u32(meta + meta_spares + 4 * i, 1);
  return bdb_pages_end(&w->pages, meta, magic_hash, type_hash_meta);
}

static int add_all(struct writer *w, const dictum_rec *recs, const uint64_t *buckets, size_t n) {
  int error = 0;
  for (size_t i = 0; i < n && !error; i++) {
    const dictum_key *key = &recs[i].key;
    error = add(w, &recs[i],
                buckets ? bdb_bucket_order((uint32_t)buckets[i])
                        : bdb_hash(key->p, key->n, w->pages.nul));
  }
  return error;
}

dictum_status bdb_write_hash(int fd, bool nul, dictum_bulk *bulk, int *error, dictum_error *err) {
  const struct bdb_hash_size size = bdb_hash_size(bulk->nrecs,
                                                  bulk->nbytes + nul * 2 * bulk->nrecs);
  struct writer *w = calloc(1, sizeof *w);
  *error = w ? bdb_pages_begin(&w->pages, fd, nul) : ENOMEM;
  dictum_status status = DICTUM_OK;
  if (!*error) {
    const dictum_rec *recs;
    size_t n;
    w->buckets = size.buckets;
    w->pages.next = w->buckets + 1;
    *error = make_room(w);
    while (!*error && (status = bulk->next(bulk, &recs, &n, err)) == DICTUM_OK)
      *error = add_all(w, recs, bulk->buckets, n);
    if (!*error && status == DICTUM_END)
      *error = end(w, &size, bulk->nrecs);
  }
  if (w)
    bdb_pages_free(&w->pages);
  free(w);
  return status == DICTUM_END ? DICTUM_OK : status;
}
