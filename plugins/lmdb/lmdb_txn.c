/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_txn.c - changing LMDB files: a whole new content aside, or single records in place.
 *
 * A transaction of LMDB's cannot grow its map and is lost when that is full. A
 * whole content comes with a map that it must fit in, as its size is known
 * beforehand. An update keeps a journal in memory of what was done and does it
 * again in a larger map.
 *
 * A transaction keeps the pages that it changes in memory. So a large content
 * comes in several, which nobody sees before the file is in its place.
 */
#include "lmdb_table.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "newfile.h"

enum { smallest_map = 256 * 1024, most_in_transaction = 24 << 20 /* bytes of records */ };

/* A change, followed by its key and value as stored. A removal has no value. */
struct change {
  size_t keylen, valuelen;
  bool removal;
};

struct lmdb_txn {
  struct lmdb *table;
  struct newfile *aside; /* REPLACE_ALL */
  int fd;                /* UPDATE: for the lock */
  MDB_env *env;
  MDB_txn *txn;
  MDB_cursor *cursor; /* REPLACE_ALL */
  MDB_dbi dbi;
  size_t map_bytes;
  uint64_t put_bytes;    /* REPLACE_ALL: so far */
  size_t in_transaction; /* REPLACE_ALL: since the last commit */
  struct {
    char *bytes;
    size_t used, room;
  } journal; /* UPDATE */
  jmp_buf on_assert;
  bool broken; /* an assertion failed: the environment can only be left behind */
};

static void close_env(struct lmdb_txn *txn) {
  if (txn->txn && !txn->broken)
    mdb_txn_abort(txn->txn);
  if (txn->env && !txn->broken)
    mdb_env_close(txn->env);
  txn->txn = NULL;
  txn->env = NULL;
}

static void txn_free(struct lmdb_txn *txn) {
  if (txn->cursor && !txn->broken)
    mdb_cursor_close(txn->cursor);
  close_env(txn);
  newfile_abort(txn->aside);
  if (txn->fd >= 0)
    close(txn->fd);
  free(txn->journal.bytes);
  free(txn);
}

/* Fails as Postfix does, whose scripts look for the name of the error. */
static dictum_status fail_update(const struct lmdb_txn *txn, dictum_error *err, int error) {
  char text[128];
  error = tablefile_write_errno(txn->aside ? newfile_fd(txn->aside) : txn->fd, error);
  return txn->table->file.host->fail(
      err, lmdb_status(error), error > 0 ? error : 0, "error updating %s: %s", txn->table->label,
      error > 0 ? tablefile_errno_text(error, text, sizeof text) : mdb_strerror(error));
}

/* ---- the library, with its assertions caught ------------------------------------------------ */

static int begin(struct lmdb_txn *txn) {
  if (setjmp(txn->on_assert) != 0) {
    txn->broken = true;
    return MDB_CORRUPTED;
  }
  int error = mdb_txn_begin(txn->env, NULL, 0, &txn->txn);
  return error ? error : mdb_dbi_open(txn->txn, NULL, 0, &txn->dbi);
}

static int put_bytes(struct lmdb_txn *txn, MDB_val *key, MDB_val *value, unsigned flags) {
  if (setjmp(txn->on_assert) != 0) {
    txn->broken = true;
    return MDB_CORRUPTED;
  }
  return txn->cursor ? mdb_cursor_put(txn->cursor, key, value, flags)
                     : mdb_put(txn->txn, txn->dbi, key, value, flags);
}

static int del_bytes(struct lmdb_txn *txn, MDB_val *key) {
  if (setjmp(txn->on_assert) != 0) {
    txn->broken = true;
    return MDB_CORRUPTED;
  }
  return mdb_del(txn->txn, txn->dbi, key, NULL);
}

static int commit_txn(struct lmdb_txn *txn) {
  if (setjmp(txn->on_assert) != 0) {
    txn->broken = true;
    return MDB_CORRUPTED;
  }
  MDB_txn *ended = txn->txn;
  txn->txn = NULL;
  return mdb_txn_commit(ended);
}

