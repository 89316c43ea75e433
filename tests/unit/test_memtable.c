/* SPDX-License-Identifier: BSD-2-Clause */
/* test_memtable.c - the table in memory behind inline and texthash. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "host.h"
#include "memtable.h"

static dictum_entry entry_of(const char *key, const char *value, uint64_t line) {
  return (dictum_entry){key, strlen(key), value, strlen(value), line};
}

static void put(struct memtable *table, const char *key, const char *value) {
  const dictum_entry entry = entry_of(key, value, 0);
  assert_int_equal(memtable_put(table, &entry, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
}

static void assert_value(const struct memtable *table, const char *key, const char *wanted) {
  dictum_key value;
  assert_int_equal(memtable_find(table, (dictum_key){key, strlen(key)}, &value), wanted != NULL);
  if (!wanted)
    return;
  assert_int_equal(value.n, strlen(wanted));
  assert_memory_equal(value.p, wanted, value.n);
}

static void finds_what_was_put(void **state) {
  (void)state;
  struct memtable *table = memtable_new(NULL, 0);
  assert_value(table, "a", NULL);
  put(table, "a", "1");
  put(table, "aa", "2");
  put(table, "", "empty key");
  put(table, "empty value", "");
  put(table, "eight by", "3");
  put(table, "eight byt", "4");
  assert_int_equal(memtable_count(table), 6);
  assert_value(table, "a", "1");
  assert_value(table, "aa", "2");
  assert_value(table, "", "empty key");
  assert_value(table, "empty value", "");
  assert_value(table, "eight by", "3");
  assert_value(table, "eight byt", "4");
  assert_value(table, "aaa", NULL);
  assert_value(table, "eight b", NULL);
  memtable_free(table);
  memtable_free(NULL);
}

static void keys_are_any_bytes(void **state) {
  (void)state;
  struct memtable *table = memtable_new(NULL, 0);
  const dictum_entry one = {"a\0b", 3, "1\0", 2, 0}, two = {"a\0c", 3, "2", 1, 0};
  assert_int_equal(memtable_put(table, &one, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
  assert_int_equal(memtable_put(table, &two, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
  dictum_key value;
  assert_true(memtable_find(table, (dictum_key){"a\0b", 3}, &value));
  assert_int_equal(value.n, 2);
  assert_memory_equal(value.p, "1\0", 2);
  assert_false(memtable_find(table, (dictum_key){"a", 1}, &value));
  assert_false(memtable_find(table, (dictum_key){"a\0", 2}, &value));
  memtable_free(table);
}

static void of_equal_keys_one_stays(void **state) {
  (void)state;
  struct memtable *table = memtable_new(NULL, 0);
  uint64_t first_line = 0;
  dictum_entry entry = entry_of("a", "1", 10);
  assert_int_equal(memtable_put(table, &entry, DICTUM_DUP_REFUSE, &first_line), DICTUM_OK);
  put(table, "b", "x");
  entry = entry_of("A", "2", 20);
  assert_int_equal(memtable_put(table, &entry, DICTUM_DUP_REFUSE, &first_line), DICTUM_EXISTS);
  assert_int_equal(first_line, 10);
  assert_int_equal(memtable_put(table, &entry, DICTUM_DUP_IGNORE, NULL), DICTUM_OK);
  assert_value(table, "a", "1");
  assert_int_equal(memtable_put(table, &entry, DICTUM_DUP_REPLACE, NULL), DICTUM_OK);
  assert_value(table, "a", "2");
  entry = entry_of("a", "3", 30);
  assert_int_equal(memtable_put(table, &entry, DICTUM_DUP_REFUSE, &first_line), DICTUM_EXISTS);
  assert_int_equal(first_line, 20);
  assert_int_equal(memtable_count(table), 2);
  assert_memory_equal(memtable_at(table, 0).key.p, "a", 1);
  memtable_free(table);
}

static void keys_fold_as_the_flags_say(void **state) {
  (void)state;
  struct memtable *ascii = memtable_new(NULL, 0);
  put(ascii, "KeY\xc3\x84", "1");
  assert_value(ascii, "key\xc3\x84", "1");
  memtable_free(ascii);
  struct memtable *utf8 = memtable_new(NULL, DICTUM_OPEN_UTF8);
  put(utf8, "KeY\xc3\x84", "1");
  assert_value(utf8, "key\xc3\xa4", "1");
  memtable_free(utf8);
  struct memtable *exact = memtable_new(NULL, DICTUM_OPEN_UTF8 | DICTUM_OPEN_NOFOLD);
  put(exact, "KeY\xc3\x84", "1");
  put(exact, "key\xc3\x84", "2");
  assert_value(exact, "KeY\xc3\x84", "1");
  assert_value(exact, "key\xc3\x84", "2");
  memtable_free(exact);
}

enum { many = 50000 };

static struct memtable *new_large(void) {
  struct memtable *table = memtable_new(&host_services, 0);
  char key[32], value[32];
  for (int i = 0; i < many; i++) {
    snprintf(key, sizeof key, "user%d@example", i);
    snprintf(value, sizeof value, "%d", i);
    put(table, key, value);
  }
  return table;
}

static void grows(void **state) {
  (void)state;
  struct memtable *table = new_large();
  char key[32], value[32];
  assert_int_equal(memtable_count(table), many);
  for (int i = 0; i < many; i++) {
    snprintf(key, sizeof key, "user%d@example", i);
    snprintf(value, sizeof value, "%d", i);
    assert_value(table, key, value);
  }
  assert_value(table, "user@example", NULL);
  memtable_free(table);
}

static void holds_large_values(void **state) {
  (void)state;
  enum { large = 5 << 20 };
  struct memtable *table = memtable_new(NULL, 0);
  char *text = malloc(large);
  memset(text, 'x', large);
  const dictum_entry entry = {"large", 5, text, large, 0};
  put(table, "before", "1");
  assert_int_equal(memtable_put(table, &entry, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
  put(table, "behind", "2");
  dictum_key value;
  assert_true(memtable_find(table, (dictum_key){"large", 5}, &value));
  assert_int_equal(value.n, large);
  assert_memory_equal(value.p, text, large);
  assert_value(table, "before", "1");
  assert_value(table, "behind", "2");
  free(text);
  memtable_free(table);
}

static void walks_in_the_order_of_addition(void **state) {
  (void)state;
  struct memtable *table = new_large();
  void *iter;
  dictum_rec rec;
  char key[32];
  assert_int_equal(memtable_iter_open(table, NULL, &iter, NULL), DICTUM_OK);
  for (int i = 0; i < many; i++) {
    assert_int_equal(memtable_iter_next(iter, &rec, NULL), DICTUM_OK);
    snprintf(key, sizeof key, "user%d@example", i);
    assert_int_equal(rec.key.n, strlen(key));
    assert_memory_equal(rec.key.p, key, rec.key.n);
  }
  assert_int_equal(memtable_iter_next(iter, &rec, NULL), DICTUM_END);
  assert_int_equal(memtable_iter_next(iter, &rec, NULL), DICTUM_END);
  memtable_iter_close(iter);
  memtable_close(table);
}

static void a_batch_answers_as_single_keys_do(void **state) {
  (void)state;
  enum { n = 777 };
  struct memtable *table = new_large();
  static char texts[n][32];
  static dictum_key keys[n];
  static dictum_req reqs[n];
  for (int i = 0; i < n; i++) {
    snprintf(texts[i], sizeof texts[i], "user%d%s@example", i * 37, i % 3 ? "" : "x");
    keys[i] = (dictum_key){texts[i], strlen(texts[i])};
    reqs[i].status = DICTUM_NOTFOUND;
  }
  dictum_buf arena = {0};
  dictum_sink sink = {reqs, n, &arena, 0};
  assert_int_equal(memtable_lookup_many(table, NULL, keys, n, &sink, NULL), DICTUM_OK);
  for (int i = 0; i < n; i++) {
    dictum_key value;
    bool found = memtable_find(table, keys[i], &value);
    assert_int_equal(found, i % 3 != 0);
    assert_int_equal(reqs[i].status, found ? DICTUM_OK : DICTUM_NOTFOUND);
    if (!found)
      continue;
    assert_int_equal(reqs[i].len, value.n);
    assert_memory_equal(arena.data + reqs[i].off, value.p, value.n);
  }
  dictum_buf_free(&arena);
  memtable_free(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_what_was_put),
      cmocka_unit_test(keys_are_any_bytes),
      cmocka_unit_test(of_equal_keys_one_stays),
      cmocka_unit_test(keys_fold_as_the_flags_say),
      cmocka_unit_test(grows),
      cmocka_unit_test(holds_large_values),
      cmocka_unit_test(walks_in_the_order_of_addition),
      cmocka_unit_test(a_batch_answers_as_single_keys_do),
  };
  return cmocka_run_group_tests_name("memtable", tests, NULL, NULL);
}
