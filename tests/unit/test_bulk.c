/* SPDX-License-Identifier: BSD-2-Clause */
/* test_bulk.c - a whole new content: equal keys, order, and how it is handed out. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bulk.h"

static void add(struct bulk *bulk, const char *key, const char *value, uint64_t line,
                dictum_dup dup) {
  const dictum_entry entry = {key, strlen(key), value, strlen(value), line};
  assert_int_equal(bulk_add(bulk, &entry, dup, NULL), DICTUM_OK);
}

static uint64_t by_last_byte(void *rock, const char *key, size_t len) {
  (void)rock;
  return len ? (unsigned char)key[len - 1] : 0;
}

/* A generator of the test's own: the same entries on every system. */
static uint32_t draw(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* What bulk_settle() reported, as "key line first_line; ". */
struct heard {
  char text[512];
};

static void hear(void *rock, const struct bulk_duplicate *duplicate) {
  struct heard *heard = rock;
  size_t used = strlen(heard->text);
  snprintf(heard->text + used, sizeof heard->text - used, "%.*s %lu %lu; ", (int)duplicate->key.n,
           duplicate->key.p, (unsigned long)duplicate->line, (unsigned long)duplicate->first_line);
}

/* One of which all is in memory. */
static struct bulk *new_bulk(uint32_t order) {
  const struct bulk_plan plan = {order, by_last_byte, NULL, 64 << 20};
  struct bulk *bulk = bulk_new(&plan, "/nonexistent");
  assert_non_null(bulk);
  return bulk;
}

/* Compares all of @p bulk, as "key=value ", with @p expected. */
static void assert_content(struct bulk *bulk, const char *expected) {
  char text[512] = "";
  const dictum_rec *recs;
  size_t n;
  uint64_t nrecs = 0, nbytes = 0;
  dictum_bulk *out = bulk_hand_out(bulk, NULL, NULL);
  while (out->next(out, &recs, &n, NULL) == DICTUM_OK)
    for (size_t i = 0; i < n; i++) {
      size_t used = strlen(text);
      snprintf(text + used, sizeof text - used, "%.*s=%.*s ", (int)recs[i].key.n, recs[i].key.p,
               (int)recs[i].value.n, recs[i].value.p);
      nrecs++;
      nbytes += recs[i].key.n + recs[i].value.n;
    }
  assert_string_equal(text, expected);
  assert_int_equal(out->nrecs, nrecs);
  assert_int_equal(out->nbytes, nbytes);
  assert_int_equal(out->next(out, &recs, &n, NULL), DICTUM_END);
}

static void nothing(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  assert_int_equal(bulk_count(bulk), 0);
  assert_content(bulk, "");
  bulk_free(bulk);
  bulk_free(NULL);
}

static void sorted_by_key(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  add(bulk, "b", "2", 1, DICTUM_DUP_REFUSE);
  add(bulk, "", "empty", 2, DICTUM_DUP_REFUSE);
  add(bulk, "aa", "1", 3, DICTUM_DUP_REFUSE);
  add(bulk, "a", "", 4, DICTUM_DUP_REFUSE);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  assert_content(bulk, "=empty a= aa=1 b=2 ");
  assert_string_equal(heard.text, "");
  bulk_free(bulk);
}

static void first_stays_and_the_rest_is_told_by_line(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_ANY);
  struct heard heard = {""};
  add(bulk, "z", "1", 1, DICTUM_DUP_REFUSE);
  add(bulk, "a", "1", 2, DICTUM_DUP_REFUSE);
  add(bulk, "z", "2", 3, DICTUM_DUP_REFUSE);
  add(bulk, "a", "2", 4, DICTUM_DUP_REFUSE);
  add(bulk, "z", "3", 5, DICTUM_DUP_REFUSE);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  assert_string_equal(heard.text, "z 3 1; a 4 2; z 5 1; ");
  assert_int_equal(bulk_count(bulk), 2);
  assert_content(bulk, "a=1 z=1 ");
  bulk_free(bulk);
}