/* ---- the whole content ---------------------------------------------------------------------- */

/* Postfix leaves a file alone that is not LMDB's: somebody may have mistyped the name. A damaged
 * one is replaced. */
static dictum_status check_old(const struct lmdb_txn *txn, dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  const struct stat *old = newfile_old(txn->aside);
  struct stat st;
  int fd;
  if (!old || old->st_size == 0)
    return DICTUM_OK;
  dictum_status status = tablefile_open(file, &fd, &st, err);
  if (status != DICTUM_OK)
    return status;
  int error = lmdb_tree_has_trace(fd) ? 0 : MDB_INVALID;
  close(fd);
  return error ? lmdb_fail(txn->table, err, error, "open database") : DICTUM_OK;
}

static dictum_status begin_replace(struct lmdb_txn *txn, const dictum_txn_args *args,
                                   dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  dictum_status status = newfile_begin(file->host, file->path, args->file_mode, args->deadline_ns,
                                       &txn->aside, err);
  return status == DICTUM_OK ? check_old(txn, err) : status;
}

/* A map that @p nrecs records of @p nbytes fit in whatever their sizes: pages are at least half
 * full, a value of its own pages at least fills half of them, and the pages above are fewer. */
static size_t map_for(const struct lmdb *table, uint64_t nrecs, uint64_t nbytes) {
  const uint64_t record_overhead = 16, reserve = 1 << 20;
  uint64_t bytes = (nbytes + record_overhead * nrecs) * 4 + reserve;
  if (bytes < table->map_bytes)
    bytes = table->map_bytes;
  return bytes < SIZE_MAX / 2 ? (size_t)bytes : SIZE_MAX / 2;
}

static int begin_append(struct lmdb_txn *txn) {
  int error = begin(txn);
  return error ? error : mdb_cursor_open(txn->txn, txn->dbi, &txn->cursor);
}

static dictum_status open_aside(struct lmdb_txn *txn, uint64_t nrecs, uint64_t nbytes,
                                dictum_error *err) {
  const struct lmdb *table = txn->table;
  txn->map_bytes = map_for(table, nrecs, nbytes);
  int error = lmdb_env_open(&txn->env, newfile_name(txn->aside), MDB_NOSYNC, txn->map_bytes,
                            &txn->on_assert);
  if (!error && !lmdb_has_file(txn->env, newfile_fd(txn->aside)))
    return table->file.host->fail(err, DICTUM_CONFIG, 0,
                                  "create database %s: somebody else put a file in its way",
                                  table->file.path);
  if (!error)
    error = begin_append(txn);
  return error ? lmdb_fail(table, err, error, "create database") : DICTUM_OK;
}

static int end_append(struct lmdb_txn *txn) {
  mdb_cursor_close(txn->cursor);
  txn->cursor = NULL;
  return commit_txn(txn);
}

static MDB_val val(const dictum_key *bytes) {
  return (MDB_val){bytes->n, (void *)(uintptr_t)bytes->p};
}

/* Ends a transaction that has become large, and begins the next. */
static dictum_status turn_over(struct lmdb_txn *txn, dictum_error *err) {
  txn->in_transaction = 0;
  int error = end_append(txn);
  if (!error)
    error = begin_append(txn);
  return error ? fail_update(txn, err, error) : DICTUM_OK;
}

static dictum_status append(struct lmdb_txn *txn, const dictum_rec *rec, dictum_error *err) {
  struct tablefile_record stored;
  txn->in_transaction += rec->key.n + rec->value.n;
  if (txn->in_transaction > most_in_transaction) {
    dictum_status status = turn_over(txn, err);
    if (status != DICTUM_OK)
      return status;
  }
  dictum_status status = tablefile_record_make(&stored, &txn->table->file, rec, err);
  if (status != DICTUM_OK)
    return status;
  MDB_val key = val(&stored.key), value = val(&stored.value);
  int error = put_bytes(txn, &key, &value, MDB_APPEND);
  tablefile_record_free(&stored);
  if (error == MDB_KEYEXIST)
    return txn->table->file.host->fail(err, DICTUM_INVALID, 0, "entries are not in order");
  return error ? fail_update(txn, err, error) : DICTUM_OK;
}

