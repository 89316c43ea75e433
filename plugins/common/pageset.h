/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pageset.h - which pages of a mapped file were looked at as a whole and found sound.
 *
 * Looking costs more than searching. A page need not be looked at again as long
 * as the file is the same, which is for who keeps the set to find out. Whoever
 * reads a page still stays within it, whatever the set says.
 */
#ifndef DICTUM_PLUGINS_PAGESET_H
#define DICTUM_PLUGINS_PAGESET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** Starts as {0}. One thread at a time. */
struct pageset {
  uint64_t *bits;
  size_t pages; /**< numbers below this have a bit */
};

/** Forgets all pages, and makes room for those below @p pages; without memory, for none. */
static inline void pageset_reset(struct pageset *set, size_t pages) {
  if (pages > set->pages || pages < set->pages / 4) {
    free(set->bits);
    set->bits = calloc(pages / 64 + 1, sizeof *set->bits);
    set->pages = set->bits ? pages : 0;
  } else if (set->bits) {
    memset(set->bits, 0, (set->pages / 64 + 1) * sizeof *set->bits);
  }
}

static inline void pageset_free(struct pageset *set) {
  free(set->bits);
  *set = (struct pageset){0};
}

/** @param set  NULL: an empty one that stays so */
static inline bool pageset_has(const struct pageset *set, size_t page) {
  return set && page < set->pages && (set->bits[page / 64] >> page % 64 & 1);
}

static inline void pageset_add(struct pageset *set, size_t page) {
  if (set && page < set->pages)
    set->bits[page / 64] |= UINT64_C(1) << page % 64;
}

#endif
