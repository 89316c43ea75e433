/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_txn.c - changing Berkeley DB files: a whole new content, or single records.
 *
 * The whole: a hash gets all its buckets at once, so that it never splits one,
 * and records bucket by bucket; a btree gets them in order, so that pages fill
 * up one after the other. Either way a page is done when the next is begun. So
 * we write it ourselves (bdb_write_hash.c, bdb_write_btree.c); the library can
 * do it as well, with a cache of the default size.
 *
 * Single records: a change of Berkeley DB's that stops half way damages the
 * file, whether by a kill or for want of room on the disk. So the change is made
 * to a copy, which takes the file's place at the end. Meanwhile the file can be
 * read, but not written by others. A file too large to copy for every change, or
 * in a folder where no copy can be made, is changed in place.
 */
#include "bdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bdb_write.h"
#include "newfile.h"

enum {
  packing_bytes = 1 << 20, /* of records that the library is given at once */
  largest_copy_bytes = 64 << 20
};

struct bdb_txn {
  struct bdb *table;
  struct newfile *aside; /* what will take the file's place; NULL: UPDATE in place */
  int fd;                /* UPDATE: for the lock; else -1 */
  struct stat before;    /* UPDATE: the file at the beginning */
  bool in_place;         /* UPDATE: table->updating is ours */
  bool changed;          /* UPDATE: something was put or removed */
  DB *db;
  DBT packed;   /* REPLACE_ALL: records on their way */
  bool written; /* REPLACE_ALL: without the library */
};

static dictum_status fail_write(const struct bdb_txn *txn, dictum_error *err, int error) {
  error = tablefile_write_errno(txn->aside ? newfile_fd(txn->aside) : txn->fd, error);
  return bdb_fail(txn->table, err, error, "write database");
}

/* Frees what is left of a transaction. */
static void txn_free(struct bdb_txn *txn) {
  if (txn->in_place)
    atomic_store(&txn->table->updating, false);
  if (txn->db)
    txn->db->close(txn->db, DB_NOSYNC);
  newfile_abort(txn->aside);
  if (txn->fd >= 0)
    close(txn->fd);
  free(txn->packed.data);
  free(txn);
}

static void tell_of_empty(const struct tablefile *file) {
  file->host->log(file->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_FILE,
                  "removing zero-length database file: %s", file->path);
}

/* ---- the whole content ---------------------------------------------------------------------- */

static dictum_status begin_replace(struct bdb_txn *txn, const dictum_txn_args *args,
                                   dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  dictum_status status = newfile_begin(file->host, file->path, args->file_mode, args->deadline_ns,
                                       &txn->aside, err);
  if (status != DICTUM_OK)
    return status;
  const struct stat *old = newfile_old(txn->aside);
  if (old && old->st_size == 0)
    tell_of_empty(file);
  return DICTUM_OK;
}

static dictum_status open_aside(struct bdb_txn *txn, uint64_t nrecs, uint64_t nbytes,
                                dictum_error *err) {
  const struct bdb *table = txn->table;
  int error = bdb_new(&txn->db, table->create_cache);
  if (!error)
    error = txn->db->set_pagesize(txn->db, bdb_page_bytes);
  if (!error && table->kind == DB_HASH)
    error = bdb_size_hash(txn->db, nrecs, nbytes);
  if (!error)
    error = bdb_open(&txn->db, newfile_name(txn->aside), table->kind, DB_CREATE | DB_TRUNCATE);
  if (error)
    return bdb_fail(table, err, error, "create database");
  if (!bdb_has_file(txn->db, newfile_fd(txn->aside)))
    return table->file.host->fail(err, DICTUM_CONFIG, 0,
                                  "create database %s: somebody else put a file in its way",
                                  table->file.path);
  return DICTUM_OK;
}

static dictum_status close_aside(struct bdb_txn *txn, dictum_error *err) {
  int error = txn->db->close(txn->db, 0);
  txn->db = NULL;
  return error ? fail_write(txn, err, error) : DICTUM_OK;
}

/* ---- records -------------------------------------------------------------------------------- */

static DBT dbt(const dictum_key *bytes) {
  return (DBT){.data = (void *)(uintptr_t)bytes->p, .size = (u_int32_t)bytes->n};
}