/* One record of an unknown number: the map grows between two transactions. */
static dictum_status append_one(struct lmdb_txn *txn, const dictum_rec *rec, dictum_error *err) {
  dictum_status status = txn->env ? DICTUM_OK : open_aside(txn, 0, 0, err);
  if (status != DICTUM_OK)
    return status;
  txn->put_bytes += rec->key.n + rec->value.n;
  size_t wanted = map_for(txn->table, 1, txn->put_bytes);
  if (wanted > txn->map_bytes) {
    int error = end_append(txn);
    if (!error)
      error = mdb_env_set_mapsize(txn->env, wanted * 2);
    if (!error)
      error = begin_append(txn);
    if (error)
      return fail_update(txn, err, error);
    txn->map_bytes = wanted * 2;
  }
  return append(txn, rec, err);
}

dictum_status lmdb_load(void *rock, dictum_bulk *bulk, dictum_error *err) {
  struct lmdb_txn *txn = rock;
  uint64_t nul = tablefile_writes_nul(&txn->table->file) ? 2 : 0;
  const dictum_rec *recs;
  size_t n;
  dictum_status status = open_aside(txn, bulk->nrecs, bulk->nbytes + nul * bulk->nrecs, err);
  if (status != DICTUM_OK)
    return status;
  while ((status = bulk->next(bulk, &recs, &n, err)) == DICTUM_OK)
    for (size_t i = 0; i < n; i++) {
      status = append(txn, &recs[i], err);
      if (status != DICTUM_OK)
        return status;
    }
  return status == DICTUM_END ? DICTUM_OK : status;
}

static dictum_status commit_replace(struct lmdb_txn *txn, dictum_error *err) {
  dictum_status status = txn->env ? DICTUM_OK : open_aside(txn, 0, 0, err);
  if (status != DICTUM_OK)
    return status;
  int error = end_append(txn);
  if (error)
    return fail_update(txn, err, error);
  close_env(txn);
  status = newfile_replace(txn->aside, FILELOCK_OFD, false, err);
  txn->aside = NULL;
  return status;
}

/* ---- in place ------------------------------------------------------------------------------- */

static dictum_status create_empty_aside(struct lmdb_txn *txn, dictum_error *err) {
  dictum_status status = open_aside(txn, 0, 0, err);
  if (status != DICTUM_OK)
    return status;
  int error = end_append(txn);
  if (error)
    return lmdb_fail(txn->table, err, error, "create database");
  close_env(txn);
  status = newfile_create(txn->aside, err);
  txn->aside = NULL;
  return status;
}

/* Makes an empty database unless there is one by now. */
static dictum_status create_empty(struct lmdb_txn *txn, const dictum_txn_args *args,
                                  dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  dictum_status status = newfile_begin(file->host, file->path, args->file_mode, args->deadline_ns,
                                       &txn->aside, err);
  if (status == DICTUM_OK && !newfile_old(txn->aside))
    status = create_empty_aside(txn, err);
  newfile_abort(txn->aside);
  txn->aside = NULL;
  return status;
}

/* Takes the lock exclusively, and then shares it: readers of the present state may go on. Those who
 * replace the file ask for a lock of the other kind, too (newfile.c). */
static int take_lock(int fd, int64_t deadline_ns) {
  int error = filelock_take(fd, FILELOCK_FLOCK, true, deadline_ns);
  if (!error)
    error = filelock_take(fd, FILELOCK_OFD, true, deadline_ns);
  if (!error)
    error = filelock_take(fd, FILELOCK_OFD, false, deadline_ns);
  return error;
}

