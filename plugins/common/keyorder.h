/* SPDX-License-Identifier: BSD-2-Clause */
/* keyorder.h - the order of keys, and that in which a batch of them is best looked up. */
#ifndef DICTUM_PLUGINS_KEYORDER_H
#define DICTUM_PLUGINS_KEYORDER_H

#include <dictum_plugin.h>
#include <string.h>

struct keyorder;

/** Where the table keeps a key: keys of near places are looked up one after the other. */
typedef uint64_t keyorder_place(const void *rock, const dictum_key *key);

/** Orders keys[from..n) so that mostly they rise by their place, which is what is needed to find
 * near ones together.
 * @param place  NULL: by their bytes
 * @return NULL when memory is out or there are too few: then their own order is as good. */
struct keyorder *keyorder_new(const dictum_key *keys, size_t from, size_t n, keyorder_place *place,
                              const void *rock);
/** Which key is @p i-th, for i from @p from on; @p i itself when @p order is NULL. */
size_t keyorder_at(const struct keyorder *order, size_t i);
void keyorder_free(struct keyorder *order);

/** memcmp() of keys; of two with the same beginning the shorter comes first. */
static inline int keyorder_compare(const dictum_key *a, const dictum_key *b) {
  size_t shared = a->n < b->n ? a->n : b->n;
  int order = shared ? memcmp(a->p, b->p, shared) : 0;
  return order ? order : a->n < b->n ? -1 : a->n > b->n;
}

/** The first eight bytes of a key as a number that sorts as the bytes do. */
uint64_t keyorder_prefix(const dictum_key *key);

#endif
