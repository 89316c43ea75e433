/* SPDX-License-Identifier: BSD-2-Clause */
/* test_unique.c - equal keys are found, whatever their hashes are. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runs.h"
#include "unique.h"

enum { many = 2000, longest_key = 15 };

union item {
  struct record record;
  char room[sizeof(struct record) + longest_key + 1];
};

/* Keys are the numbers below @p distinct, again and again. */
static void check(size_t n, unsigned distinct, uint64_t (*hash)(unsigned key)) {
  union item *items = calloc(n + 1, sizeof *items);
  struct sort_ref *refs = calloc(n + 1, sizeof *refs);
  assert_non_null(items);
  assert_non_null(refs);
  for (size_t i = 0; i < n; i++) {
    const unsigned key = (unsigned)(i % distinct);
    struct record *record = &items[i].record;
    record->keylen = (uint32_t)snprintf(record->bytes, longest_key, "%u", key);
    refs[i] = (struct sort_ref){hash(key), record};
  }
  struct unique *unique = unique_new(n);
  assert_non_null(unique);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(unique_first(unique, refs, i), i % distinct);
    refs[i].order = i; /* is the caller's from now on */
  }
  unique_free(unique);
  free(refs);
  free(items);
}

static uint64_t spread(unsigned key) {
  return key * UINT32_C(2654435761);
}

static uint64_t all_first(unsigned key) {
  (void)key;
  return 0;
}

/* The place of it is the last one, so the search goes on at the beginning. */
static uint64_t all_last(unsigned key) {
  (void)key;
  return UINT32_MAX;
}

static uint64_t two_ends(unsigned key) {
  return key % 2 ? UINT32_MAX : 0;
}

static void finds_the_first(void **state) {
  (void)state;
  uint64_t (*const hashes[])(unsigned) = {spread, all_first, all_last, two_ends};
  for (size_t h = 0; h < sizeof hashes / sizeof *hashes; h++) {
    check(many, many, hashes[h]);
    check(many, many / 3, hashes[h]);
    check(many, 1, hashes[h]);
    check(1, 1, hashes[h]);
  }
}

static void none_at_all(void **state) {
  (void)state;
  struct unique *unique = unique_new(0);
  assert_non_null(unique);
  unique_free(unique);
  unique_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_the_first),
      cmocka_unit_test(none_at_all),
  };
  return cmocka_run_group_tests_name("unique", tests, NULL, NULL);
}
