/* SPDX-License-Identifier: BSD-2-Clause */
/* sorter.h - sorts any number of records in bounded memory. */
#ifndef DICTUM_CORE_SORTER_H
#define DICTUM_CORE_SORTER_H

#include "runs.h"
#include "sort.h"

struct sorter;

enum {
  sorter_longest = INT32_MAX,
  sorter_most = INT32_MAX /* records in memory: more make a run */
};

/** @param prefix  numbers are sort_number_of() the keys
 * @param memory  bytes of records from which on they go to a temporary file; a single one may be
 *                larger. Their merge takes an eighth of it
 * @param folder  where that file is made; not copied
 * @return NULL when memory is out. */
struct sorter *sorter_new(bool prefix, size_t memory, const char *folder);
void sorter_free(struct sorter *sorter);

/** Copies a record, of which neither key nor value exceeds sorter_longest.
 * @return OK; CONFIG, RETRY as tempfile.h; NOMEM. */
dictum_status sorter_add(struct sorter *sorter, uint64_t order, const dictum_entry *entry,
                         dictum_dup dup, dictum_error *err);

/** Sorts: by number, then by bytes of the key, then as they came. No sorter_add() may follow.
 * @param all  every record will be looked at, and not only those that share a number */
dictum_status sorter_finish(struct sorter *sorter, bool all, dictum_error *err);

/** True when all records are in memory, where they stay until sorter_free(). */
bool sorter_is_in_memory(const struct sorter *sorter);

/** In memory, before sorter_finish(): all records, as they came. */
struct sort_ref *sorter_refs(const struct sorter *sorter, size_t *n);

/** The next record, or NULL after the last. Not in memory: until sorter_pop(). Of prefixes, *order
 * is some number, the same for equal keys. */
const struct record *sorter_peek(const struct sorter *sorter, uint64_t *order);
dictum_status sorter_pop(struct sorter *sorter, dictum_error *err);
/** Goes back to the beginning. */
dictum_status sorter_rewind(struct sorter *sorter, dictum_error *err);

/** In memory: what sorter_rewind() goes back to is what was kept, which was popped before, or taken
 * of sorter_refs() in their order.
 * @param order  its number from now on; sorter_resort() puts them in order again */
void sorter_keep(struct sorter *sorter, uint64_t order, const struct record *record);
dictum_status sorter_resort(struct sorter *sorter, dictum_error *err);

#endif
