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
 * rather than the process. Shared around each lookup, batch of lookups and
 * stretch of a walk. An UPDATE takes it exclusively, so that every reader of an
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
};

/* ---- life ----------------------------------------------------------------------------------- */

static bool init_slots(struct lmdb *table) {
  for (size_t i = 0; i < lmdb_readers; i++) {
    table->slots[i].reader = (struct lmdb_reader)LMDB_NO_READER;
    if (pthread_mutex_init(&table->slots[i].lock, NULL) == 0)
      continue;
    while (i-- > 0)
      pthread_mutex_destroy(&table->slots[i].lock);
    return false;
  }
  return true;
}

static void lmdb_close(void *self) {
  struct lmdb *table = self;
  for (size_t i = 0; i < lmdb_readers; i++) {
    lmdb_reader_close(&table->slots[i].reader);
    pthread_mutex_destroy(&table->slots[i].lock);
  }
  tablefile_free(&table->file);
  free(table->label);
  free(table);
}

/* Says now what is wrong with the file, but does not wait for one that is being changed. */
static dictum_status try_reader(struct lmdb *table, dictum_error *err) {
  if (table->file.flags & DICTUM_OPEN_REPLACE)
    return DICTUM_OK;
  if (tablefile_is_to_be_made(&table->file))
    return DICTUM_OK;
  struct lmdb_reader *reader = &table->slots[0].reader;
  dictum_status status = lmdb_reader_enter(reader, table, filelock_now_ns(), err);
  if (status != DICTUM_OK)
    return reader->busy ? DICTUM_OK : status;
  tablefile_warn_if_older(&table->file, &reader->seen);
  lmdb_reader_leave(reader);
  return DICTUM_OK;
}

static dictum_status lmdb_open_table(const dictum_host *host, const dictum_open_args *args,
                                     void **self, dictum_error *err) {
  struct lmdb *table = calloc(1, sizeof *table);
  if (!table || !init_slots(table)) {
    free(table);
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  }
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

/* In a child. A reader that another thread was using is in an unknown state and is left behind;
 * closing the others frees memory, maps and descriptors, none of which the parent shares. */
static void lmdb_forget(void *self) {
  struct lmdb *table = self;
  bool all = true;
  for (size_t i = 0; i < lmdb_readers; i++) {
    if (pthread_mutex_trylock(&table->slots[i].lock) == 0)
      lmdb_reader_close(&table->slots[i].reader);
    else
      all = false;
  }
  if (!all)
    return;
  tablefile_free(&table->file);
  free(table->label);
  free(table);
}

/* ---- lookup --------------------------------------------------------------------------------- */

struct lookup {
  struct lmdb *table;
  struct lmdb_slot *slot;
  struct lmdb_finger finger;
};

/* Each thread begins its search at its own place, so that it mostly finds the same reader again. */
static struct lmdb_slot *take_slot(struct lmdb *table) {
  uintptr_t thread = (uintptr_t)pthread_self();
  size_t first = (thread >> 12 ^ thread >> 20) % lmdb_readers;
  for (size_t i = 0; i < lmdb_readers; i++) {
    struct lmdb_slot *slot = &table->slots[(first + i) % lmdb_readers];
    if (pthread_mutex_trylock(&slot->lock) == 0)
      return slot;
  }
  pthread_mutex_lock(&table->slots[first].lock);
  return &table->slots[first];
}

static dictum_status begin_lookup(struct lmdb *table, const dictum_call *call,
                                  struct lookup *lookup, dictum_error *err) {
  *lookup = (struct lookup){.table = table, .slot = take_slot(table)};
  dictum_status status = lmdb_reader_enter(&lookup->slot->reader, table, call->deadline_ns, err);
  if (status != DICTUM_OK)
    pthread_mutex_unlock(&lookup->slot->lock);
  return status;
}

/* A reader that found its file damaged is not used again. */
static void end_lookup(struct lookup *lookup, bool failed) {
  if (failed)
    lmdb_reader_close(&lookup->slot->reader);
  else
    lmdb_reader_leave(&lookup->slot->reader);
  pthread_mutex_unlock(&lookup->slot->lock);
}

/* The value lives until the lock is dropped. */
static dictum_status get(void *rock, const dictum_key *key, dictum_key *value, dictum_error *err) {
  struct lookup *lookup = rock;
  int error = lmdb_tree_find(&lookup->slot->reader.tree, &lookup->finger, key, value);
  if (error == MDB_NOTFOUND)
    return DICTUM_NOTFOUND;
  return error ? lmdb_fail(lookup->table, err, error, "read database") : DICTUM_OK;
}

static void fetch(const void *rock, const dictum_key *key) {
  const struct lookup *lookup = rock;
  lmdb_tree_fetch(&lookup->slot->reader.tree, key);
}

static dictum_status lmdb_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                 dictum_sink *sink, dictum_error *err) {
  struct lmdb *table = self;
  struct lookup lookup;
  dictum_status status = begin_lookup(table, call, &lookup, err);
  if (status != DICTUM_OK)
    return status;
  const dictum_key wanted = {key, len};
  status = tablefile_lookup(&table->file, get, &lookup, &wanted, sink, err);
  end_lookup(&lookup, tablefile_is_failure(status));
  return status;
}

static dictum_status lmdb_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                      size_t n, dictum_sink *sink, dictum_error *err) {
  struct lmdb *table = self;
  struct lookup lookup;
  dictum_status status = begin_lookup(table, call, &lookup, err);
  if (status != DICTUM_OK)
    return status;
  status = tablefile_lookup_many(&table->file, get, &lookup, keys, n, NULL, fetch, sink, err);
  end_lookup(&lookup, tablefile_is_failure(status));
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