static void last_wins_or_first_stays_in_silence(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  add(bulk, "replace", "1", 1, DICTUM_DUP_REPLACE);
  add(bulk, "ignore", "1", 2, DICTUM_DUP_IGNORE);
  add(bulk, "replace", "2", 3, DICTUM_DUP_REPLACE);
  add(bulk, "ignore", "2", 4, DICTUM_DUP_IGNORE);
  add(bulk, "replace", "3", 5, DICTUM_DUP_REPLACE);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  assert_string_equal(heard.text, "");
  assert_content(bulk, "ignore=1 replace=3 ");
  bulk_free(bulk);
}

/* What postalias does: entries of the file refuse, those of its own replace. */
static void each_entry_asks_for_itself(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  add(bulk, "@", "of the file", 1, DICTUM_DUP_REFUSE);
  add(bulk, "@", "again", 2, DICTUM_DUP_REFUSE);
  add(bulk, "@", "own", 0, DICTUM_DUP_REPLACE);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  assert_string_equal(heard.text, "@ 2 1; ");
  assert_content(bulk, "@=own ");
  bulk_free(bulk);
}

static void duplicates_can_be_an_error(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  dictum_error err = DICTUM_ERROR_INIT;
  add(bulk, "a", "1", 7, DICTUM_DUP_ERROR);
  add(bulk, "a", "2", 9, DICTUM_DUP_ERROR);
  assert_int_equal(bulk_settle(bulk, hear, &heard, &err), DICTUM_EXISTS);
  assert_int_equal(err.status, DICTUM_EXISTS);
  assert_string_equal(heard.text, "a 9 7; ");
  bulk_free(bulk);
}

static void buckets_then_bytes(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BUCKET);
  struct heard heard = {""};
  static const char *const keys[] = {"b2", "a1", "c1", "a2", "b1"};
  for (size_t i = 0; i < 5; i++)
    add(bulk, keys[i], "", i, DICTUM_DUP_REFUSE);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  assert_content(bulk, "a1= b1= c1= a2= b2= ");
  bulk_free(bulk);
}

static void as_in_the_source(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_SOURCE);
  struct heard heard = {""};
  add(bulk, "own", "", 0, DICTUM_DUP_REPLACE);
  add(bulk, "z", "", 1, DICTUM_DUP_REPLACE);
  add(bulk, "b", "", 2, DICTUM_DUP_REPLACE);
  add(bulk, "a", "", 2, DICTUM_DUP_REPLACE);
  add(bulk, "z", "last", 300, DICTUM_DUP_REPLACE);
  add(bulk, "c", "", 70000, DICTUM_DUP_REPLACE);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  assert_content(bulk, "a= b= z=last c= own= ");
  bulk_free(bulk);
}

