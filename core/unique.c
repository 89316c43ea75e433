/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unique.c - finds equal keys among records in memory, which stay in the order of their coming.
 *
 * A table of slots that hold the hash and the number of a record; the first free one from the place
 * of the hash on is taken. Records themselves, which lie anywhere, are looked at only when all of
 * the hash agrees. Places are all over the table, so each is fetched some records before its turn.
 */
#include "unique.h"

#include <stdlib.h>

#include "hugepages.h"
#include "runs.h"

enum { ahead = 16 };

struct slot {
  uint32_t hash, number; /* from 1 */
};

struct unique {
  size_t n, size;
  struct slot *slots;
};

struct unique *unique_new(size_t n) {
  struct unique *unique = malloc(sizeof *unique);
  if (!unique)
    return NULL;
  unique->n = n;
  unique->size = n + n / 2 + 1;
  unique->slots = calloc(unique->size, sizeof *unique->slots);
  if (!unique->slots) {
    free(unique);
    return NULL;
  }
  hugepages_ask(unique->slots, unique->size * sizeof *unique->slots);
  return unique;
}

void unique_free(struct unique *unique) {
  if (!unique)
    return;
  free(unique->slots);
  free(unique);
}

/* Spreads hashes evenly over the table, whose size is no power of two. */
static size_t place_of(const struct unique *unique, uint32_t hash) {
  return (size_t)((uint64_t)hash * unique->size >> 32);
}

size_t unique_first(struct unique *unique, const struct sort_ref *refs, size_t i) {
  if (i + ahead < unique->n)
    __builtin_prefetch(&unique->slots[place_of(unique, (uint32_t)refs[i + ahead].order)], 1);
  const uint32_t hash = (uint32_t)refs[i].order;
  for (size_t at = place_of(unique, hash);; at = at + 1 == unique->size ? 0 : at + 1) {
    struct slot *slot = &unique->slots[at];
    if (slot->number == 0) {
      *slot = (struct slot){hash, (uint32_t)i + 1};
      return i;
    }
    if (slot->hash == hash && record_same_key(refs[slot->number - 1].item, refs[i].item))
      return slot->number - 1;
  }
}
