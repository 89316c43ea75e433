/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb.c - the types hash and btree: Berkeley DB files, shared with Postfix.
 *
 * STORED: NAME.db, a Berkeley DB 5.3 file without environment, transactions,
 * checksums or duplicates; records as told in tablefile.h.
 *
 * THREADS: one in each open table, which has its own descriptor and map. Files
 * are read by bdb_image.c, made by bdb_write_*.c and changed by the library.
 *
 * LOCKS are Postfix's: flock(2) on NAME.db, shared around each lookup, batch of
 * lookups and stretch of a walk. A REPLACE_ALL builds aside (newfile.h) and takes
 * a shared lock, which keeps writers off, for the moment in which the new file
 * takes the old one's place. An UPDATE changes a copy aside and holds that lock
 * from its begin to its end; in place (see bdb_txn.c) it holds an exclusive one,
 * and others see its changes as soon as that is gone.
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
     "no effect: tables are mapped"},
    {"berkeley_db_build_by_library", DICTUM_OPT_BOOL, "no", 0, 0,
     "let the library write new tables, too, which is slower"},
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
  bdb_scratch_free(&table->value);
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
  table->by_library = host->opt_int(args->cfg, bdb_opts[2].name) != 0;
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

/* ---- lookup --------------------------------------------------------------------------------- */

/* The value lives until the lock is dropped. */
static dictum_status get(void *rock, const dictum_key *key, dictum_key *value, dictum_error *err) {
  struct bdb *table = rock;
  int error = bdb_image_find(&table->reader.image, &table->finger, key, value, &table->value);
  if (error == DB_NOTFOUND)
    return DICTUM_NOTFOUND;
  return error ? bdb_fail(table, err, error, "read database") : DICTUM_OK;
}

static dictum_status begin_lookup(struct bdb *table, const dictum_call *call, dictum_error *err) {
  if (table->updating)
    return bdb_fail_updating(table, err);
  table->finger = (struct bdb_finger){0};
  return bdb_reader_enter(&table->reader, table, call->deadline_ns, err);
}

static void end_lookup(struct bdb *table, dictum_status status) {
  if (tablefile_is_failure(status))
    bdb_reader_close(&table->reader);
  else
    bdb_reader_leave(&table->reader);
}

static dictum_status bdb_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                dictum_sink *sink, dictum_error *err) {
  struct bdb *table = self;
  dictum_status status = begin_lookup(table, call, err);
  if (status != DICTUM_OK)
    return status;
  const dictum_key wanted = {key, len};
  status = tablefile_lookup(&table->file, get, table, &wanted, sink, err);
  end_lookup(table, status);
  return status;
}

/* Where a hash keeps a key, so that a batch visits each page once. */
static uint64_t bucket_of(const void *rock, const dictum_key *key) {
  const struct bdb *table = rock;
  return bdb_image_bucket(&table->reader.image, key, tablefile_writes_nul(&table->file));
}

static dictum_status bdb_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                     size_t n, dictum_sink *sink, dictum_error *err) {
  struct bdb *table = self;
  dictum_status status = begin_lookup(table, call, err);
  if (status != DICTUM_OK)
    return status;
  status = tablefile_lookup_many(&table->file, get, table, keys, n,
                                 table->kind == DB_HASH ? bucket_of : NULL, NULL, sink, err);
  end_lookup(table, status);
  return status;
}

/* ---- the types ------------------------------------------------------------------------------ */

#define BDB_METHODS                                                                                \
  .suffix = ".db",                                                                                 \
  .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE |        \
          DICTUM_CAP_FILE | DICTUM_CAP_MAY_WAIT,                                                   \
  .threads = DICTUM_THREADS_PER_HANDLE, .opts = bdb_opts,                                          \
  .nopts = sizeof bdb_opts / sizeof bdb_opts[0], .open = bdb_open_table,                           \
  .close =                                                                                         \
      bdb_close, /* closing frees memory, map and descriptor, none of which the parent shares */   \
      .forget = bdb_close, .lookup = bdb_lookup, .lookup_many = bdb_lookup_many,                   \
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
