/* SPDX-License-Identifier: BSD-2-Clause */
/* test_cdb.c - cdb files, whole and damaged: no bytes may lead a search astray. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../plugins/cdb/cdb_table.h"
#include "ctx.h"
#include "host.h"
#include "slot.h"

extern const dictum_plugin dictum_cdb_LTX_dictum_plugin;

enum { records = 400, damages = 30000 };

static dictum_ctx ctx;
static struct dictum_slot slot;
static char folder[] = "/tmp/test_cdb.XXXXXX";
static char name[64], path[64];

/* ---- a table -------------------------------------------------------------------------------- */

static const dictum_type *type(void) {
  return &dictum_cdb_LTX_dictum_plugin.types[0];
}

static void *open_table(uint32_t flags) {
  void *table = NULL;
  const dictum_open_args args = {
      .size = sizeof args, .flags = flags, .type = "cdb", .name = name, .slot = &slot};
  assert_int_equal(type()->open(&host_services, &args, &table, NULL), DICTUM_OK);
  return table;
}

static dictum_key key_of(char text[32], int i) {
  return (dictum_key){text, (size_t)snprintf(text, 32, "key%d@example.org", i)};
}

static dictum_key value_of(char text[64], int i) {
  return (dictum_key){text, (size_t)snprintf(text, 64, "value %d %.*s", i, i % 40,
                                             "........................................")};
}

static void build(uint32_t flags, int n) {
  void *table = open_table(flags | DICTUM_OPEN_WRITE | DICTUM_OPEN_REPLACE), *txn = NULL;
  const dictum_txn_args args = {sizeof args, DICTUM_TXN_REPLACE_ALL, 0644, 0};
  assert_int_equal(type()->txn_begin(table, &args, &txn, NULL), DICTUM_OK);
  for (int i = 0; i < n; i++) {
    char key[32], value[64];
    const dictum_rec rec = {key_of(key, i), value_of(value, i)};
    assert_int_equal(type()->put(txn, &rec, DICTUM_DUP_REFUSE, NULL), DICTUM_OK);
  }
  assert_int_equal(type()->commit(txn, NULL), DICTUM_OK);
  type()->close(table);
}

/* Records, some at a time, as core hands them out. */
struct handing_out {
  dictum_bulk bulk;
  int at, n;
  char keys[7][32], values[7][64];
  dictum_rec recs[7];
};

static dictum_status next(dictum_bulk *bulk, const dictum_rec **recs, size_t *n,
                          dictum_error *err) {
  struct handing_out *h = (struct handing_out *)bulk;
  (void)err;
  for (*n = 0; *n < 7 && h->at < h->n; ++*n, h->at++)
    h->recs[*n] = (dictum_rec){key_of(h->keys[*n], h->at), value_of(h->values[*n], h->at)};
  *recs = h->recs;
  return *n > 0 ? DICTUM_OK : DICTUM_END;
}

/* The same with load(), and with no more than so many slots in memory. */
static void load(uint32_t flags, int n, size_t slots) {
  struct cdb *table = open_table(flags | DICTUM_OPEN_WRITE | DICTUM_OPEN_REPLACE);
  const dictum_txn_args args = {sizeof args, DICTUM_TXN_REPLACE_ALL, 0644, 0};
  struct handing_out h = {.bulk = {.size = sizeof h.bulk, .nrecs = (uint64_t)n, .next = next},
                          .n = n};
  void *txn = NULL;
  for (int i = 0; i < n; i++)
    h.bulk.nbytes += key_of(h.keys[0], i).n + value_of(h.values[0], i).n;
  table->most_slots = slots;
  assert_int_equal(type()->txn_begin(table, &args, &txn, NULL), DICTUM_OK);
  assert_int_equal(type()->load(txn, &h.bulk, NULL), DICTUM_OK);
  assert_int_equal(type()->commit(txn, NULL), DICTUM_OK);
  type()->close(table);
}

static dictum_status ask(void *table, const dictum_key *key, char *value, size_t size) {
  dictum_buf arena = {0};
  dictum_req req = {0};
  dictum_sink sink = {&req, 1, &arena, 0};
  dictum_status status = type()->lookup(table, NULL, key->p, key->n, &sink, NULL);
  if (status == DICTUM_OK)
    snprintf(value, size, "%.*s", (int)req.len, arena.data + req.off);
  dictum_buf_free(&arena);
  return status;
}