dictum_status bdb_put(void *rock, const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  struct bdb_txn *txn = rock;
  const struct tablefile *file = &txn->table->file;
  struct tablefile_record stored;
  dictum_status status = txn->db ? DICTUM_OK : open_aside(txn, 0, 0, err);
  if (status == DICTUM_OK)
    status = tablefile_record_make(&stored, file, rec, err);
  if (status != DICTUM_OK)
    return status;
  DBT key = dbt(&stored.key), value = dbt(&stored.value);
  u_int32_t flags = dup == DICTUM_DUP_REPLACE ? 0 : DB_NOOVERWRITE;
  int error = txn->db->put(txn->db, NULL, &key, &value, flags);
  tablefile_record_free(&stored);
  txn->changed |= error == 0;
  if (error == 0 || (error == DB_KEYEXIST && dup == DICTUM_DUP_IGNORE))
    return DICTUM_OK;
  return error == DB_KEYEXIST ? tablefile_exists(file, err, file->path, &rec->key)
                              : fail_write(txn, err, error);
}

static dictum_status remove_bytes(void *rock, const dictum_key *key, dictum_error *err) {
  struct bdb_txn *txn = rock;
  if (key->n > UINT32_MAX)
    return DICTUM_NOTFOUND;
  DBT k = dbt(key);
  int error = txn->db->del(txn->db, NULL, &k, 0);
  txn->changed |= error == 0;
  if (error == 0 || error == DB_NOTFOUND)
    return error ? DICTUM_NOTFOUND : DICTUM_OK;
  return fail_write(txn, err, error);
}

dictum_status bdb_del(void *rock, const char *key, size_t len, dictum_error *err) {
  struct bdb_txn *txn = rock;
  const dictum_key wanted = {key, len};
  if (!txn->db)
    return DICTUM_NOTFOUND;
  return tablefile_delete(&txn->table->file, remove_bytes, txn, &wanted, err);
}

/* ---- many records at once ------------------------------------------------------------------- */

/* The library's packing of many records; its macros lay claim to this much. */
static void start_packing(struct bdb_txn *txn, void **at) {
  txn->packed.ulen = packing_bytes;
  txn->packed.flags = DB_DBT_USERMEM | DB_DBT_BULK;
  DB_MULTIPLE_WRITE_INIT(*at, &txn->packed);
}

static dictum_status send_packed(struct bdb_txn *txn, dictum_error *err) {
  DBT unused = {0};
  int error = txn->db->put(txn->db, NULL, &txn->packed, &unused, DB_MULTIPLE_KEY);
  return error ? fail_write(txn, err, error) : DICTUM_OK;
}

/* Adds a record to the packing. False: there is no room. */
static bool pack(struct bdb_txn *txn, void **at, const dictum_rec *rec, size_t nul) {
  u_int8_t *key, *value;
  void *next = *at;
  DB_MULTIPLE_KEY_RESERVE_NEXT(next, &txn->packed, key, rec->key.n + nul, value,
                               rec->value.n + nul);
  if (!key || !value)
    return false;
  *at = next;
  memset(key + rec->key.n, 0, nul);
  memset(value + rec->value.n, 0, nul);
  if (rec->key.n > 0)
    memcpy(key, rec->key.p, rec->key.n);
  if (rec->value.n > 0)
    memcpy(value, rec->value.p, rec->value.n);
  return true;
}

struct packing {
  void *at;
  bool empty;
};

static bool is_too_large_to_pack(const dictum_rec *rec) {
  return rec->key.n > packing_bytes / 4 || rec->value.n > packing_bytes / 4;
}

static dictum_status flush(struct bdb_txn *txn, struct packing *packing, dictum_error *err) {
  dictum_status status = packing->empty ? DICTUM_OK : send_packed(txn, err);
  start_packing(txn, &packing->at);
  packing->empty = true;
  return status;
}

static dictum_status load_one(struct bdb_txn *txn, struct packing *packing, const dictum_rec *rec,
                              dictum_error *err) {
  size_t nul = tablefile_writes_nul(&txn->table->file);
  if (!is_too_large_to_pack(rec) && pack(txn, &packing->at, rec, nul)) {
    packing->empty = false;
    return DICTUM_OK;
  }
  dictum_status status = flush(txn, packing, err);
  if (status != DICTUM_OK)
    return status;
  if (is_too_large_to_pack(rec))
    return bdb_put(txn, rec, DICTUM_DUP_REPLACE, err);
  packing->empty = !pack(txn, &packing->at, rec, nul);
  return DICTUM_OK;
}

static dictum_status load_all(struct bdb_txn *txn, dictum_bulk *bulk, dictum_error *err) {
  const dictum_rec *recs;
  size_t n;
  struct packing packing;
  start_packing(txn, &packing.at);
  packing.empty = true;
  dictum_status status;
  while ((status = bulk->next(bulk, &recs, &n, err)) == DICTUM_OK)
    for (size_t i = 0; i < n; i++) {
      status = load_one(txn, &packing, &recs[i], err);
      if (status != DICTUM_OK)
        return status;
    }
  return status == DICTUM_END ? flush(txn, &packing, err) : status;
}

