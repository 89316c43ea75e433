/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb.c - the types hash and btree: Berkeley DB files, shared with Postfix.
 *
 * STORED: NAME.db, a Berkeley DB 5.3 file without environment, transactions,
 * checksums or duplicates; records as told in tablefile.h.
 *
 * THREADS: any number. A thread that looks up takes one of a few readers, each
 * with its own descriptor and map. Files are read by bdb_image.c, made by
 * bdb_write_*.c and changed by the library.
 *
 * LOCKS are Postfix's: flock(2) on NAME.db, shared around each batch of lookups,
 * each stretch of a walk, and each lookup of a file that was changed a moment ago;
 * bdb_file.c tells how others do without. A REPLACE_ALL builds aside (newfile.h) and takes
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
    {"berkeley_db_read_buffer_size", DICTUM_OPT_INT, "1048576", 1, INT32_MAX,
     "bytes of pages kept for single lookups at most, for each thread"},
    {"berkeley_db_build_by_library", DICTUM_OPT_BOOL, "no", 0, 0,
     "let the library write new tables, too, which is slower"},
    TABLEFILE_UNLOCKED_OPT,
    TABLEFILE_IN_ORDER_OPT,
};

/* ---- life ----------------------------------------------------------------------------------- */

/* Says now what is wrong with the file, but does not wait for one that is being changed. */
static dictum_status try_reader(struct bdb *table, dictum_error *err) {
  if (table->file.flags & DICTUM_OPEN_REPLACE)
    return DICTUM_OK;
  if (tablefile_is_to_be_made(&table->file))
    return DICTUM_OK;
  struct bdb_reader *reader = &table->readers[0];
  dictum_status status = bdb_reader_enter(reader, table, filelock_now_ns(), err);
  if (status != DICTUM_OK)
    return reader->busy ? DICTUM_OK : status;
  tablefile_warn_if_older(&table->file, &reader->seen);
  bdb_reader_leave(reader);
  return DICTUM_OK;
}

static struct bdb *new_table(void) {
  struct bdb *table = threadslots_alloc(sizeof *table);
  if (!table)
    return NULL;
  threadslots_init(&table->slots);
  for (size_t i = 0; i < threadslots_n; i++)
    table->readers[i] = (struct bdb_reader)BDB_NO_READER;
  return table;
}

static void close_reader(void *rock, size_t which) {
  struct bdb *table = rock;
  bdb_reader_close(&table->readers[which]);
}

static void free_table(struct bdb *table) {
  tablefile_free(&table->file);
  free(table);
}

static void bdb_close(void *self) {
  struct bdb *table = self;
  for (size_t i = 0; i < threadslots_n; i++)
    close_reader(table, i);
  threadslots_destroy(&table->slots);
  free_table(table);
}

/* In a child. Closing a reader frees memory, map and descriptor, none of which the parent shares.
 */
static void bdb_forget(void *self) {
  struct bdb *table = self;
  if (threadslots_forget(&table->slots, close_reader, table))
    free_table(table);
}

