/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bulk.c - the whole new content of a table: gathered, made unique, and handed out in order.
 *
 * Entries are sorted once, in the order in which the table wants them; equal
 * keys are then neighbours. Only the order of the source does not bring them
 * together: there, a table of hashes finds them, or, when they are not in memory,
 * they are sorted by a hash of the key first. What is dropped with a word is
 * sorted by line, to be told in that order.
 *
 * How many entries are left must be known before the first is handed out. When
 * they are not in memory, the merge of the runs is therefore made twice, which
 * costs less than to write and read them once more.
 */
#include "bulk.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "keyhash.h"
#include "sort.h"
#include "sorter.h"
#include "unique.h"

enum {
  handed_out_at_once = 512,
  copied_at_once = 64 * 1024 /* bytes of records that do not stay in memory */
};

/* A record that the next step might take away: a copy, or itself when it stays in memory. */
struct held {
  const struct record *record;
  uint64_t order;
  void *copy;
  size_t size;
};

struct bulk {
  dictum_bulk public; /* first: next() gets back to the rest by its address */
  struct bulk_plan plan;
  uint64_t seed;
  struct sorter *sorter;
  struct sorter *drops; /* dropped with a word: numbered by line, the value is the first's line */
  bool error;           /* one of them must not be */
  uint64_t done;
  bulk_progress *progress;
  void *progress_rock;
  struct held kept;
  bool kept_waits; /* `kept` did not fit in what was handed out last */
  char *copies;
  size_t copies_size;
  dictum_rec window[handed_out_at_once];
  uint64_t numbers[handed_out_at_once];
  char folder[];
};

/* Of the limit. The rest is the plugin's, and what a process takes anyway. */
static size_t records_share(const struct bulk *bulk) {
  uint64_t share = bulk->plan.memory / 16 * 11;
  return share < SIZE_MAX ? (size_t)share : SIZE_MAX;
}

static size_t drops_share(const struct bulk *bulk) {
  return records_share(bulk) / 11;
}

static bool by_bytes(const struct bulk *bulk) {
  /* ORDER_ANY, too: a table that has no wish may still be faster with neighbours. */
  return bulk->plan.order == DICTUM_ORDER_BYTES || bulk->plan.order == DICTUM_ORDER_ANY;
}

struct bulk *bulk_new(const struct bulk_plan *plan, const char *folder) {
  size_t folder_size = strlen(folder) + 1;
  struct bulk *bulk = calloc(1, sizeof *bulk + folder_size);
  if (!bulk)
    return NULL;
  memcpy(bulk->folder, folder, folder_size);
  bulk->plan = *plan;
  bulk->seed = keyhash_seed();
  bulk->sorter = sorter_new(by_bytes(bulk), records_share(bulk), bulk->folder);
  bulk->drops = sorter_new(false, drops_share(bulk), bulk->folder);
  if (bulk->sorter && bulk->drops)
    return bulk;
  bulk_free(bulk);
  return NULL;
}

void bulk_free(struct bulk *bulk) {
  if (!bulk)
    return;
  sorter_free(bulk->sorter);
  sorter_free(bulk->drops);
  free(bulk->kept.copy);
  free(bulk->copies);
  free(bulk);
}

static uint64_t number_of(const struct bulk *bulk, const char *key, size_t len) {
  if (by_bytes(bulk))
    return sort_number_of(key, len);
  if (bulk->plan.order == DICTUM_ORDER_BUCKET)
    return bulk->plan.bucket(bulk->plan.bucket_rock, key, len);
  return keyhash(key, len, bulk->seed) >> 32; /* of 32 bits, which are sorted in half the time */
}

/* Unknown lines are 0, and come last. */
static uint64_t number_of_line(const struct record *record) {
  return (uint64_t)record->line - 1;
}

dictum_status bulk_add(struct bulk *bulk, const dictum_entry *entry, dictum_dup dup,
                       dictum_error *err) {
  if (entry->keylen > sorter_longest || entry->valuelen > sorter_longest)
    return error_set(err, DICTUM_INVALID, 0, "entry is too long");
  dictum_status status = sorter_add(bulk->sorter, number_of(bulk, entry->key, entry->keylen), entry,
                                    dup, err);
  if (status != DICTUM_OK)
    return status;
  bulk->public.nrecs++;
  bulk->public.nbytes += (uint64_t)entry->keylen + entry->valuelen;
  return DICTUM_OK;
}