static dictum_status load_by_library(struct bdb_txn *txn, dictum_bulk *bulk, dictum_error *err) {
  uint64_t nul = tablefile_writes_nul(&txn->table->file) ? 2 : 0;
  dictum_status status = open_aside(txn, bulk->nrecs, bulk->nbytes + nul * bulk->nrecs, err);
  if (status != DICTUM_OK)
    return status;
  txn->packed.data = malloc(packing_bytes);
  if (!txn->packed.data)
    return tablefile_nomem(&txn->table->file, err);
  return load_all(txn, bulk, err);
}

dictum_status bdb_load(void *rock, dictum_bulk *bulk, dictum_error *err) {
  struct bdb_txn *txn = rock;
  const struct bdb *table = txn->table;
  if (table->by_library)
    return load_by_library(txn, bulk, err);
  int error;
  bool nul = tablefile_writes_nul(&table->file);
  txn->written = true;
  dictum_status status = table->kind == DB_HASH
                             ? bdb_write_hash(newfile_fd(txn->aside), nul, bulk, &error, err)
                             : bdb_write_btree(newfile_fd(txn->aside), nul, bulk, &error, err);
  return error ? bdb_fail(table, err, error, "write database") : status;
}

uint64_t bdb_bucket(void *rock, const char *key, size_t len) {
  const struct bdb_txn *txn = rock;
  return bdb_bucket_order(bdb_hash(key, len, tablefile_writes_nul(&txn->table->file)));
}

/* ---- in place ------------------------------------------------------------------------------- */

static dictum_status create_empty_aside(struct bdb_txn *txn, dictum_error *err) {
  dictum_status status = open_aside(txn, 0, 0, err);
  if (status == DICTUM_OK)
    status = close_aside(txn, err);
  if (status != DICTUM_OK)
    return status;
  status = newfile_create(txn->aside, err);
  txn->aside = NULL;
  return status;
}

/* Makes an empty database unless there is one by now. */
static dictum_status create_empty(struct bdb_txn *txn, const dictum_txn_args *args,
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

static dictum_status lock_for_update(struct bdb_txn *txn, bool exclusive, int64_t deadline_ns,
                                     dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  for (;;) {
    dictum_status status = tablefile_open(file, &txn->fd, &txn->before, err);
    if (status != DICTUM_OK)
      return status;
    int error = exclusive ? filelock_take(txn->fd, FILELOCK_FLOCK, true, deadline_ns)
                          : filelock_keep_writers_out(txn->fd, FILELOCK_FLOCK, deadline_ns);
    if (error)
      return tablefile_fail(file, err, error, "lock");
    struct stat now;
    if (tablefile_is_current(file, txn->fd, &txn->before, &now)) {
      txn->before = now;
      return DICTUM_OK;
    }
    close(txn->fd);
    txn->fd = -1;
  }
}

/* Removes a file without a byte, which Berkeley DB would refuse, unless it has some by now. */
static dictum_status remove_empty(struct bdb_txn *txn, int64_t deadline_ns, dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  dictum_status status = lock_for_update(txn, true, deadline_ns, err);
  if (status == DICTUM_OK && txn->before.st_size == 0) {
    tell_of_empty(file);
    if (unlink(file->path) != 0)
      status = tablefile_fail(file, err, errno, "remove database");
  }
  if (txn->fd >= 0)
    close(txn->fd);
  txn->fd = -1;
  return status;
}

static dictum_status make_file(struct bdb_txn *txn, const dictum_txn_args *args,
                               dictum_error *err) {
  struct stat st;
  dictum_status status = DICTUM_OK;
  if (stat(txn->table->file.path, &st) == 0)
    status = remove_empty(txn, args->deadline_ns, err);
  return status == DICTUM_OK ? create_empty(txn, args, err) : status;
}

/* Begins the copy, before the lock, as a builder does. Without one the change is made in place. */
static dictum_status begin_copy(struct bdb_txn *txn, const dictum_txn_args *args,
                                dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  struct stat st;
  if (stat(file->path, &st) != 0 || st.st_size > largest_copy_bytes)
    return DICTUM_OK;
  dictum_status status = newfile_begin(file->host, file->path, args->file_mode, args->deadline_ns,
                                       &txn->aside, err);
  return status == DICTUM_CONFIG ? DICTUM_OK : status;
}

static dictum_status open_for_update(struct bdb_txn *txn, dictum_error *err) {
  struct bdb *table = txn->table;
  int error = bdb_check_file(txn->fd, table->kind);
  if (error)
    return bdb_fail(table, err, error, "open database");
  dictum_status status = txn->aside ? newfile_copy(txn->aside, txn->fd, err) : DICTUM_OK;
  if (status != DICTUM_OK)
    return status;
  error = bdb_new(&txn->db, table->create_cache);
  if (!error)
    error = bdb_open(&txn->db, txn->aside ? newfile_name(txn->aside) : table->file.path,
                     table->kind, 0);
  if (error)
    return bdb_fail(table, err, error, "open database");
  if (!bdb_has_file(txn->db, txn->aside ? newfile_fd(txn->aside) : txn->fd))
    return table->file.host->fail(err, DICTUM_RETRY, 0, "database %s was replaced just now",
                                  table->file.path);
  return DICTUM_OK;
}

static dictum_status begin_update(struct bdb_txn *txn, const dictum_txn_args *args,
                                  dictum_error *err) {
  dictum_status status = DICTUM_OK;
  if (tablefile_is_to_be_made(&txn->table->file))
    status = make_file(txn, args, err);
  if (status == DICTUM_OK)
    status = begin_copy(txn, args, err);
  if (status == DICTUM_OK)
    status = lock_for_update(txn, !txn->aside, args->deadline_ns, err);
  if (status == DICTUM_OK)
    status = open_for_update(txn, err);
  if (status == DICTUM_OK && !txn->aside)
    atomic_store(&txn->table->updating, txn->in_place = true);
  return status;
}

/* Others notice a change by the time stamp, which may be too coarse for a quick succession. */
static void show_change(struct bdb_txn *txn) {
  struct stat now;
  if (fstat(txn->fd, &now) != 0 || now.st_mtim.tv_sec != txn->before.st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != txn->before.st_mtim.tv_nsec)
    return;
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, now.st_mtim};
  times[1].tv_nsec++;
  if (times[1].tv_nsec < 1000000000)
    futimens(txn->fd, times);
}

