/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw_lmdb.c - lmdb tables by LMDB alone. Built in the order of keys, appended in one transaction
 * with the map sized beforehand; read in one transaction that is kept, which is as fast as LMDB can
 * be and would not see a change.
 */
#include "raw.h"

#include <lmdb.h>
#include <unistd.h>

static MDB_txn *txn;
static MDB_dbi dbi;

static void check(int code, const char *what) {
  if (code != 0)
    die(what, mdb_strerror(code));
}

static MDB_env *open_env(const char *path, unsigned flags, size_t map_size) {
  MDB_env *env;
  check(mdb_env_create(&env), "mdb_env_create");
  if (map_size)
    check(mdb_env_set_mapsize(env, map_size), "mdb_env_set_mapsize");
  check(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | flags, 0644), path);
  return env;
}

void store_build(const char *kind, const char *path, struct record *records, size_t n) {
  (void)kind;
  size_t bytes = 1 << 20;
  sort_by_key(records, &n);
  for (size_t i = 0; i < n; i++)
    bytes += 2 * (records[i].key_len + records[i].value_len + 16);
  unlink(path);
  MDB_env *env = open_env(path, 0, (bytes + 0xffff) & ~(size_t)0xffff);
  check(mdb_txn_begin(env, NULL, 0, &txn), "mdb_txn_begin");
  check(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
  for (size_t i = 0; i < n; i++) {
    MDB_val key = {records[i].key_len + 1, (void *)(uintptr_t)records[i].key};
    MDB_val value = {records[i].value_len + 1, (void *)(uintptr_t)records[i].value};
    check(mdb_put(txn, dbi, &key, &value, MDB_APPEND), "mdb_put");
  }
  check(mdb_txn_commit(txn), "mdb_txn_commit"); /* syncs */
  mdb_env_close(env);
}

void store_open(const char *kind, const char *path, enum purpose purpose) {
  (void)kind, (void)purpose;
  MDB_env *env = open_env(path, MDB_RDONLY, 0);
  check(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "mdb_txn_begin");
  check(mdb_dbi_open(txn, NULL, 0, &dbi), "mdb_dbi_open");
}

int store_get(const char *key, size_t len, const char **value, size_t *value_len) {
  MDB_val question = {len + 1, (void *)(uintptr_t)key}, answer;
  int code = mdb_get(txn, dbi, &question, &answer);
  if (code == MDB_NOTFOUND)
    return 0;
  check(code, "mdb_get");
  *value = answer.mv_data;
  *value_len = answer.mv_size - 1;
  return 1;
}