/* ---- equal keys ----------------------------------------------------------------------------- */

static dictum_status hold(const struct bulk *bulk, struct held *held, uint64_t order,
                          const struct record *record, dictum_error *err) {
  held->order = order;
  held->record = record;
  if (sorter_is_in_memory(bulk->sorter))
    return DICTUM_OK;
  size_t size = record_size(record);
  if (size > held->size) {
    void *copy = realloc(held->copy, size * 2);
    if (!copy)
      return error_nomem(err);
    held->copy = copy;
    held->size = size * 2;
  }
  memcpy(held->copy, record, size);
  held->record = held->copy;
  return DICTUM_OK;
}

static void lose(struct bulk *bulk, const struct record *record) {
  bulk->public.nrecs--;
  bulk->public.nbytes -= (uint64_t)record->keylen + record->valuelen;
}

/* Notes what is to be told. */
static dictum_status drop(struct bulk *bulk, const struct record *record, uint64_t first_line,
                          dictum_error *err) {
  if (record->dup == DICTUM_DUP_IGNORE)
    return DICTUM_OK;
  const dictum_entry dropped = {record->bytes, record->keylen, (const char *)&first_line,
                                sizeof first_line, record->line};
  bulk->error |= record->dup == DICTUM_DUP_ERROR;
  return sorter_add(bulk->drops, record->line, &dropped, DICTUM_DUP_REFUSE, err);
}

/* What becomes of @p later, whose key was there before. @p tell: this is the first time round. */
static dictum_status settle_one(struct bulk *bulk, uint64_t order, const struct record *later,
                                uint64_t first_line, bool tell, dictum_error *err) {
  const bool replaces = later->dup == DICTUM_DUP_REPLACE;
  if (tell)
    lose(bulk, replaces ? bulk->kept.record : later);
  if (replaces)
    return hold(bulk, &bulk->kept, order, later, err);
  return tell ? drop(bulk, later, first_line, err) : DICTUM_OK;
}

/* Takes the next key and its equals, which stand in the order of their coming; `kept` is the one
 * that stays. @return OK; END; any failure. */
static dictum_status next_key(struct bulk *bulk, bool tell, dictum_error *err) {
  uint64_t order;
  const struct record *record = sorter_peek(bulk->sorter, &order);
  if (!record)
    return DICTUM_END;
  dictum_status status = hold(bulk, &bulk->kept, order, record, err);
  uint64_t first_line = 0;
  for (bool first = true; status == DICTUM_OK; first = false) {
    status = sorter_pop(bulk->sorter, err);
    if (status != DICTUM_OK)
      break;
    /* Most end here, without a look at the record, which costs time. */
    record = sorter_peek(bulk->sorter, &order);
    if (!record || order != bulk->kept.order || !record_same_key(record, bulk->kept.record))
      break;
    if (first)
      first_line = bulk->kept.record->line;
    status = settle_one(bulk, order, record, first_line, tell, err);
  }
  return status;
}

/* ---- settling ------------------------------------------------------------------------------- */

static dictum_entry entry_of(const struct record *record) {
  return (dictum_entry){record->bytes, record->keylen, record->bytes + record->keylen,
                        record->valuelen, record->line};
}

static dictum_status report(struct bulk *bulk,
                            void (*each)(void *rock, const struct bulk_duplicate *duplicate),
                            void *rock, dictum_error *err) {
  const struct record *record;
  uint64_t order;
  dictum_status status = sorter_finish(bulk->drops, true, err);
  while (status == DICTUM_OK && (record = sorter_peek(bulk->drops, &order)) != NULL) {
    struct bulk_duplicate duplicate = {{record->bytes, record->keylen}, record->line, 0};
    memcpy(&duplicate.first_line, record->bytes + record->keylen, sizeof duplicate.first_line);
    each(rock, &duplicate);
    status = sorter_pop(bulk->drops, err);
  }
  sorter_free(bulk->drops);
  bulk->drops = NULL;
  return status;
}

