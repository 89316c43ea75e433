/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb.c - the types hash and btree: Berkeley DB files, shared with Postfix.
 *
 * STORED: NAME.db, a Berkeley DB 5.3 file without environment, transactions,
 * checksums or duplicates; records as told in tablefile.h.
 *
 * THREADS: one in each open table. A handle has its own cache and descriptor.
 *
 * LOCKS are Postfix's: flock(2) on NAME.db, shared around each lookup, batch of
 * lookups and stretch of a walk, exclusive from the begin of an UPDATE to its
 * end. A REPLACE_ALL builds aside (newfile.h) and takes a shared lock, which
 * keeps writers off, for the moment in which the new file takes the old one's
 * place.
 *
 * UPDATE works in place: others see its changes as soon as its lock is gone.
 * Berkeley DB without an environment has no rollback: as long as nothing of an
 * aborted update went to disk it is dropped, else what was done stays. A kill
 * in the middle of an update can damage the file.
 *
 * ERRORS: no such file, no permission, not a file of this kind, damaged: CONFIG.
 * Lock held by others past the deadline, EIO, out of descriptors: RETRY.
 */
#include "bdb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const dictum_opt bdb_opts[] = {
    {"berkeley_db_create_buffer_size", DICTUM_OPT_INT, "16777216", 1, INT32_MAX,
     "bytes of cache while a table is built or changed"},
    {"berkeley_db_read_buffer_size", DICTUM_OPT_INT, "131072", 1, INT32_MAX,
     "bytes of cache while a table is read"},
};

/* ---- life ----------------------------------------------------------------------------------- */

/* Says now what is wrong with the file, but does not wait for one that is being changed. */
static dictum_status try_reader(struct bdb *table, dictum_error *err) {
  if (table->file.flags & DICTUM_OPEN_REPLACE)
    return DICTUM_OK;
  if (tablefile_is_to_be_made(&table->file))
    return DICTUM_OK;
  dictum_status status = bdb_reader_enter(&table->reader, table, filelock_now_ns(), err);
  if (status != DICTUM_OK)
    return table->reader.busy ? DICTUM_OK : status;
  tablefile_warn_if_older(&table->file, &table->reader.seen);
  bdb_reader_leave(&table->reader);
  return DICTUM_OK;
}

static void bdb_close(void *self) {
  struct bdb *table = self;
  bdb_reader_close(&table->reader);
  tablefile_free(&table->file);
  free(table);
}

