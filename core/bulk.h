/* SPDX-License-Identifier: BSD-2-Clause */
/* bulk.h - the whole new content of a table: gathered, made unique, and handed out in order. */
#ifndef DICTUM_CORE_BULK_H
#define DICTUM_CORE_BULK_H

#include "include/dictum_plugin.h"

struct bulk;

/** What is to be done with the entries. */
struct bulk_plan {
  uint32_t order; /**< DICTUM_ORDER_* */
  /** For ORDER_BUCKET. */
  uint64_t (*bucket)(void *rock, const char *key, size_t len);
  void *bucket_rock;
  uint64_t memory; /**< bytes, for all together; what is beyond goes to temporary files */
};

/** @param folder  for temporary files; copied
 * @return NULL when memory is out. */
struct bulk *bulk_new(const struct bulk_plan *plan, const char *folder);
void bulk_free(struct bulk *bulk);

/** Copies one entry. @return OK; INVALID for a key or value of 2 GiB or more; CONFIG, RETRY when
 * there is no room for a temporary file; NOMEM. */
dictum_status bulk_add(struct bulk *bulk, const dictum_entry *entry, dictum_dup dup,
                       dictum_error *err);

/** A key that was dropped because it stood before. */
struct bulk_duplicate {
  dictum_key key;
  uint64_t line, first_line;
};

/** Settles equal keys. No bulk_add() may follow.
 * @param each  hears of every dropped DICTUM_DUP_REFUSE and DICTUM_DUP_ERROR, by line, within one
 *              by bytes of the key, then as they came
 * @return OK; EXISTS when one of those was DICTUM_DUP_ERROR; CONFIG, RETRY; NOMEM. */
dictum_status bulk_settle(struct bulk *bulk,
                          void (*each)(void *rock, const struct bulk_duplicate *duplicate),
                          void *rock, dictum_error *err);

/** How many entries are left. After bulk_settle(). */
uint64_t bulk_count(const struct bulk *bulk);

/** Hears how many of all entries have been handed out. */
typedef void bulk_progress(void *rock, uint64_t done, uint64_t total);

/** Makes the settled entries available, in order, as long as @p bulk lives. Once.
 * @param progress  NULL: nobody listens */
dictum_bulk *bulk_hand_out(struct bulk *bulk, bulk_progress *progress, void *progress_rock);

#endif
