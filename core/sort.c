/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sort.c - stable sort of byte strings, and of numbers.
 *
 * Strings are sorted eight bytes at a time: the next eight become a number, the
 * numbers are radix sorted, and runs of equal numbers go on with the eight
 * bytes behind. Comparing cached numbers spares the cache misses that fetching
 * the strings would cost, and radix passes in which all bytes agree are skipped.
 */
#include "sort.h"

#include <string.h>

/* Below this, insertion beats counting 256 buckets a pass. Measured on random keys. */
enum { few = 48 };

static void insert_by_number(struct sort_ref *refs, size_t n) {
  for (size_t i = 1; i < n; i++) {
    struct sort_ref moving = refs[i];
    size_t j = i;
    for (; j > 0 && refs[j - 1].order > moving.order; j--)
      refs[j] = refs[j - 1];
    refs[j] = moving;
  }
}

/* What people have sorted already. Others are found out at once. */
static bool in_order(const struct sort_ref *refs, size_t n) {
  for (size_t i = 1; i < n; i++)
    if (refs[i - 1].order > refs[i].order)
      return false;
  return true;
}

/* The bits in which numbers differ. */
static uint64_t differing_bits(const struct sort_ref *refs, size_t n) {
  uint64_t bits = 0;
  for (size_t i = 1; i < n; i++)
    bits |= refs[i].order ^ refs[0].order;
  return bits;
}

/* One counting pass over byte @p shift / 8. */
static void pass(const struct sort_ref *from, size_t n, struct sort_ref *to, unsigned shift) {
  size_t start[256] = {0};
  for (size_t i = 0; i < n; i++)
    start[(from[i].order >> shift) & 0xff]++;
  size_t sum = 0;
  for (size_t b = 0; b < 256; b++) {
    size_t count = start[b];
    start[b] = sum;
    sum += count;
  }
  for (size_t i = 0; i < n; i++)
    to[start[(from[i].order >> shift) & 0xff]++] = from[i];
}

void sort_by_number(struct sort_ref *refs, size_t n, struct sort_ref *spare) {
  if (n <= few) {
    insert_by_number(refs, n);
    return;
  }
  if (in_order(refs, n))
    return;
  const uint64_t differing = differing_bits(refs, n);
  struct sort_ref *from = refs, *to = spare;
  for (unsigned shift = 0; shift < 64; shift += 8) {
    if ((differing >> shift & 0xff) == 0)
      continue;
    pass(from, n, to, shift);
    struct sort_ref *swap = from;
    from = to;
    to = swap;
  }
  if (from != refs)
    memcpy(refs, from, n * sizeof *refs);
}

/* Strings lie anywhere: what will be looked at soon is fetched meanwhile. */
enum { ahead = 16 };

static void fetch_ahead(const struct sort_ref *refs, size_t n, size_t i) {
  if (i + ahead < n)
    __builtin_prefetch(refs[i + ahead].item);
}

/* The eight bytes at @p depth as a number that sorts like them; missing bytes count as 0. */
static uint64_t eight_bytes(const unsigned char *bytes, size_t len, size_t depth) {
  unsigned char part[8] = {0};
  if (depth >= len)
    return 0;
  size_t left = len - depth;
  memcpy(part, bytes + depth, left < 8 ? left : 8);
  uint64_t number = 0;
  for (int i = 0; i < 8; i++)
    number = number << 8 | part[i];
  return number;
}

static int compare_from(const void *a, const void *b, size_t depth, sort_bytes *bytes) {
  size_t alen, blen;
  const unsigned char *ab = bytes(a, &alen), *bb = bytes(b, &blen);
  size_t from = depth < alen ? depth : alen;
  if (from > blen)
    from = blen;
  size_t common = (alen < blen ? alen : blen) - from;
  int order = common ? memcmp(ab + from, bb + from, common) : 0;
  return order ? order : (alen > blen) - (alen < blen);
}