static dictum_status lock_for_update(struct lmdb_txn *txn, int64_t deadline_ns, struct stat *st,
                                     dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  struct stat seen;
  for (;;) {
    dictum_status status = tablefile_open(file, &txn->fd, &seen, err);
    if (status != DICTUM_OK)
      return status;
    int error = take_lock(txn->fd, deadline_ns);
    if (error)
      return tablefile_fail(file, err, error, "lock");
    if (tablefile_is_current(file, txn->fd, &seen, st))
      return DICTUM_OK;
    close(txn->fd);
    txn->fd = -1;
  }
}

static dictum_status begin_update(struct lmdb_txn *txn, const dictum_txn_args *args,
                                  dictum_error *err) {
  const struct lmdb *table = txn->table;
  struct stat st;
  dictum_status status = DICTUM_OK;
  if (tablefile_is_to_be_made(&table->file))
    status = create_empty(txn, args, err);
  if (status == DICTUM_OK)
    status = lock_for_update(txn, args->deadline_ns, &st, err);
  if (status != DICTUM_OK)
    return status;
  txn->map_bytes = (size_t)st.st_size * 2;
  if (txn->map_bytes < table->map_bytes)
    txn->map_bytes = table->map_bytes;
  if (txn->map_bytes < smallest_map)
    txn->map_bytes = smallest_map;
  /* A file without a byte is the library's to begin. */
  bool empty = st.st_size == 0 && (table->file.flags & DICTUM_OPEN_CREATE);
  int error = empty ? 0 : lmdb_check_file(txn->fd);
  if (!error)
    error = lmdb_env_open(&txn->env, table->file.path,
                          table->file.flags & DICTUM_OPEN_NOSYNC ? MDB_NOSYNC : 0, txn->map_bytes,
                          &txn->on_assert);
  if (error)
    return lmdb_fail(table, err, error, "open database");
  if (!lmdb_has_file(txn->env, txn->fd))
    return table->file.host->fail(err, DICTUM_RETRY, 0, "database %s was replaced just now",
                                  table->file.path);
  error = begin(txn);
  return error ? lmdb_fail(table, err, error, "open database") : DICTUM_OK;
}

/* ---- the journal of an update --------------------------------------------------------------- */

static int journal_add(struct lmdb_txn *txn, const MDB_val *key, const MDB_val *value) {
  struct change change = {key->mv_size, value ? value->mv_size : 0, !value};
  size_t size = sizeof change + change.keylen + change.valuelen;
  if (txn->journal.room - txn->journal.used < size) {
    size_t room = txn->journal.room * 2 + size;
    char *bytes = realloc(txn->journal.bytes, room);
    if (!bytes)
      return ENOMEM;
    txn->journal.bytes = bytes;
    txn->journal.room = room;
  }
  char *at = txn->journal.bytes + txn->journal.used;
  memcpy(at, &change, sizeof change);
  memcpy(at + sizeof change, key->mv_data, change.keylen);
  if (value)
    memcpy(at + sizeof change + change.keylen, value->mv_data, change.valuelen);
  txn->journal.used += size;
  return 0;
}

static int redo(struct lmdb_txn *txn, char *at, size_t *size) {
  struct change change;
  memcpy(&change, at, sizeof change);
  MDB_val key = {change.keylen, at + sizeof change};
  MDB_val value = {change.valuelen, at + sizeof change + change.keylen};
  *size = sizeof change + change.keylen + change.valuelen;
  return change.removal ? del_bytes(txn, &key) : put_bytes(txn, &key, &value, 0);
}

/* Begins again in a map twice as large, up to and without the change that did not fit. */
static int grow_once(struct lmdb_txn *txn) {
  if (txn->map_bytes > SIZE_MAX / 4)
    return MDB_MAP_FULL;
  txn->map_bytes *= 2;
  if (txn->txn)
    mdb_txn_abort(txn->txn);
  txn->txn = NULL;
  int error = mdb_env_set_mapsize(txn->env, txn->map_bytes);
  if (!error)
    error = begin(txn);
  for (size_t at = 0, size; !error && at < txn->journal.used; at += size)
    error = redo(txn, txn->journal.bytes + at, &size);
  return error;
}