static dictum_status bdb_open_table(const dictum_host *host, const dictum_open_args *args,
                                    void **self, dictum_error *err) {
  struct bdb *table = new_table();
  if (!table)
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  table->kind = strcmp(args->type, "hash") == 0 ? DB_HASH : DB_BTREE;
  table->create_cache = (u_int32_t)host->opt_int(args->cfg, bdb_opts[0].name);
  table->read_cache = (size_t)host->opt_int(args->cfg, bdb_opts[1].name);
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

struct lookup {
  struct bdb *table;
  struct bdb_reader *reader;
  struct ahead *ahead; /* of a batch; NULL: of a single lookup */
};

/* Where the searches for the next keys of a batch begin. */
struct ahead {
  struct bdb_finger fingers[tablefile_fetched];
  size_t n, at;
};

/* The value lives as long as the reader is left alone. */
static dictum_status get(void *rock, const dictum_key *key, dictum_key *value, dictum_error *err) {
  struct lookup *lookup = rock;
  struct bdb_reader *reader = lookup->reader;
  struct ahead *ahead = lookup->ahead;
  if (ahead && ahead->at < ahead->n)
    reader->finger = ahead->fingers[ahead->at++];
  int error = bdb_image_find(&reader->image, &reader->finger, key, value, &reader->value);
  if (error == DB_NOTFOUND)
    return DICTUM_NOTFOUND;
  return error ? bdb_fail(lookup->table, err, error, "read database") : DICTUM_OK;
}

/* @return false when the file must be locked to tell */
static bool find_unlocked(struct lookup *lookup, const dictum_key *key, dictum_key *value,
                          dictum_status *status) {
  struct bdb_reader *reader = lookup->reader;
  if (!bdb_reader_try_unlocked(reader, lookup->table))
    return false;
  reader->finger = (struct bdb_finger){0};
  *status = tablefile_find(&lookup->table->file, get, lookup, key, value, NULL);
  return bdb_reader_end_unlocked(reader, lookup->table) && !tablefile_is_failure(*status);
}

static dictum_status begin_locked(struct lookup *lookup, const dictum_call *call,
                                  dictum_error *err) {
  lookup->reader->finger = (struct bdb_finger){0};
  return bdb_reader_enter(lookup->reader, lookup->table, call->deadline_ns, err);
}

static void end_locked(struct lookup *lookup, dictum_status status) {
  if (tablefile_is_failure(status))
    bdb_reader_close(lookup->reader);
  else
    bdb_reader_leave(lookup->reader);
}

static dictum_status lookup_locked(struct lookup *lookup, const dictum_call *call,
                                   const dictum_key *key, dictum_sink *sink, dictum_error *err) {
  dictum_status status = begin_locked(lookup, call, err);
  if (status != DICTUM_OK)
    return status;
  status = tablefile_lookup(&lookup->table->file, get, lookup, key, sink, err);
  end_locked(lookup, status);
  return status;
}

static dictum_status bdb_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                dictum_sink *sink, dictum_error *err) {
  struct bdb *table = self;
  if (atomic_load(&table->updating))
    return bdb_fail_updating(table, err);
  const size_t slot = threadslots_take(&table->slots);
  struct lookup lookup = {.table = table, .reader = &table->readers[slot]};
  const dictum_key wanted = {key, len};
  dictum_key value;
  dictum_status status;
  if (!find_unlocked(&lookup, &wanted, &value, &status))
    status = lookup_locked(&lookup, call, &wanted, sink, err);
  else if (status == DICTUM_OK)
    status = table->file.host->emit(sink, value.p, value.n);
  threadslots_give(&table->slots, slot);
  return status;
}

/* Where a hash keeps a key, so that a batch visits each page once. */
static uint64_t bucket_of(const void *rock, const dictum_key *key) {
  const struct lookup *lookup = rock;
  return bdb_image_bucket(&lookup->reader->image, key, tablefile_reads_nul(&lookup->table->file));
}

static void fetch(void *rock, const dictum_key *keys, size_t n) {
  struct lookup *lookup = rock;
  bdb_image_fetch(&lookup->reader->image, keys, n, tablefile_reads_nul(&lookup->table->file),
                  lookup->ahead->fingers);
  lookup->ahead->n = n;
  lookup->ahead->at = 0;
}

static dictum_status bdb_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                     size_t n, dictum_sink *sink, dictum_error *err) {
  struct bdb *table = self;
  if (atomic_load(&table->updating))
    return bdb_fail_updating(table, err);
  const size_t slot = threadslots_take(&table->slots);
  struct ahead ahead = {.n = 0};
  struct lookup lookup = {.table = table, .reader = &table->readers[slot], .ahead = &ahead};
  dictum_status status = begin_locked(&lookup, call, err);
  if (status == DICTUM_OK) {
    status = tablefile_lookup_many(&table->file, get, &lookup, keys, n,
                                   table->kind == DB_HASH ? bucket_of : NULL, fetch, sink, err);
    end_locked(&lookup, status);
  }
  threadslots_give(&table->slots, slot);
  return status;
}

/* ---- the types ------------------------------------------------------------------------------ */

#define BDB_METHODS                                                                                \
  .suffix = ".db",                                                                                 \
  .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE |        \
          DICTUM_CAP_FILE | DICTUM_CAP_MAY_WAIT,                                                   \
  .threads = DICTUM_THREADS_PARALLEL, .opts = bdb_opts,                                            \
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