/* Each key once. @p by_line: where the kept ones go that do not stay where they are, or NULL. */
static dictum_status settle_keys(struct bulk *bulk, struct sorter *by_line, dictum_error *err) {
  const bool in_memory = sorter_is_in_memory(bulk->sorter);
  dictum_status status;
  while ((status = next_key(bulk, true, err)) == DICTUM_OK) {
    const struct held *kept = &bulk->kept;
    if (in_memory) {
      sorter_keep(bulk->sorter, kept->order, kept->record);
      continue;
    }
    if (!by_line)
      continue;
    const dictum_entry entry = entry_of(kept->record);
    status = sorter_add(by_line, number_of_line(kept->record), &entry, DICTUM_DUP_REPLACE, err);
    if (status != DICTUM_OK)
      return status;
  }
  return status == DICTUM_END ? DICTUM_OK : status;
}

/* The records in the order of their lines, each key once, where they were by hash of it. */
static dictum_status settle_by_line(struct bulk *bulk, dictum_error *err) {
  struct sorter *by_line = sorter_new(false, records_share(bulk), bulk->folder);
  if (!by_line)
    return error_nomem(err);
  dictum_status status = sorter_finish(bulk->sorter, true, err);
  if (status == DICTUM_OK)
    status = settle_keys(bulk, by_line, err);
  sorter_free(bulk->sorter);
  bulk->sorter = by_line;
  return status == DICTUM_OK ? sorter_finish(by_line, true, err) : status;
}

/* Where no sort brings equal keys together: `order` of each reference that was looked at becomes
 * the number of the one that stays, for the first of a key, and for those behind their own if they
 * stay. So those that stay have their own number. */
static dictum_status settle_behind(struct bulk *bulk, struct sort_ref *refs, size_t first, size_t i,
                                   dictum_error *err) {
  const struct record *later = refs[i].item;
  refs[i].order = first;
  if (later->dup != DICTUM_DUP_REPLACE) {
    lose(bulk, later);
    return drop(bulk, later, ((const struct record *)refs[first].item)->line, err);
  }
  const size_t before = (size_t)refs[first].order;
  lose(bulk, refs[before].item);
  refs[before].order = first;
  refs[first].order = refs[i].order = i;
  return DICTUM_OK;
}

static dictum_status settle_where_they_are(struct bulk *bulk, struct sort_ref *refs, size_t n,
                                           dictum_error *err) {
  struct unique *unique = unique_new(n);
  if (!unique)
    return error_nomem(err);
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < n && status == DICTUM_OK; i++) {
    const size_t first = unique_first(unique, refs, i);
    if (first == i)
      refs[i].order = i;
    else
      status = settle_behind(bulk, refs, first, i, err);
  }
  unique_free(unique);
  return status;
}

/* All in memory, and to be in the order of their lines, in which most came. */
static dictum_status settle_in_memory(struct bulk *bulk, dictum_error *err) {
  size_t n;
  struct sort_ref *refs = sorter_refs(bulk->sorter, &n);
  dictum_status status = settle_where_they_are(bulk, refs, n, err);
  if (status != DICTUM_OK)
    return status;
  for (size_t i = 0; i < n; i++)
    if (refs[i].order == i)
      sorter_keep(bulk->sorter, number_of_line(refs[i].item), refs[i].item);
  return sorter_resort(bulk->sorter, err);
}

static dictum_status settle_by_order(struct bulk *bulk, dictum_error *err) {
  dictum_status status = sorter_finish(bulk->sorter, false, err);
  if (status == DICTUM_OK)
    status = settle_keys(bulk, NULL, err);
  return status == DICTUM_OK ? sorter_rewind(bulk->sorter, err) : status;
}

static dictum_status settle(struct bulk *bulk, dictum_error *err) {
  if (bulk->plan.order != DICTUM_ORDER_SOURCE)
    return settle_by_order(bulk, err);
  return sorter_is_in_memory(bulk->sorter) ? settle_in_memory(bulk, err)
                                           : settle_by_line(bulk, err);
}

