/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb.c - the type lmdb: LMDB files, shared with Postfix.
 *
 * STORED: NAME.lmdb, one file without a lock file; the unnamed main database
 * with no flags; records as told in tablefile.h.
 *
 * THREADS: any number. A thread that looks up takes one of a few readers, each
 * with its own descriptor, lock and map. Files are read by lmdb_tree.c and
 * written by the library. Its rule of one environment a process guards its lock
 * file, which is not used here.
 *
 * LOCKS are Postfix's: fcntl(2) on all of NAME.lmdb, here owned by the open file
 * rather than the process. Shared around each batch of lookups and stretch of a
 * walk, and around a lookup that does not come to an answer without
 * (lmdb_env.c). An UPDATE takes it exclusively, so that every reader of an
 * older state and every other writer is done, and goes on with it shared: while
 * one transaction is being written, the state before it stays readable. A
 * flock(2) beside it tells our own writers from readers. A REPLACE_ALL builds
 * aside (newfile.h) and takes that and a shared lock, which keep writers off, for
 * the moment in which the new file takes the old one's place.
 *
 * ERRORS: no such file, no permission, not a file of LMDB's, damaged: CONFIG.
 * Lock held by others past the deadline, EIO, out of descriptors: RETRY. A key
 * that is empty or too long (511 bytes, NUL included): INVALID when stored,
 * absent when asked for. A full map is never shown: it grows.
 */
#include "lmdb_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const dictum_opt lmdb_opts[] = {
    {"lmdb_map_size", DICTUM_OPT_BYTES, "16777216", 1, INT64_MAX,
     "bytes of address space to begin with when a table is changed"},
    TABLEFILE_UNLOCKED_OPT,
    TABLEFILE_IN_ORDER_OPT,
};

/* ---- life ----------------------------------------------------------------------------------- */

static struct lmdb *new_table(void) {
  struct lmdb *table = threadslots_alloc(sizeof *table);
  if (!table)
    return NULL;
  threadslots_init(&table->slots);
  for (size_t i = 0; i < threadslots_n; i++)
    table->readers[i] = (struct lmdb_reader)LMDB_NO_READER;
  return table;
}

static void close_reader(void *rock, size_t which) {
  struct lmdb *table = rock;
  lmdb_reader_close(&table->readers[which]);
}

static void free_table(struct lmdb *table) {
  tablefile_free(&table->file);
  free(table->label);
  free(table);
}

static void lmdb_close(void *self) {
  struct lmdb *table = self;
  for (size_t i = 0; i < threadslots_n; i++)
    close_reader(table, i);
  threadslots_destroy(&table->slots);
  free_table(table);
}

/* Says now what is wrong with the file, but does not wait for one that is being changed. */
static dictum_status try_reader(struct lmdb *table, dictum_error *err) {
  if (table->file.flags & DICTUM_OPEN_REPLACE)
    return DICTUM_OK;
  if (tablefile_is_to_be_made(&table->file))
    return DICTUM_OK;
  struct lmdb_reader *reader = &table->readers[0];
  dictum_status status = lmdb_reader_enter(reader, table, filelock_now_ns(), err);
  if (status != DICTUM_OK)
    return reader->busy ? DICTUM_OK : status;
  tablefile_warn_if_older(&table->file, &reader->seen);
  lmdb_reader_leave(reader);
  return DICTUM_OK;
}

