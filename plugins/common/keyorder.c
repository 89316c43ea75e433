/* SPDX-License-Identifier: BSD-2-Clause */
/* keyorder.c - the order of keys, and that in which a batch of them is best looked up. */
#include "keyorder.h"

#include <stdlib.h>
#include <string.h>

struct ranked {
  uint64_t place;
  const dictum_key *key;
};

struct keyorder {
  const dictum_key *keys;
  size_t from;
  struct ranked ranked[];
};

int keyorder_compare(const dictum_key *a, const dictum_key *b) {
  size_t shared = a->n < b->n ? a->n : b->n;
  int order = shared ? memcmp(a->p, b->p, shared) : 0;
  return order ? order : a->n < b->n ? -1 : a->n > b->n;
}

static int compare(const void *a, const void *b) {
  const struct ranked *left = a, *right = b;
  if (left->place != right->place)
    return left->place < right->place ? -1 : 1;
  return keyorder_compare(left->key, right->key);
}

struct keyorder *keyorder_new(const dictum_key *keys, size_t from, size_t n, keyorder_place *place,
                              const void *rock) {
  size_t count = from < n ? n - from : 0, bytes;
  if (count < 2 || __builtin_mul_overflow(count, sizeof(struct ranked), &bytes) ||
      __builtin_add_overflow(bytes, sizeof(struct keyorder), &bytes))
    return NULL;
  struct keyorder *order = malloc(bytes);
  if (!order)
    return NULL;
  order->keys = keys;
  order->from = from;
  for (size_t i = 0; i < count; i++)
    order->ranked[i] = (struct ranked){place(rock, &keys[from + i]), &keys[from + i]};
  qsort(order->ranked, count, sizeof order->ranked[0], compare);
  return order;
}

size_t keyorder_at(const struct keyorder *order, size_t i) {
  return order ? (size_t)(order->ranked[i - order->from].key - order->keys) : i;
}

void keyorder_free(struct keyorder *order) {
  free(order);
}

uint64_t keyorder_prefix(const dictum_key *key) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; i++)
    prefix = prefix << 8 | (i < key->n ? (unsigned char)key->p[i] : 0);
  return prefix;
}
