/* SPDX-License-Identifier: BSD-2-Clause */
/* test_probes.c - searches that go side by side end where each would by itself. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "../../plugins/common/probes.h"

enum { most_entries = 200, entry_len = 4 };

/* A page of texts of the same length, in order. */
static const unsigned char *entry_of(const void *rock, const struct probe *probe, size_t at) {
  (void)rock;
  return probe->page + at * entry_len;
}

static bool is_before(const void *rock, const struct probe *probe, size_t at) {
  size_t *steps = (size_t *)(uintptr_t)rock;
  ++*steps;
  assert_true(at < probe->n);
  return memcmp(probe->page + at * entry_len, probe->key->p, entry_len) < 0;
}

static void fill_page(char *page, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char text[entry_len + 1];
    snprintf(text, sizeof text, "%04zu", 2 * i);
    memcpy(page + i * entry_len, text, entry_len);
  }
}

/* Pages of all sizes, each searched for a key that it has, or that lies between two, or outside. */
static void each_ends_in_its_place(void **state) {
  (void)state;
  static char pages[most_entries][most_entries * entry_len];
  static char texts[most_entries][entry_len + 1];
  struct probe probes[most_entries];
  dictum_key keys[most_entries];
  size_t steps = 0;
  const struct probe_pages how = {&steps, entry_of, is_before};
  for (size_t wanted = 0; wanted < 2 * most_entries; wanted++) {
    for (size_t n = 0; n < most_entries; n++) {
      fill_page(pages[n], n);
      snprintf(texts[n], sizeof texts[n], "%04zu", wanted);
      keys[n] = (dictum_key){texts[n], entry_len};
      probes[n] = (struct probe){&keys[n], (const unsigned char *)pages[n], n, 0, n};
    }
    probes_run(probes, most_entries, &how);
    for (size_t n = 0; n < most_entries; n++) {
      const size_t place = (wanted + 1) / 2;
      assert_int_equal(probes[n].low, place < n ? place : n);
      assert_int_equal(probes[n].high, probes[n].low);
    }
  }
  /* At most eight steps for up to 200 entries. */
  assert_in_range(steps, 1, (size_t)2 * most_entries * most_entries * 8);
}

static void failed_ones_stay(void **state) {
  (void)state;
  size_t steps = 0;
  const struct probe_pages how = {&steps, entry_of, is_before};
  const dictum_key key = {"0007", entry_len};
  struct probe probes[2] = {{.key = &key, .high = 9}, {.key = &key, .high = 9}};
  probes_run(probes, 2, &how);
  probes_run(probes, 0, &how);
  assert_int_equal(steps, 0);
  assert_int_equal(probes[0].high, 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_ends_in_its_place),
      cmocka_unit_test(failed_ones_stay),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