static dictum_status lmdb_open_table(const dictum_host *host, const dictum_open_args *args,
                                     void **self, dictum_error *err) {
  struct lmdb *table = new_table();
  if (!table)
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  table->map_bytes = (size_t)host->opt_int(args->cfg, lmdb_opts[0].name);
  dictum_status status = tablefile_init(&table->file, host, args, ".lmdb", err);
  if (status == DICTUM_OK && asprintf(&table->label, "lmdb:%s", args->name) < 0) {
    table->label = NULL;
    status = tablefile_nomem(&table->file, err);
  }
  if (status == DICTUM_OK)
    status = try_reader(table, err);
  if (status != DICTUM_OK) {
    lmdb_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* In a child. Closing a reader frees memory, map and descriptor, none of which the parent shares.
 */
static void lmdb_forget(void *self) {
  struct lmdb *table = self;
  if (threadslots_forget(&table->slots, close_reader, table))
    free_table(table);
}

/* ---- lookup --------------------------------------------------------------------------------- */

struct lookup {
  struct lmdb *table;
  struct lmdb_reader *reader;
  struct lmdb_finger finger;
  struct ahead *ahead; /* of a batch; NULL: of a single lookup */
};

/* Where the searches for the next keys of a batch begin. */
struct ahead {
  struct lmdb_finger fingers[tablefile_fetched];
  size_t n, at;
};

static dictum_status begin_locked(struct lookup *lookup, const dictum_call *call,
                                  dictum_error *err) {
  lookup->finger = (struct lmdb_finger){0};
  return lmdb_reader_enter(lookup->reader, lookup->table, call->deadline_ns, err);
}

/* A reader that found its file damaged is not used again. */
static void end_locked(struct lookup *lookup, dictum_status status) {
  if (tablefile_is_failure(status))
    lmdb_reader_close(lookup->reader);
  else
    lmdb_reader_leave(lookup->reader);
}

/* The value points into the map. */
static dictum_status get(void *rock, const dictum_key *key, dictum_key *value, dictum_error *err) {
  struct lookup *lookup = rock;
  struct ahead *ahead = lookup->ahead;
  if (ahead && ahead->at < ahead->n)
    lookup->finger = ahead->fingers[ahead->at++];
  int error = lmdb_tree_find(&lookup->reader->tree, &lookup->finger, key, value);
  if (error == MDB_NOTFOUND)
    return DICTUM_NOTFOUND;
  return error ? lmdb_fail(lookup->table, err, error, "read database") : DICTUM_OK;
}

static void fetch(void *rock, const dictum_key *keys, size_t n) {
  struct lookup *lookup = rock;
  lmdb_tree_fetch(&lookup->reader->tree, keys, n, lookup->ahead->fingers);
  lookup->ahead->n = n;
  lookup->ahead->at = 0;
}

/* @return false when the file must be locked to tell */
static bool find_unlocked(struct lookup *lookup, const dictum_key *key, dictum_key *value,
                          dictum_status *status) {
  if (!lmdb_reader_try_unlocked(lookup->reader, lookup->table))
    return false;
  *value = (dictum_key){NULL, 0};
  *status = tablefile_find(&lookup->table->file, get, lookup, key, value, NULL);
  return lmdb_reader_end_unlocked(lookup->reader, value) && !tablefile_is_failure(*status);
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

static dictum_status lmdb_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                 dictum_sink *sink, dictum_error *err) {
  struct lmdb *table = self;
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

static dictum_status lmdb_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                      size_t n, dictum_sink *sink, dictum_error *err) {
  struct lmdb *table = self;
  const size_t slot = threadslots_take(&table->slots);
  struct ahead ahead = {.n = 0};
  struct lookup lookup = {.table = table, .reader = &table->readers[slot], .ahead = &ahead};
  dictum_status status = begin_locked(&lookup, call, err);
  if (status == DICTUM_OK) {
    status = tablefile_lookup_many(&table->file, get, &lookup, keys, n, NULL, fetch, sink, err);
    end_locked(&lookup, status);
  }
  threadslots_give(&table->slots, slot);
  return status;
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type lmdb_types[] = {
    {.name = "lmdb",
     .summary = "LMDB file with sorted keys",
     .suffix = ".lmdb",
     .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE |
             DICTUM_CAP_FILE | DICTUM_CAP_MAY_WAIT,
     .threads = DICTUM_THREADS_PARALLEL,
     .load_order = DICTUM_ORDER_BYTES,
     .opts = lmdb_opts,
     .nopts = sizeof lmdb_opts / sizeof lmdb_opts[0],
     .open = lmdb_open_table,
     .close = lmdb_close,
     .forget = lmdb_forget,
     .lookup = lmdb_lookup,
     .lookup_many = lmdb_lookup_many,
     .iter_open = lmdb_iter_open,
     .iter_next = lmdb_iter_next,
     .iter_close = lmdb_iter_close,
     .txn_begin = lmdb_txn_begin,
     .put = lmdb_put,
     .del = lmdb_del,
     .load = lmdb_load,
     .commit = lmdb_commit,
     .abort = lmdb_abort},
};

DICTUM_PLUGIN_DEFINE(dictum_lmdb, "dictum-lmdb", PACKAGE_VERSION, lmdb_types);
