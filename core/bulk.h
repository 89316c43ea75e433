/* SPDX-License-Identifier: BSD-2-Clause */
/* bulk.h - the whole new content of a table: gathered, made unique, and handed out in order. */
#ifndef DICTUM_CORE_BULK_H
#define DICTUM_CORE_BULK_H

#include "include/dictum_plugin.h"

struct bulk;

/** NULL when memory is out. */
struct bulk *bulk_new(void);
void bulk_free(struct bulk *bulk);

/** Copies one entry. @return OK; INVALID for one of 4 GiB or more; NOMEM. */
dictum_status bulk_add(struct bulk *bulk, const dictum_entry *entry, dictum_dup dup,
                       dictum_error *err);

/** A key that was dropped because it stood before. */
struct bulk_duplicate {
  dictum_key key;
  uint64_t line, first_line;
};

/** Settles equal keys. No bulk_add() may follow.
 * @param each  hears of every dropped DICTUM_DUP_REFUSE and DICTUM_DUP_ERROR, by line
 * @return OK; EXISTS when one of those was DICTUM_DUP_ERROR; NOMEM. */
dictum_status bulk_settle(struct bulk *bulk,
                          void (*each)(void *rock, const struct bulk_duplicate *duplicate),
                          void *rock, dictum_error *err);

/** How many entries are left. After bulk_settle(). */
uint64_t bulk_count(const struct bulk *bulk);

/** Hears how many of all entries have been handed out. */
typedef void bulk_progress(void *rock, uint64_t done, uint64_t total);

/** Orders the settled entries and makes them available through @p out, which lives as long as
 * @p bulk. Once.
 * @param order   DICTUM_ORDER_*
 * @param bucket  for ORDER_BUCKET
 * @param progress  NULL: nobody listens
 * @return OK; NOMEM. */
dictum_status bulk_order(struct bulk *bulk, uint32_t order,
                         uint64_t (*bucket)(void *rock, const char *key, size_t len, uint64_t n),
                         void *bucket_rock, bulk_progress *progress, void *progress_rock,
                         dictum_bulk **out, dictum_error *err);

#endif
