/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw_bdb.c - hash and btree tables by Berkeley DB alone. Built in the order of buckets or of keys,
 * sized beforehand, in a cache that holds all; read from a map, if not as the library comes.
 */
#include "raw.h"

#include <db.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, PAGE_USED = (PAGE - 26) * 4 / 5, RECORD_EXTRA = 8 };
static const size_t smallest_cache = 1 << 20, largest_map = (size_t)1 << 31;

static DB *table;

static void check(int code, const char *what) {
  if (code != 0)
    die(what, db_strerror(code));
}

static DBTYPE type_of(const char *kind) {
  return strcmp(kind, "hash") == 0 ? DB_HASH : DB_BTREE;
}

/* Berkeley DB's own hash of version 5 and later (FNV-1), which decides the bucket. */
static uint32_t hash_of(const struct record *record) {
  uint32_t hash = 0;
  for (size_t i = 0; i <= record->key_len; i++) { /* its null byte, too */
    hash *= 16777619;
    hash ^= (unsigned char)record->key[i];
  }
  return hash;
}

static int compare_orders(const void *left, const void *right) {
  const struct record *a = left, *b = right;
  if (a->order != b->order)
    return a->order < b->order ? -1 : 1;
  return a->key < b->key ? -1 : 1;
}

static size_t bytes_of(const struct record *records, size_t n) {
  size_t bytes = 0;
  for (size_t i = 0; i < n; i++)
    bytes += records[i].key_len + records[i].value_len + RECORD_EXTRA;
  return bytes;
}

/* The library adds a bucket when records / buckets exceeds the fill factor, and counts what it was
 * told to expect as if it were there. So half of twice the fill is expected: none is ever split. */
static void size_buckets(DB *db, struct record *records, size_t n) {
  size_t each = bytes_of(records, n) / (n ? n : 1) + 1;
  size_t per_page = PAGE_USED / each ? PAGE_USED / each : 1, buckets = 2;
  while (buckets * per_page < n)
    buckets *= 2;
  uint32_t factor = (uint32_t)(2 * n / buckets + 1);
  check(db->set_h_ffactor(db, factor), "set_h_ffactor");
  check(db->set_h_nelem(db, (uint32_t)(factor * (buckets / 2) + 1)), "set_h_nelem");
  for (size_t i = 0; i < n; i++)
    records[i].order = hash_of(&records[i]) & (buckets - 1);
  qsort(records, n, sizeof *records, compare_orders);
}

void store_build(const char *kind, const char *path, struct record *records, size_t n) {
  DB *db;
  int is_hash = type_of(kind) == DB_HASH;
  check(db_create(&db, NULL, 0), "db_create");
  uint64_t cache = bytes_of(records, n) * 2 + smallest_cache;
  check(db->set_cachesize(db, (uint32_t)(cache >> 30), (uint32_t)(cache & 0x3fffffff), 1), "cache");
  check(db->set_pagesize(db, PAGE), "set_pagesize");
  if (is_hash)
    size_buckets(db, records, n);
  else
    sort_by_key(records, &n);
  unlink(path);
  check(db->open(db, NULL, path, NULL, type_of(kind), DB_CREATE, 0644), path);
  for (size_t i = 0; i < n; i++) {
    DBT key = {.data = (void *)(uintptr_t)records[i].key, .size = records[i].key_len + 1};
    DBT value = {.data = (void *)(uintptr_t)records[i].value, .size = records[i].value_len + 1};
    int code = db->put(db, NULL, &key, &value, is_hash ? DB_NOOVERWRITE : 0);
    if (code != DB_KEYEXIST)
      check(code, "put");
  }
  check(db->close(db, 0), "close"); /* writes, and syncs */
}

/* Berkeley DB maps a btree, but not a hash: that needs a cache as large as the file. */
static void make_room(DB_ENV *env, const char *path) {
  struct stat about;
  if (stat(path, &about) != 0)
    die(path, "is not there");
  uint64_t cache = (uint64_t)about.st_size * 5 / 4 + smallest_cache;
  check(env->set_cachesize(env, (uint32_t)(cache >> 30), (uint32_t)(cache & 0x3fffffff), 1),
        "cache");
}

void store_open(const char *kind, const char *path, enum purpose purpose) {
  DB_ENV *env;
  check(db_env_create(&env, 0), "db_env_create");
  if (type_of(kind) == DB_HASH && purpose == MANY_KEYS)
    make_room(env, path);
  if (purpose != MANY_KEYS_AS_IT_COMES)
    check(env->set_mp_mmapsize(env, largest_map), "set_mp_mmapsize");
  check(env->open(env, NULL, DB_CREATE | DB_PRIVATE | DB_INIT_MPOOL, 0), "environment");
  check(db_create(&table, env, 0), "db_create");
  check(table->open(table, NULL, path, NULL, type_of(kind), DB_RDONLY, 0), path);
}

int store_get(const char *key, size_t len, const char **value, size_t *value_len) {
  DBT question = {.data = (void *)(uintptr_t)key, .size = (uint32_t)len + 1}, answer = {0};
  int code = table->get(table, NULL, &question, &answer, 0);
  if (code == DB_NOTFOUND)
    return 0;
  check(code, "get");
  *value = answer.data;
  *value_len = answer.size - 1;
  return 1;
}