static dictum_status bdb_open_table(const dictum_host *host, const dictum_open_args *args,
                                    void **self, dictum_error *err) {
  struct bdb *table = calloc(1, sizeof *table);
  if (!table)
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  table->reader = (struct bdb_reader)BDB_NO_READER;
  table->kind = strcmp(args->type, "hash") == 0 ? DB_HASH : DB_BTREE;
  table->create_cache = (u_int32_t)host->opt_int(args->cfg, bdb_opts[0].name);
  table->read_cache = (u_int32_t)host->opt_int(args->cfg, bdb_opts[1].name);
  dictum_status status = tablefile_init(&table->file, host, args, ".db", err);
  if (status == DICTUM_OK)
    status = try_reader(table, err);
  if (status != DICTUM_OK) {
    bdb_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* In a child the library's handle is left alone: closing it is more than freeing memory. */
static void bdb_forget(void *self) {
  struct bdb *table = self;
  if (table->reader.fd >= 0)
    close(table->reader.fd);
  tablefile_free(&table->file);
  free(table);
}

/* ---- lookup --------------------------------------------------------------------------------- */

struct lookup {
  struct bdb *table;
  DB *db;
};

/* The value lives until the next call on this handle. */
static dictum_status get(void *rock, const dictum_key *key, dictum_key *value, dictum_error *err) {
  struct lookup *lookup = rock;
  if (key->n > UINT32_MAX)
    return DICTUM_NOTFOUND;
  DBT k = {.data = (void *)(uintptr_t)key->p, .size = (u_int32_t)key->n};
  DBT v = {0};
  int error = lookup->db->get(lookup->db, NULL, &k, &v, 0);
  if (error == DB_NOTFOUND)
    return DICTUM_NOTFOUND;
  if (error)
    return bdb_fail(lookup->table, err, error, "read database");
  *value = (dictum_key){v.data, v.size};
  return DICTUM_OK;
}

/* During an update of this very table the lock is ours already, and its handle knows the news. */
static dictum_status begin_lookup(struct bdb *table, const dictum_call *call, struct lookup *lookup,
                                  dictum_error *err) {
  *lookup = (struct lookup){table, table->update};
  if (table->update)
    return DICTUM_OK;
  dictum_status status = bdb_reader_enter(&table->reader, table, call->deadline_ns, err);
  lookup->db = table->reader.db;
  return status;
}

/* A handle that found its file damaged is not used again. */
static void end_lookup(struct lookup *lookup, bool failed) {
  struct bdb_reader *reader = &lookup->table->reader;
  if (lookup->table->update)
    return;
  if (failed)
    bdb_reader_close(reader);
  else
    bdb_reader_leave(reader);
}

static dictum_status bdb_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                dictum_sink *sink, dictum_error *err) {
  struct bdb *table = self;
  struct lookup lookup;
  dictum_status status = begin_lookup(table, call, &lookup, err);
  if (status != DICTUM_OK)
    return status;
  const dictum_key wanted = {key, len};
  status = tablefile_lookup(&table->file, get, &lookup, &wanted, sink, err);
  end_lookup(&lookup, tablefile_is_failure(status));
  return status;
}

/* Where the file keeps a key, so that a batch visits each page once. */
static uint64_t place_of(const void *rock, const dictum_key *key) {
  const struct bdb *table = rock;
  if (table->kind != DB_HASH)
    return keyorder_prefix(key);
  const struct bdb_reader *reader = &table->reader;
  uint32_t bucket = bdb_hash(key->p, key->n, tablefile_writes_nul(&table->file)) &
                    reader->high_mask;
  return bucket > reader->max_bucket ? bucket & reader->low_mask : bucket;
}

static dictum_status bdb_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                     size_t n, dictum_sink *sink, dictum_error *err) {
  struct bdb *table = self;
  struct lookup lookup;
  dictum_status status = begin_lookup(table, call, &lookup, err);
  if (status != DICTUM_OK)
    return status;
  status = tablefile_lookup_many(&table->file, get, &lookup, keys, n, place_of, table, sink, err);
  end_lookup(&lookup, tablefile_is_failure(status));
  return status;
}

/* ---- the types ------------------------------------------------------------------------------ */

#define BDB_METHODS                                                                                \
  .suffix = ".db",                                                                                 \
  .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE |        \
          DICTUM_CAP_FILE | DICTUM_CAP_MAY_WAIT,                                                   \
  .threads = DICTUM_THREADS_PER_HANDLE, .opts = bdb_opts,                                          \
  .nopts = sizeof bdb_opts / sizeof bdb_opts[0], .open = bdb_open_table, .close = bdb_close,       \
  .forget = bdb_forget, .lookup = bdb_lookup, .lookup_many = bdb_lookup_many,                      \
  .iter_open = bdb_iter_open, .iter_next = bdb_iter_next, .iter_close = bdb_iter_close,            \
  .txn_begin = bdb_txn_begin, .put = bdb_put, .del = bdb_del, .load = bdb_load,                    \
  .commit = bdb_commit, .abort = bdb_abort, .bucket = bdb_bucket

static const dictum_type bdb_types[] = {
    {.name = "hash",
     .summary = "Berkeley DB file with hashed keys",
     .load_order = DICTUM_ORDER_BUCKET,
     BDB_METHODS},
    {.name = "btree",
     .summary = "Berkeley DB file with sorted keys",
     .load_order = DICTUM_ORDER_BYTES,
     BDB_METHODS},
};

DICTUM_PLUGIN_DEFINE(dictum_bdb, "dictum-bdb", PACKAGE_VERSION, bdb_types);
