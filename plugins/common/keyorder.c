/* SPDX-License-Identifier: BSD-2-Clause */
/* keyorder.c - the order of keys, and that in which a batch of them is best looked up. */
#include "keyorder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct ranked {
  uint64_t place;
  size_t key;
};

struct keyorder {
  size_t from;
  struct ranked *ranked;
  struct ranked room[]; /* twice as many as are ranked */
};

/* ---- places --------------------------------------------------------------------------------- */

static size_t shared_length(const dictum_key *a, const dictum_key *b, size_t most) {
  size_t n = 0;
  most = most < a->n ? most : a->n;
  most = most < b->n ? most : b->n;
  while (n < most && a->p[n] == b->p[n])
    n++;
  return n;
}

/* Eight bytes behind what all keys begin with, as a number that sorts as they do. */
static void place_by_bytes(const dictum_key *keys, size_t n, struct ranked *ranked) {
  size_t shared = keys[0].n;
  for (size_t i = 1; i < n && shared > 0; i++)
    shared = shared_length(&keys[0], &keys[i], shared);
  for (size_t i = 0; i < n; i++) {
    const dictum_key rest = {keys[i].p + shared, keys[i].n - shared};
    ranked[i].place = keyorder_prefix(&rest);
  }
}

/* ---- sorting -------------------------------------------------------------------------------- */

/* One counting pass over byte @p shift / 8. @return false when it is the same in all. */
static bool pass(const struct ranked *from, size_t n, struct ranked *to, unsigned shift) {
  size_t start[256] = {0};
  for (size_t i = 0; i < n; i++)
    start[from[i].place >> shift & 0xff]++;
  if (start[from[0].place >> shift & 0xff] == n)
    return false;
  for (size_t b = 0, sum = 0; b < 256; b++) {
    size_t count = start[b];
    start[b] = sum;
    sum += count;
  }
  for (size_t i = 0; i < n; i++)
    to[start[from[i].place >> shift & 0xff]++] = from[i];
  return true;
}

/* @return where the sorted ones are: at @p list or at @p spare */
static struct ranked *sort(struct ranked *list, size_t n, struct ranked *spare) {
  for (unsigned shift = 0; shift < 64; shift += 8)
    if (pass(list, n, spare, shift)) {
      struct ranked *swap = list;
      list = spare;
      spare = swap;
    }
  return list;
}

/* Of fewer, counting takes longer than what is gained. */
enum { few = 64 };

struct keyorder *keyorder_new(const dictum_key *keys, size_t from, size_t n, keyorder_place *place,
                              const void *rock) {
  size_t count = from < n ? n - from : 0, bytes;
  if (count < few || __builtin_mul_overflow(count, 2 * sizeof(struct ranked), &bytes) ||
      __builtin_add_overflow(bytes, sizeof(struct keyorder), &bytes))
    return NULL;
  struct keyorder *order = malloc(bytes);
  if (!order)
    return NULL;
  order->from = from;
  if (!place)
    place_by_bytes(keys + from, count, order->room);
  for (size_t i = 0; i < count; i++) {
    order->room[i].key = from + i;
    if (place)
      order->room[i].place = place(rock, &keys[from + i]);
  }
  order->ranked = sort(order->room, count, order->room + count);
  return order;
}

size_t keyorder_at(const struct keyorder *order, size_t i) {
  return order ? order->ranked[i - order->from].key : i;
}

void keyorder_free(struct keyorder *order) {
  free(order);
}

uint64_t keyorder_prefix(const dictum_key *key) {
  unsigned char part[8] = {0};
  uint64_t prefix = 0;
  if (key->n > 0)
    memcpy(part, key->p, key->n < sizeof part ? key->n : sizeof part);
  for (size_t i = 0; i < sizeof part; i++)
    prefix = prefix << 8 | part[i];
  return prefix;
}