/* Reserves the room that the file will take, so that it is not cut in half for want of it. */
static int reserve_room(struct bdb_txn *txn) {
  DB_MPOOLFILE *pages = txn->db->get_mpf(txn->db);
  db_pgno_t last;
  u_int32_t page_bytes;
  int error = pages->get_last_pgno(pages, &last);
  if (!error)
    error = txn->db->get_pagesize(txn->db, &page_bytes);
  return error ? error : posix_fallocate(txn->fd, 0, ((off_t)last + 1) * (off_t)page_bytes);
}

/* True when nothing of the update went to disk: then what is in the cache can be dropped. */
static bool is_untouched(struct bdb_txn *txn) {
  DB_ENV *env = txn->db->get_env(txn->db);
  DB_MPOOL_STAT *stat = NULL;
  if (env->memp_stat(env, &stat, NULL, 0) != 0)
    return false;
  bool untouched = stat->st_page_out == 0;
  free(stat);
  return untouched;
}

static int close_in_place(struct bdb_txn *txn, u_int32_t flags) {
  int error = txn->db->close(txn->db, flags);
  txn->db = NULL;
  return error;
}

static dictum_status commit_in_place(struct bdb_txn *txn, dictum_error *err) {
  int error = reserve_room(txn);
  if (error && is_untouched(txn)) {
    close_in_place(txn, DB_NOSYNC);
    if (ftruncate(txn->fd, txn->before.st_size) != 0)
      error = errno;
    return fail_write(txn, err, error);
  }
  error = close_in_place(txn, 0);
  if (!error && fsync(txn->fd) != 0)
    error = errno;
  if (txn->changed)
    show_change(txn);
  return error ? fail_write(txn, err, error) : DICTUM_OK;
}

/* ---- methods -------------------------------------------------------------------------------- */

dictum_status bdb_txn_begin(void *self, const dictum_txn_args *args, void **out,
                            dictum_error *err) {
  struct bdb *table = self;
  struct bdb_txn *txn = calloc(1, sizeof *txn);
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

static dictum_status commit_aside(struct bdb_txn *txn, dictum_error *err) {
  dictum_status status = DICTUM_OK;
  if (!txn->db && !txn->written)
    status = open_aside(txn, 0, 0, err);
  if (status == DICTUM_OK && txn->db)
    status = close_aside(txn, err);
  if (status != DICTUM_OK)
    return status;
  status = newfile_replace(txn->aside, FILELOCK_FLOCK, txn->fd >= 0, err);
  txn->aside = NULL;
  return status;
}

dictum_status bdb_commit(void *rock, dictum_error *err) {
  struct bdb_txn *txn = rock;
  bool unchanged = txn->fd >= 0 && !txn->changed;
  dictum_status status = DICTUM_OK;
  if (!unchanged)
    status = txn->aside ? commit_aside(txn, err) : commit_in_place(txn, err);
  txn_free(txn);
  return status;
}

void bdb_abort(void *rock) {
  struct bdb_txn *txn = rock;
  if (!txn->aside && txn->changed && !is_untouched(txn))
    commit_in_place(txn, NULL);
  txn_free(txn);
}
