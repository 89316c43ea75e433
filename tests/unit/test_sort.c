/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sort.c - the sorts against qsort(3), on random and on awkward keys. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "sort.h"

/* A key with the place where it stood, to see that equal ones stay in order. */
struct item {
  unsigned char *bytes;
  size_t len;
  size_t place;
  uint64_t number; /* that it is sorted by before its bytes */
};

static const unsigned char *item_bytes(const void *item, size_t *len) {
  const struct item *it = item;
  *len = it->len;
  return it->bytes;
}

static int compare(const void *a, const void *b) {
  const struct item *left = a, *right = b;
  if (left->number != right->number)
    return left->number < right->number ? -1 : 1;
  size_t common = left->len < right->len ? left->len : right->len;
  int order = common ? memcmp(left->bytes, right->bytes, common) : 0;
  if (order == 0)
    order = (left->len > right->len) - (left->len < right->len);
  return order ? order : (left->place > right->place) - (left->place < right->place);
}

/* A generator of the test's own: the same keys on every system. */
static uint32_t draw(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

static struct item *new_items(size_t n) {
  struct item *items = calloc(n + 1, sizeof *items);
  assert_non_null(items);
  return items;
}

static void set(struct item *items, size_t i, const void *bytes, size_t len) {
  items[i].bytes = malloc(len + 1);
  assert_non_null(items[i].bytes);
  if (len > 0)
    memcpy(items[i].bytes, bytes, len);
  items[i].len = len;
  items[i].place = i;
}

static bool same_bytes(const struct item *a, const struct item *b) {
  return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Sorts @p items by the first eight bytes as a number, or by the number that each has. */
static void check_by(struct item *items, size_t n, bool prefix) {
  struct sort_ref *refs = calloc(n + 1, sizeof *refs), *spare = calloc(n + 1, sizeof *spare);
  struct item *expected = new_items(n);
  assert_non_null(refs);
  assert_non_null(spare);
  for (size_t i = 0; i < n; i++)
    refs[i] = (struct sort_ref){
        prefix ? sort_number_of(items[i].bytes, items[i].len) : items[i].number, &items[i]};
  memcpy(expected, items, n * sizeof *items);
  qsort(expected, n, sizeof *expected, compare);
  sort_by_number_then_bytes(refs, n, spare, prefix, item_bytes);
  for (size_t i = 0; i < n; i++) {
    const struct item *item = refs[i].item;
    assert_int_equal(item->place, expected[i].place);
    if (!prefix)
      assert_int_equal(refs[i].order, item->number);
    else if (i > 0 && same_bytes(item, refs[i - 1].item))
      assert_int_equal(refs[i].order, refs[i - 1].order);
  }
  free(expected);
  free(refs);
  free(spare);
}

/* Sorts @p items in every way and releases them. */
static void check(struct item *items, size_t n) {
  check_by(items, n, true);
  check_by(items, n, false);
  for (size_t i = 0; i < n; i++)
    items[i].number = i * 7 % 5 + (uint64_t)(i % 3) * UINT64_C(0x8000000000);
  check_by(items, n, false);
  for (size_t i = 0; i < n; i++)
    free(items[i].bytes);
  free(items);
}

/* Insertion and counting take over from each other in between. */
static const size_t sizes[] = {0, 1, 2, 3, 47, 48, 49, 50, 255, 256, 257, 3000};
enum { nsizes = sizeof sizes / sizeof sizes[0] };

static void random_bytes(void **state) {
  (void)state;
  uint32_t seed = 1;
  for (size_t s = 0; s < nsizes; s++) {
    struct item *items = new_items(sizes[s]);
    for (size_t i = 0; i < sizes[s]; i++) {
      unsigned char key[40];
      size_t len = draw(&seed) % sizeof key;
      for (size_t b = 0; b < len; b++)
        key[b] = (unsigned char)draw(&seed);
      set(items, i, key, len);
    }
    check(items, sizes[s]);
  }
}

/* Two byte values, one of them NUL: many equal keys, and many that begin each other. */
static void few_letters_with_nul(void **state) {
  (void)state;
  uint32_t seed = 2;
  for (size_t s = 0; s < nsizes; s++) {
    struct item *items = new_items(sizes[s]);
    for (size_t i = 0; i < sizes[s]; i++) {
      unsigned char key[20];
      size_t len = draw(&seed) % sizeof key;
      for (size_t b = 0; b < len; b++)
        key[b] = draw(&seed) % 8 == 0 ? 'a' : '\0';
      set(items, i, key, len);
    }
    check(items, sizes[s]);
  }
}

/* Every byte is the same, and only lengths differ, around each multiple of eight. */
static void only_lengths_differ(void **state) {
  (void)state;
  static const char bytes[] = {'\0', 'a', (char)0xff};
  for (size_t b = 0; b < sizeof bytes; b++) {
    enum { n = 400 };
    struct item *items = new_items(n);
    char key[n];
    memset(key, bytes[b], sizeof key);
    for (size_t i = 0; i < n; i++)
      set(items, i, key, (i * 37) % 41);
    check(items, n);
  }
}

static void long_common_prefix(void **state) {
  (void)state;
  enum { n = 200, prefix = 5000 };
  char key[prefix + 8];
  memset(key, 'x', sizeof key);
  struct item *items = new_items(n);
  for (size_t i = 0; i < n; i++) {
    key[prefix] = (char)('a' + (i * 7) % 26);
    key[prefix + 1] = (char)('a' + i % 3);
    set(items, i, key, prefix + (i % 4 ? 2 : 0));
  }
  check(items, n);
}

static void all_equal_stay_in_order(void **state) {
  (void)state;
  for (size_t s = 0; s < nsizes; s++) {
    struct item *items = new_items(sizes[s]);
    for (size_t i = 0; i < sizes[s]; i++)
      set(items, i, "info@example.org", 16);
    check(items, sizes[s]);
  }
}

static void bytes_above_127_come_last(void **state) {
  (void)state;
  struct item *items = new_items(3);
  set(items, 0, "\xff", 1);
  set(items, 1, "\x7f", 1);
  set(items, 2, "\x80", 1);
  check(items, 3);
}

static void numbers(void **state) {
  (void)state;
  uint32_t seed = 3;
  for (size_t s = 0; s < nsizes; s++) {
    size_t n = sizes[s];
    struct sort_ref *refs = calloc(n + 1, sizeof *refs), *spare = calloc(n + 1, sizeof *spare);
    size_t *places = calloc(n + 1, sizeof *places);
    assert_non_null(refs);
    assert_non_null(spare);
    assert_non_null(places);
    for (size_t i = 0; i < n; i++) {
      uint64_t number = (uint64_t)draw(&seed) << 40 | draw(&seed);
      refs[i] = (struct sort_ref){i % 3 ? number : number % 5, &places[i]};
    }
    sort_by_number(refs, n, spare);
    for (size_t i = 1; i < n; i++) {
      assert_true(refs[i - 1].order <= refs[i].order);
      if (refs[i - 1].order == refs[i].order)
        assert_true((const size_t *)refs[i - 1].item < (const size_t *)refs[i].item);
    }
    free(refs);
    free(spare);
    free(places);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_bytes),
      cmocka_unit_test(few_letters_with_nul),
      cmocka_unit_test(only_lengths_differ),
      cmocka_unit_test(long_common_prefix),
      cmocka_unit_test(all_equal_stay_in_order),
      cmocka_unit_test(bytes_above_127_come_last),
      cmocka_unit_test(numbers),
  };
  return cmocka_run_group_tests_name("sort", tests, NULL, NULL);
}