static int grow(struct lmdb_txn *txn) {
  int error;
  do
    error = grow_once(txn);
  while (error == MDB_MAP_FULL && txn->map_bytes <= SIZE_MAX / 4);
  return error;
}

static int change_one(struct lmdb_txn *txn, MDB_val *key, MDB_val *value, unsigned flags) {
  for (;;) {
    MDB_val given = value ? *value : (MDB_val){0};
    int error = value ? put_bytes(txn, key, &given, flags) : del_bytes(txn, key);
    if (!error)
      return journal_add(txn, key, value);
    if (error != MDB_MAP_FULL)
      return error;
    error = grow(txn);
    if (error)
      return error;
  }
}

static dictum_status update_one(struct lmdb_txn *txn, const dictum_rec *rec, uint32_t dup,
                                dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  struct tablefile_record stored;
  dictum_status status = tablefile_record_make(&stored, file, rec, err);
  if (status != DICTUM_OK)
    return status;
  MDB_val key = val(&stored.key), value = val(&stored.value);
  int error = change_one(txn, &key, &value, dup == DICTUM_DUP_REPLACE ? 0 : MDB_NOOVERWRITE);
  tablefile_record_free(&stored);
  if (error == 0 || (error == MDB_KEYEXIST && dup == DICTUM_DUP_IGNORE))
    return DICTUM_OK;
  if (error != MDB_KEYEXIST)
    return fail_update(txn, err, error);
  return tablefile_exists(file, err, txn->table->label, &rec->key);
}

static dictum_status remove_bytes(void *rock, const dictum_key *key, dictum_error *err) {
  struct lmdb_txn *txn = rock;
  if (key->n == 0 || key->n > (size_t)mdb_env_get_maxkeysize(txn->env))
    return DICTUM_NOTFOUND;
  MDB_val k = val(key);
  int error = change_one(txn, &k, NULL, 0);
  if (error == MDB_NOTFOUND)
    return DICTUM_NOTFOUND;
  return error ? fail_update(txn, err, error) : DICTUM_OK;
}

static dictum_status commit_update(struct lmdb_txn *txn, dictum_error *err) {
  int error = commit_txn(txn);
  while (error == MDB_MAP_FULL) {
    error = grow(txn);
    if (!error)
      error = commit_txn(txn);
  }
  return error ? fail_update(txn, err, error) : DICTUM_OK;
}

/* ---- methods -------------------------------------------------------------------------------- */

dictum_status lmdb_txn_begin(void *self, const dictum_txn_args *args, void **out,
                             dictum_error *err) {
  struct lmdb *table = self;
  struct lmdb_txn *txn = calloc(1, sizeof *txn);
  if (!txn)
    return tablefile_nomem(&table->file, err);
  txn->table = table;
  txn->fd = -1;
  dictum_status status = args->mode == DICTUM_TXN_REPLACE_ALL ? begin_replace(txn, args, err)
                                                              : begin_update(txn, args, err);
  if (status != DICTUM_OK) {
    txn_free(txn);
    return status;
  }
  *out = txn;
  return DICTUM_OK;
}

dictum_status lmdb_put(void *rock, const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  struct lmdb_txn *txn = rock;
  return txn->aside ? append_one(txn, rec, err) : update_one(txn, rec, dup, err);
}

dictum_status lmdb_del(void *rock, const char *key, size_t len, dictum_error *err) {
  struct lmdb_txn *txn = rock;
  const dictum_key wanted = {key, len};
  if (txn->aside)
    return DICTUM_NOTFOUND;
  return tablefile_delete(&txn->table->file, remove_bytes, txn, &wanted, err);
}

dictum_status lmdb_commit(void *rock, dictum_error *err) {
  struct lmdb_txn *txn = rock;
  dictum_status status = txn->aside ? commit_replace(txn, err) : commit_update(txn, err);
  txn_free(txn);
  return status;
}

void lmdb_abort(void *rock) {
  txn_free(rock);
}