static void insert_by_bytes(struct sort_ref *refs, size_t n, size_t depth, sort_bytes *bytes) {
  for (size_t i = 1; i < n; i++) {
    struct sort_ref moving = refs[i];
    size_t j = i;
    for (; j > 0; j--) {
      const struct sort_ref *before = &refs[j - 1];
      if (before->order < moving.order)
        break;
      if (before->order == moving.order &&
          compare_from(before->item, moving.item, depth, bytes) <= 0)
        break;
      refs[j] = *before;
    }
    refs[j] = moving;
  }
}

static void fill_orders(struct sort_ref *refs, size_t n, size_t depth, sort_bytes *bytes) {
  for (size_t i = 0; i < n; i++) {
    size_t len;
    fetch_ahead(refs, n, i);
    const unsigned char *p = bytes(refs[i].item, &len);
    refs[i].order = eight_bytes(p, len, depth);
  }
}

/* Strings of which each is over within the eight bytes at @p depth differ in length only where
 * missing bytes met NUL bytes. */
static bool any_longer(const struct sort_ref *refs, size_t n, size_t depth, sort_bytes *bytes) {
  for (size_t i = 0; i < n; i++) {
    size_t len;
    bytes(refs[i].item, &len);
    if (len > depth + 8)
      return true;
  }
  return false;
}

/* Length, among strings that agree in every byte that they have. */
static void sort_by_length(struct sort_ref *refs, size_t n, struct sort_ref *spare,
                           sort_bytes *bytes) {
  for (size_t i = 0; i < n; i++) {
    size_t len;
    bytes(refs[i].item, &len);
    refs[i].order = len;
  }
  sort_by_number(refs, n, spare);
}

static void sort_from(struct sort_ref *refs, size_t n, struct sort_ref *spare, size_t depth,
                      sort_bytes *bytes);

/* Sorts each run of equal numbers by what comes behind. */
static void sort_runs(struct sort_ref *refs, size_t n, struct sort_ref *spare, size_t depth,
                      sort_bytes *bytes) {
  for (size_t start = 0; start < n;) {
    size_t end = start + 1;
    while (end < n && refs[end].order == refs[start].order)
      end++;
    size_t run = end - start;
    if (run > 1 && any_longer(refs + start, run, depth, bytes))
      sort_from(refs + start, run, spare, depth + 8, bytes);
    else if (run > 1)
      sort_by_length(refs + start, run, spare, bytes);
    start = end;
  }
}

/* Skips eight bytes at a time as long as all strings agree, so that a long common prefix costs no
 * stack. */
static void sort_from(struct sort_ref *refs, size_t n, struct sort_ref *spare, size_t depth,
                      sort_bytes *bytes) {
  for (;; depth += 8) {
    fill_orders(refs, n, depth, bytes);
    if (n <= few) {
      insert_by_bytes(refs, n, depth, bytes);
      return;
    }
    sort_by_number(refs, n, spare);
    if (refs[0].order != refs[n - 1].order)
      break;
    if (!any_longer(refs, n, depth, bytes)) {
      sort_by_length(refs, n, spare, bytes);
      return;
    }
  }
  sort_runs(refs, n, spare, depth, bytes);
}

uint64_t sort_number_of(const void *bytes, size_t len) {
  return eight_bytes(bytes, len, 0);
}

void sort_by_number_then_bytes(struct sort_ref *refs, size_t n, struct sort_ref *spare, bool prefix,
                               sort_bytes *bytes) {
  sort_by_number(refs, n, spare);
  for (size_t start = 0, end; start < n; start = end) {
    const uint64_t order = refs[start].order;
    for (end = start + 1; end < n && refs[end].order == order; end++)
      ;
    if (end == start + 1)
      continue;
    sort_from(refs + start, end - start, spare, prefix ? 8 : 0, bytes);
    for (size_t i = start; i < end && !prefix; i++)
      refs[i].order = order;
  }
}