static void keys_and_values_are_bytes(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  const dictum_rec *recs;
  size_t n;
  const dictum_entry a = {"a\0b", 3, "v\0", 2, 1}, b = {"a\0c", 3, "\0w", 2, 2};
  assert_int_equal(bulk_add(bulk, &b, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
  assert_int_equal(bulk_add(bulk, &a, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  dictum_bulk *out = bulk_hand_out(bulk, NULL, NULL);
  assert_int_equal(out->next(out, &recs, &n, NULL), DICTUM_OK);
  assert_int_equal(n, 2);
  assert_int_equal(recs[0].key.n, 3);
  assert_memory_equal(recs[0].key.p, "a\0b", 3);
  assert_memory_equal(recs[0].value.p, "v\0", 2);
  assert_memory_equal(recs[1].value.p, "\0w", 2);
  bulk_free(bulk);
}

static void entry_larger_than_a_chunk(void **state) {
  (void)state;
  enum { size = 3 << 20 };
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  char *big = malloc(size);
  assert_non_null(big);
  memset(big, 'x', size);
  const dictum_entry entry = {"k", 1, big, size, 1};
  add(bulk, "a", "before", 1, DICTUM_DUP_REFUSE);
  assert_int_equal(bulk_add(bulk, &entry, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
  add(bulk, "z", "after", 1, DICTUM_DUP_REFUSE);
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  const dictum_rec *recs;
  size_t n;
  dictum_bulk *out = bulk_hand_out(bulk, NULL, NULL);
  assert_int_equal(out->next(out, &recs, &n, NULL), DICTUM_OK);
  assert_int_equal(n, 3);
  assert_int_equal(recs[1].value.n, size);
  assert_memory_equal(recs[1].value.p, big, size);
  assert_memory_equal(recs[2].value.p, "after", 5);
  free(big);
  bulk_free(bulk);
}

static void absurd_sizes_are_refused(void **state) {
  (void)state;
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  dictum_error err = DICTUM_ERROR_INIT;
  const dictum_entry key = {"k", (size_t)UINT32_MAX + 2, "v", 1, 1};
  const dictum_entry value = {"k", 1, "v", SIZE_MAX - 8, 1};
  assert_int_equal(bulk_add(bulk, &key, DICTUM_DUP_REFUSE, &err), DICTUM_INVALID);
  assert_int_equal(bulk_add(bulk, &value, DICTUM_DUP_REFUSE, &err), DICTUM_INVALID);
  assert_int_equal(bulk_count(bulk), 0);
  bulk_free(bulk);
}

struct steps {
  uint64_t last, total;
};

static void watch(void *rock, uint64_t done, uint64_t total) {
  struct steps *steps = rock;
  assert_true(done >= steps->last && done <= total);
  *steps = (struct steps){done, total};
}

static void many_entries_come_in_parts(void **state) {
  (void)state;
  enum { many = 5000 };
  struct bulk *bulk = new_bulk(DICTUM_ORDER_BYTES);
  struct heard heard = {""};
  struct steps steps = {0, 0};
  char key[32];
  for (unsigned i = 0; i < many; i++) {
    snprintf(key, sizeof key, "%05u@example.org", (i * 7919) % many);
    add(bulk, key, key, i, DICTUM_DUP_REFUSE);
  }
  assert_int_equal(bulk_settle(bulk, hear, &heard, NULL), DICTUM_OK);
  const dictum_rec *recs;
  size_t n;
  unsigned seen = 0;
  dictum_bulk *out = bulk_hand_out(bulk, watch, &steps);
  while (out->next(out, &recs, &n, NULL) == DICTUM_OK)
    for (size_t i = 0; i < n; i++, seen++) {
      snprintf(key, sizeof key, "%05u@example.org", seen);
      assert_int_equal(recs[i].key.n, strlen(key));
      assert_memory_equal(recs[i].key.p, key, strlen(key));
    }
  assert_int_equal(seen, many);
  assert_int_equal(steps.last, many);
  assert_int_equal(steps.total, many);
  bulk_free(bulk);
}

/* ---- more than there is memory for ---- */

enum { longest_value = 40000 };

/* Random entries: few letters, so that many keys are equal; empty and long keys and values; lines
 * that several entries share, or that are not known. */
static void add_random(struct bulk *bulk, unsigned n, uint32_t seed) {
  static char bytes[longest_value];
  char key[64 + 300];
  for (unsigned i = 0; i < n; i++) {
    size_t keylen = draw(&seed) % 5 ? draw(&seed) % 7 : draw(&seed) % sizeof key;
    memset(key, 'k', sizeof key);
    for (size_t b = 0; b < keylen && b < 16; b++)
      key[b] = "\0ab\xff"[draw(&seed) % 4];
    size_t valuelen = draw(&seed) % 50;
    if (draw(&seed) % 500 == 0)
      valuelen = draw(&seed) % sizeof bytes;
    memset(bytes, 'v', valuelen);
    snprintf(bytes, sizeof bytes, "%u", i);
    const dictum_entry entry = {key, keylen, bytes, valuelen, draw(&seed) % 20 ? i / 3 + 1 : 0};
    static const dictum_dup dups[] = {DICTUM_DUP_REFUSE, DICTUM_DUP_REFUSE, DICTUM_DUP_REPLACE,
                                      DICTUM_DUP_IGNORE};
    assert_int_equal(bulk_add(bulk, &entry, dups[draw(&seed) % 4], NULL), DICTUM_OK);
  }
}

/* All that a bulk tells, as one text. */
struct told {
  char *text;
  size_t size;
  FILE *to;
};

static void tell_bytes(FILE *to, const char *p, size_t n) {
  fprintf(to, "%zu:", n);
  fwrite(p, 1, n, to);
}

static void tell_duplicate(void *rock, const struct bulk_duplicate *duplicate) {
  const struct told *told = rock;
  tell_bytes(told->to, duplicate->key.p, duplicate->key.n);
  fprintf(told->to, " %lu %lu\n", (unsigned long)duplicate->line,
          (unsigned long)duplicate->first_line);
}

static void tell_all(struct told *told, uint32_t order, uint64_t memory, unsigned n) {
  const struct bulk_plan plan = {order, by_last_byte, NULL, memory};
  const char *folder = getenv("TMPDIR");
  struct bulk *bulk = bulk_new(&plan, folder ? folder : "/tmp");
  assert_non_null(bulk);
  told->to = open_memstream(&told->text, &told->size);
  assert_non_null(told->to);
  add_random(bulk, n, n);
  assert_int_equal(bulk_settle(bulk, tell_duplicate, told, NULL), DICTUM_OK);
  dictum_bulk *out = bulk_hand_out(bulk, NULL, NULL);
  fprintf(told->to, "%lu %lu\n", (unsigned long)out->nrecs, (unsigned long)out->nbytes);
  const dictum_rec *recs;
  size_t got;
  uint64_t nrecs = 0, nbytes = 0;
  while (out->next(out, &recs, &got, NULL) == DICTUM_OK)
    for (size_t i = 0; i < got; i++) {
      tell_bytes(told->to, recs[i].key.p, recs[i].key.n);
      tell_bytes(told->to, recs[i].value.p, recs[i].value.n);
      nrecs++;
      nbytes += recs[i].key.n + recs[i].value.n;
    }
  assert_int_equal(nrecs, out->nrecs);
  assert_int_equal(nbytes, out->nbytes);
  fclose(told->to);
  bulk_free(bulk);
}

/* From one run to so many that they are joined at several levels. */
static void little_memory_makes_no_difference(void **state) {
  (void)state;
  static const uint32_t orders[] = {DICTUM_ORDER_ANY, DICTUM_ORDER_BYTES, DICTUM_ORDER_BUCKET,
                                    DICTUM_ORDER_SOURCE};
  static const uint64_t memories[] = {1, 20000, 200000, 1000000};
  static const unsigned counts[] = {0, 1, 2, 300, 9000};
  for (size_t o = 0; o < 4; o++)
    for (size_t c = 0; c < 5; c++) {
      struct told roomy = {0};
      tell_all(&roomy, orders[o], 1 << 30, counts[c]);
      for (size_t m = 0; m < 4; m++) {
        struct told tight = {0};
        tell_all(&tight, orders[o], memories[m], counts[c]);
        assert_int_equal(tight.size, roomy.size);
        assert_memory_equal(tight.text, roomy.text, roomy.size);
        free(tight.text);
      }
      free(roomy.text);
    }
}

static void a_temporary_file_that_cannot_be_made(void **state) {
  (void)state;
  const struct bulk_plan plan = {DICTUM_ORDER_BYTES, by_last_byte, NULL, 1};
  struct bulk *bulk = bulk_new(&plan, "/nonexistent");
  const dictum_entry entry = {"k", 1, "v", 1, 1};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(bulk_add(bulk, &entry, DICTUM_DUP_REFUSE, &err), DICTUM_OK);
  assert_int_equal(bulk_add(bulk, &entry, DICTUM_DUP_REFUSE, &err), DICTUM_CONFIG);
  assert_string_equal(err.what, "create temporary file in /nonexistent: No such file or directory");
  bulk_free(bulk);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing),
      cmocka_unit_test(sorted_by_key),
      cmocka_unit_test(first_stays_and_the_rest_is_told_by_line),
      cmocka_unit_test(last_wins_or_first_stays_in_silence),
      cmocka_unit_test(each_entry_asks_for_itself),
      cmocka_unit_test(duplicates_can_be_an_error),
      cmocka_unit_test(buckets_then_bytes),
      cmocka_unit_test(as_in_the_source),
      cmocka_unit_test(keys_and_values_are_bytes),
      cmocka_unit_test(entry_larger_than_a_chunk),
      cmocka_unit_test(absurd_sizes_are_refused),
      cmocka_unit_test(many_entries_come_in_parts),
      cmocka_unit_test(little_memory_makes_no_difference),
      cmocka_unit_test(a_temporary_file_that_cannot_be_made),
  };
  return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
