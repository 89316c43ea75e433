/* SPDX-License-Identifier: BSD-2-Clause */
/* runs.h - sorted runs of records in a temporary file, and their merge. */
#ifndef DICTUM_CORE_RUNS_H
#define DICTUM_CORE_RUNS_H

#include <stdbool.h>
#include "include/dictum_plugin.h"

/** An entry on its way to a table. Kept small, as there may be millions. */
struct record {
  uint64_t line : 62, dup : 2; /**< dup: dictum_dup, as asked by the one who added it */
  uint32_t keylen, valuelen;
  char bytes[]; /**< key, then value */
};

static inline size_t record_size(const struct record *record) {
  return sizeof *record + record->keylen + record->valuelen;
}

static inline bool record_same_key(const struct record *a, const struct record *b) {
  return a->keylen == b->keylen && __builtin_memcmp(a->bytes, b->bytes, a->keylen) == 0;
}

struct runs;

/** @param folder  where the temporary file is made; not copied
 * @param memory  bytes for the buffers of a merge
 * @return NULL when memory is out. */
struct runs *runs_new(const char *folder, size_t memory);
void runs_free(struct runs *runs);

/** Writes a run: begin, records in the order of their numbers, then of the bytes of their keys,
 * then of their coming, end. @return OK; CONFIG, RETRY as tempfile.h; NOMEM. */
dictum_status runs_begin(struct runs *runs, dictum_error *err);
dictum_status runs_put(struct runs *runs, uint64_t order, const struct record *record,
                       dictum_error *err);
dictum_status runs_end(struct runs *runs, dictum_error *err);

/** Goes to the beginning of all runs together, in the same order as within each; equal records of
 * an earlier run come first. As often as is wanted; no run may be written any more. */
dictum_status runs_rewind(struct runs *runs, dictum_error *err);
/** The next record, or NULL after the last; until runs_pop(). */
const struct record *runs_peek(const struct runs *runs, uint64_t *order);
/** Takes the next record away. */
dictum_status runs_pop(struct runs *runs, dictum_error *err);

#endif