static unsigned char *read_file(size_t *size) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  unsigned char *bytes = malloc((size_t)st.st_size);
  FILE *file = fopen(path, "rb");
  assert_non_null(bytes);
  assert_non_null(file);
  *size = fread(bytes, 1, (size_t)st.st_size, file);
  fclose(file);
  assert_int_equal(*size, st.st_size);
  return bytes;
}

static void write_file(const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

static enum cdb_answer find(const struct cdb_map *map, const dictum_key *key, dictum_key *value) {
  const struct cdb_question question = {*key, false, cdb_hash(cdb_hash_seed, key->p, key->n)};
  return cdb_map_find(map, &question, value);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void all_is_found_in_order(void **state) {
  (void)state;
  for (int nul = 0; nul < 2; nul++) {
    build(nul ? DICTUM_OPEN_NUL : 0, records);
    void *table = open_table(0), *iter = NULL;
    const dictum_call call = {.size = sizeof call};
    assert_int_equal(type()->iter_open(table, &call, &iter, NULL), DICTUM_OK);
    for (int i = 0; i < records; i++) {
      char text[32], expected[64], value[64];
      dictum_key key = key_of(text, i);
      dictum_rec rec;
      value_of(expected, i);
      assert_int_equal(ask(table, &key, value, sizeof value), DICTUM_OK);
      assert_string_equal(value, expected);
      assert_int_equal(type()->iter_next(iter, &rec, NULL), DICTUM_OK);
      assert_int_equal(rec.key.n, key.n);
      assert_memory_equal(rec.key.p, key.p, key.n);
    }
    dictum_rec rec;
    assert_int_equal(type()->iter_next(iter, &rec, NULL), DICTUM_END);
    type()->iter_close(iter);
    assert_int_equal(ask(table, &(dictum_key){"absent", 6}, NULL, 0), DICTUM_NOTFOUND);
    type()->close(table);
  }
}

/* Each is refused when it is opened. */
static void no_part_of_a_file_is_a_table(void **state) {
  (void)state;
  size_t size;
  build(0, records);
  unsigned char *whole = read_file(&size);
  for (size_t n = 0; n < size; n++) {
    unsigned char *part = malloc(n ? n : 1);
    assert_non_null(part);
    memcpy(part, whole, n);
    struct cdb_map map = {.at = part, .size = n};
    assert_false(cdb_map_check(&map));
    free(part);
  }
  free(whole);
}

static void a_damaged_file_heals_when_it_is_replaced(void **state) {
  (void)state;
  size_t size;
  char text[32], value[64];
  dictum_key key = key_of(text, 7);
  build(0, records);
  unsigned char *whole = read_file(&size);
  void *table = open_table(0);
  assert_int_equal(ask(table, &key, value, sizeof value), DICTUM_OK);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(ask(table, &key, value, sizeof value), DICTUM_CONFIG);
  write_file(whole, size / 2);
  assert_int_equal(ask(table, &key, value, sizeof value), DICTUM_CONFIG);
  assert_int_equal(unlink(path), 0);
  write_file("no such thing", 13);
  assert_int_equal(ask(table, &key, value, sizeof value), DICTUM_CONFIG);
  build(0, records);
  assert_int_equal(ask(table, &key, value, sizeof value), DICTUM_OK);
  type()->close(table);
  free(whole);
}

static uint64_t chance(void) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

/* Some bytes are changed, anywhere or in the places that matter: pointers, lengths, slots. */
static void damage(unsigned char *bytes, size_t size, size_t records_end) {
  int n = (int)(chance() % 4) + 1;
  for (int i = 0; i < n; i++) {
    size_t from = chance() % 3 == 0 ? records_end : 0;
    size_t room = chance() % 3 == 0 && from == 0 ? cdb_header : size - from;
    size_t at = from + chance() % room;
    bytes[at] = (unsigned char)(chance() % 2 ? chance() : bytes[at] ^ UINT64_C(1) << chance() % 8);
  }
}

static bool is_within(const struct cdb_map *map, const dictum_key *value) {
  const char *begin = (const char *)map->at;
  return value->p >= begin && value->n <= map->size && value->p <= begin + (map->size - value->n);
}

/* What is found is a record of just that key; with a sanitizer, nothing else was read. */
static void check_damaged(const struct cdb_map *map) {
  for (int i = 0; i < records; i += 7) {
    char text[32];
    dictum_key key = key_of(text, i), value;
    if (find(map, &key, &value) != CDB_FOUND)
      continue;
    assert_true(is_within(map, &value));
    assert_memory_equal(value.p - key.n, key.p, key.n);
  }
  dictum_rec rec;
  int n = 0;
  for (size_t at = cdb_header; cdb_map_next(map, &at, &rec) == CDB_FOUND; n++)
    assert_true(is_within(map, &rec.key) && is_within(map, &rec.value));
  assert_true((size_t)n <= map->size / cdb_pair);
}

static void damage_is_told_or_does_no_harm(void **state) {
  (void)state;
  size_t size;
  int refused = 0;
  build(0, records);
  unsigned char *whole = read_file(&size);
  struct cdb_map good = {.at = whole, .size = size};
  assert_true(cdb_map_check(&good));
  for (int i = 0; i < damages; i++) {
    unsigned char *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, whole, size);
    damage(copy, size, good.records_end);
    struct cdb_map map = {.at = copy, .size = size};
    if (cdb_map_check(&map))
      check_damaged(&map);
    else
      refused++;
    free(copy);
  }
  assert_true(refused > 0 && refused < damages);
  free(whole);
}

/* A table of slots that are all taken has no end by itself. */
static void a_full_table_is_searched_once(void **state) {
  (void)state;
  size_t size;
  build(0, 1);
  unsigned char *bytes = read_file(&size);
  struct cdb_map map = {.at = bytes, .size = size};
  assert_true(cdb_map_check(&map));
  assert_int_equal(size, map.records_end + 2 * cdb_pair);
  unsigned char *slots = bytes + map.records_end;
  size_t taken = memcmp(slots + 4, "\0\0\0", 4) == 0;
  memcpy(slots + (1 - taken) * cdb_pair, slots + taken * cdb_pair, cdb_pair);
  uint32_t hash;
  memcpy(&hash, slots, sizeof hash);
  const struct cdb_question question = {{"absent", 6}, false, hash ^ 0x100};
  dictum_key value;
  assert_int_equal(cdb_map_find(&map, &question, &value), CDB_ABSENT);
  free(bytes);
}

static void what_is_too_large_is_refused(void **state) {
  (void)state;
  build(0, 1);
  void *table = open_table(DICTUM_OPEN_WRITE | DICTUM_OPEN_REPLACE), *txn = NULL;
  const dictum_txn_args args = {sizeof args, DICTUM_TXN_REPLACE_ALL, 0644, 0};
  assert_int_equal(type()->txn_begin(table, &args, &txn, NULL), DICTUM_OK);
  const dictum_rec rec = {{"key", 3}, {"not read", UINT32_MAX - 2000}};
  assert_int_equal(type()->put(txn, &rec, DICTUM_DUP_REFUSE, NULL), DICTUM_INVALID);
  type()->abort(txn);
  type()->close(table);
  table = open_table(0);
  char text[32], value[64];
  dictum_key key = key_of(text, 0);
  assert_int_equal(ask(table, &key, value, sizeof value), DICTUM_OK);
  type()->close(table);
}

static int set_up(void **state) {
  (void)state;
  if (!mkdtemp(folder))
    return -1;
  snprintf(name, sizeof name, "%s/t", folder);
  snprintf(path, sizeof path, "%s/t.cdb", folder);
  slot = (struct dictum_slot){.ctx = &ctx, .spec = "cdb:test"};
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  unlink(path);
  free(slot.file);
  return rmdir(folder);
}

static void slots_that_do_not_fit_in_memory(void **state) {
  (void)state;
  static const size_t slots[] = {1, 2, 7, 100, records - 1, records, records + 1};
  static const uint32_t flags[] = {DICTUM_OPEN_NUL, DICTUM_OPEN_NO_NUL};
  for (size_t f = 0; f < 2; f++) {
    size_t expected_size;
    build(flags[f], records);
    unsigned char *expected = read_file(&expected_size);
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++) {
      size_t size;
      load(flags[f], records, slots[i]);
      unsigned char *bytes = read_file(&size);
      assert_int_equal(size, expected_size);
      assert_memory_equal(bytes, expected, size);
      free(bytes);
    }
    free(expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_is_found_in_order),
      cmocka_unit_test(no_part_of_a_file_is_a_table),
      cmocka_unit_test(a_damaged_file_heals_when_it_is_replaced),
      cmocka_unit_test(damage_is_told_or_does_no_harm),
      cmocka_unit_test(a_full_table_is_searched_once),
      cmocka_unit_test(slots_that_do_not_fit_in_memory),
      cmocka_unit_test(what_is_too_large_is_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