dictum_status bulk_settle(struct bulk *bulk,
                          void (*each)(void *rock, const struct bulk_duplicate *duplicate),
                          void *rock, dictum_error *err) {
  dictum_status status = settle(bulk, err);
  if (status == DICTUM_OK)
    status = report(bulk, each, rock, err);
  if (status != DICTUM_OK)
    return status;
  return bulk->error ? error_set(err, DICTUM_EXISTS, 0, "duplicate entries") : DICTUM_OK;
}

uint64_t bulk_count(const struct bulk *bulk) {
  return bulk->public.nrecs;
}

/* ---- handing out ---------------------------------------------------------------------------- */

static dictum_rec rec_of(const char *bytes, const struct record *record) {
  return (dictum_rec){{bytes, record->keylen}, {bytes + record->keylen, record->valuelen}};
}

static dictum_status give_from_memory(struct bulk *bulk, size_t *n, dictum_error *err) {
  const struct record *record;
  uint64_t order;
  (void)err;
  for (*n = 0; *n < handed_out_at_once; ++*n) {
    record = sorter_peek(bulk->sorter, &order);
    if (!record)
      break;
    bulk->window[*n] = rec_of(record->bytes, record);
    bulk->numbers[*n] = order;
    sorter_pop(bulk->sorter, err);
  }
  return DICTUM_OK;
}

/* Copies `kept` behind the others. *fits is false when there is no room; one always has it. */
static dictum_status copy_kept(struct bulk *bulk, size_t *used, bool *fits, dictum_error *err) {
  const struct record *record = bulk->kept.record;
  const size_t size = (size_t)record->keylen + record->valuelen;
  *fits = *used + size <= bulk->copies_size;
  if (!*fits && *used == 0) {
    size_t room = size > copied_at_once ? size : copied_at_once;
    free(bulk->copies);
    bulk->copies = malloc(room);
    bulk->copies_size = bulk->copies ? room : 0;
    if (!bulk->copies)
      return error_nomem(err);
    *fits = true;
  }
  if (*fits)
    memcpy(bulk->copies + *used, record->bytes, size);
  return DICTUM_OK;
}

static dictum_status give_copies(struct bulk *bulk, size_t *n, dictum_error *err) {
  size_t used = 0;
  for (*n = 0; *n < handed_out_at_once; ++*n) {
    dictum_status status = bulk->kept_waits ? DICTUM_OK : next_key(bulk, false, err);
    if (status != DICTUM_OK)
      return status == DICTUM_END ? DICTUM_OK : status;
    bool fits;
    status = copy_kept(bulk, &used, &fits, err);
    bulk->kept_waits = !fits;
    if (status != DICTUM_OK || !fits)
      return status;
    bulk->window[*n] = rec_of(bulk->copies + used, bulk->kept.record);
    bulk->numbers[*n] = bulk->kept.order;
    used += (size_t)bulk->kept.record->keylen + bulk->kept.record->valuelen;
  }
  return DICTUM_OK;
}

static dictum_status give(dictum_bulk *public, const dictum_rec **recs, size_t *n,
                          dictum_error *err) {
  struct bulk *bulk = (struct bulk *)public;
  if (bulk->progress)
    bulk->progress(bulk->progress_rock, bulk->done, bulk->public.nrecs);
  *recs = bulk->window;
  dictum_status status = sorter_is_in_memory(bulk->sorter) ? give_from_memory(bulk, n, err)
                                                           : give_copies(bulk, n, err);
  if (status != DICTUM_OK)
    return status;
  bulk->done += *n;
  return *n > 0 ? DICTUM_OK : DICTUM_END;
}

dictum_bulk *bulk_hand_out(struct bulk *bulk, bulk_progress *progress, void *progress_rock) {
  bulk->progress = progress;
  bulk->progress_rock = progress_rock;
  bulk->public.size = sizeof bulk->public;
  bulk->public.next = give;
  bulk->public.buckets = bulk->plan.order == DICTUM_ORDER_BUCKET ? bulk->numbers : NULL;
  return &bulk->public;
}
