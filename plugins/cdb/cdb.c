/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cdb.c - the type cdb: constant databases in D. J. Bernstein's format, shared with Postfix, Exim
 * and TinyCDB.
 *
 * STORED: NAME.cdb, written and read by this plugin itself. Entries keep the
 * order of their source. By default there is no NUL behind keys and values, as
 * Postfix has it for this type alone; a reader tries both forms until a hit
 * decides.
 *
 * THREADS: any number. All share one map of the file; a thread that looks up
 * takes one of a few references to it, so that threads seldom meet.
 *
 * LOCKS: none to read. A file is never changed, only replaced (newfile.h), and
 * each lookup or batch looks whether it was, once a tick of the clock. A walk
 * goes on with what it began.
 * Who overwrites a file in place breaks that rule: when it becomes shorter under
 * a lookup, the system ends the process. So do all readers that map cdb files.
 *
 * ERRORS: no such file, no permission, damaged: CONFIG. EIO, out of
 * descriptors: RETRY. An entry with which the file would exceed 4 GiB: INVALID.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cdb_table.h"

/* Bits of cdb.forms. */
enum { form_nul = 1, form_bare = 2 };

static const dictum_opt cdb_opts[] = {TABLEFILE_UNLOCKED_OPT};

/* ---- life ----------------------------------------------------------------------------------- */

static struct cdb *new_table(void) {
  struct cdb *table = threadslots_alloc(sizeof *table);
  if (!table)
    return NULL;
  /* Without attributes this cannot fail where threads are the system's own. */
  pthread_mutex_init(&table->lock, NULL);
  threadslots_init(&table->slots);
  return table;
}

static void close_reader(void *rock, size_t which) {
  struct cdb *table = rock;
  cdb_map_release(table->readers[which].map);
}

static void free_table(struct cdb *table) {
  cdb_map_release(table->newest);
  tablefile_free(&table->file);
  free(table);
}

static void cdb_close(void *self) {
  struct cdb *table = self;
  for (size_t i = 0; i < threadslots_n; i++)
    close_reader(table, i);
  pthread_mutex_destroy(&table->lock);
  threadslots_destroy(&table->slots);
  free_table(table);
}

/* In a child. What another thread was in the middle of stays behind. */
static void cdb_forget(void *self) {
  struct cdb *table = self;
  if (pthread_mutex_trylock(&table->lock) == 0 &&
      threadslots_forget(&table->slots, close_reader, table))
    free_table(table);
}

static dictum_status cdb_open(const dictum_host *host, const dictum_open_args *args, void **self,
                              dictum_error *err) {
  struct cdb *table = new_table();
  if (!table)
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  unsigned forms = args->flags & DICTUM_OPEN_NUL      ? form_nul
                   : args->flags & DICTUM_OPEN_NO_NUL ? form_bare
                                                      : form_nul | form_bare;
  atomic_init(&table->forms, forms);
  table->most_slots = cdb_most_slots;
  dictum_status status = tablefile_init(&table->file, host, args, ".cdb", err);
  if (status == DICTUM_OK && !(args->flags & DICTUM_OPEN_REPLACE)) {
    status = cdb_map_open(&table->file, &table->newest, err);
    if (status == DICTUM_OK)
      tablefile_warn_if_older(&table->file, &table->newest->seen);
  }
  if (status != DICTUM_OK) {
    cdb_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* ---- the current map ------------------------------------------------------------------------ */

static struct cdb_map *hold(struct cdb_map *map) {
  atomic_fetch_add_explicit(&map->holders, 1, memory_order_relaxed);
  return map;
}

dictum_status cdb_current(struct cdb *table, struct cdb_map **out, dictum_error *err) {
  dictum_status status = DICTUM_OK;
  pthread_mutex_lock(&table->lock);
  if (!table->newest || !cdb_map_is_current(table->newest, &table->file)) {
    cdb_map_release(table->newest);
    table->newest = NULL;
    status = cdb_map_open(&table->file, &table->newest, err);
  }
  if (status == DICTUM_OK)
    *out = hold(table->newest);
  pthread_mutex_unlock(&table->lock);
  return status;
}

/* Has the reader refer to the map of the file as it is. */
static dictum_status keep_up(struct cdb *table, struct cdb_reader *reader, dictum_error *err) {
  if (reader->map && (tablefile_glanced(&table->file, &reader->glance) ||
                      cdb_map_is_current(reader->map, &table->file)))
    return DICTUM_OK;
  cdb_map_release(reader->map);
  reader->map = NULL;
  return cdb_current(table, &reader->map, err);
}

/* A file that was found damaged may be another by now: it is opened anew for the next lookup. */
static void forget_damaged(struct cdb *table, struct cdb_reader *reader) {
  pthread_mutex_lock(&table->lock);
  if (table->newest == reader->map) {
    cdb_map_release(table->newest);
    table->newest = NULL;
  }
  pthread_mutex_unlock(&table->lock);
  cdb_map_release(reader->map);
  reader->map = NULL;
}

/* ---- lookup --------------------------------------------------------------------------------- */

static unsigned forms_of(const struct cdb *table) {
  return atomic_load_explicit(&table->forms, memory_order_relaxed);
}

static enum cdb_answer find_form(const struct cdb_map *map, const dictum_key *key, bool nul,
                                 dictum_key *value) {
  uint32_t hash = cdb_hash(cdb_hash_seed, key->p, key->n);
  const struct cdb_question question = {*key, nul, nul ? cdb_hash(hash, "", 1) : hash};
  enum cdb_answer answer = cdb_map_find(map, &question, value);
  if (answer == CDB_FOUND && nul)
    *value = tablefile_without_nul(*value);
  return answer;
}

/* The key with NUL, then bare; the first hit decides for as long as the table is open. */
static dictum_status find(struct cdb *table, const struct cdb_map *map, const dictum_key *key,
                          dictum_key *value, dictum_error *err) {
  unsigned forms = forms_of(table), hit = form_nul;
  enum cdb_answer answer = CDB_ABSENT;
  if (forms & form_nul)
    answer = find_form(map, key, true, value);
  if (answer == CDB_ABSENT && (forms & form_bare)) {
    hit = form_bare;
    answer = find_form(map, key, false, value);
  }
  if (answer == CDB_DAMAGED)
    return cdb_fail_damaged(&table->file, err);
  if (answer == CDB_FOUND && forms != hit)
    atomic_store_explicit(&table->forms, hit, memory_order_relaxed);
  return answer == CDB_FOUND ? DICTUM_OK : DICTUM_NOTFOUND;
}

static dictum_status find_one(struct cdb *table, const struct cdb_map *map, const char *key,
                              size_t len, dictum_sink *sink, dictum_error *err) {
  const dictum_key wanted = {key, len};
  dictum_key value;
  dictum_status status = find(table, map, &wanted, &value, err);
  return status == DICTUM_OK ? table->file.host->emit(sink, value.p, value.n) : status;
}

static dictum_status cdb_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                dictum_sink *sink, dictum_error *err) {
  struct cdb *table = self;
  (void)call;
  const size_t slot = threadslots_take(&table->slots);
  struct cdb_reader *reader = &table->readers[slot];
  dictum_status status = keep_up(table, reader, err);
  if (status == DICTUM_OK)
    status = find_one(table, reader->map, key, len, sink, err);
  if (tablefile_is_failure(status))
    forget_damaged(table, reader);
  threadslots_give(&table->slots, slot);
  return status;
}

/* A search mostly waits for memory: twice, for the slot and for the record. What several keys wait
 * for is fetched together. */
enum { fetched_together = 32 };

static void prefetch(const struct cdb_map *map, const dictum_key *keys, size_t n, bool nul) {
  uint32_t hashes[fetched_together];
  for (size_t i = 0; i < n; i++) {
    hashes[i] = cdb_hash(cdb_hash_seed, keys[i].p, keys[i].n);
    if (nul)
      hashes[i] = cdb_hash(hashes[i], "", 1);
    cdb_map_prefetch_slot(map, hashes[i]);
  }
  for (size_t i = 0; i < n; i++)
    cdb_map_prefetch_record(map, hashes[i]);
}

static dictum_status find_many(struct cdb *table, const struct cdb_map *map, const dictum_key *keys,
                               size_t n, dictum_sink *sink, dictum_error *err) {
  const dictum_host *host = table->file.host;
  for (size_t i = 0; i < n; i++) {
    unsigned forms = forms_of(table);
    if (i % fetched_together == 0 && forms != (form_nul | form_bare))
      prefetch(map, keys + i, n - i < fetched_together ? n - i : fetched_together,
               forms == form_nul);
    dictum_key value = {NULL, 0};
    dictum_status status = find(table, map, &keys[i], &value, err);
    if (tablefile_is_failure(status))
      return status;
    status = host->emit_at(sink, i, status, value.p, value.n);
    if (status != DICTUM_OK)
      return host->fail(err, status, 0, "out of memory");
  }
  return DICTUM_OK;
}

static dictum_status cdb_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                     size_t n, dictum_sink *sink, dictum_error *err) {
  struct cdb *table = self;
  (void)call;
  const size_t slot = threadslots_take(&table->slots);
  struct cdb_reader *reader = &table->readers[slot];
  dictum_status status = keep_up(table, reader, err);
  if (status == DICTUM_OK)
    status = find_many(table, reader->map, keys, n, sink, err);
  if (tablefile_is_failure(status))
    forget_damaged(table, reader);
  threadslots_give(&table->slots, slot);
  return status;
}

/* ---- a walk --------------------------------------------------------------------------------- */

struct walk {
  const struct cdb *table;
  struct cdb_map *map;
  size_t at;
};

static dictum_status cdb_iter_open(void *self, const dictum_call *call, void **out,
                                   dictum_error *err) {
  struct cdb *table = self;
  (void)call;
  struct walk *walk = calloc(1, sizeof *walk);
  if (!walk)
    return tablefile_nomem(&table->file, err);
  walk->table = table;
  walk->at = cdb_header;
  dictum_status status = cdb_current(table, &walk->map, err);
  if (status != DICTUM_OK) {
    free(walk);
    return status;
  }
  *out = walk;
  return DICTUM_OK;
}

static dictum_status cdb_iter_next(void *iter, dictum_rec *rec, dictum_error *err) {
  struct walk *walk = iter;
  switch (cdb_map_next(walk->map, &walk->at, rec)) {
  case CDB_FOUND:
    rec->key = tablefile_without_nul(rec->key);
    rec->value = tablefile_without_nul(rec->value);
    return DICTUM_OK;
  case CDB_ABSENT:
    return DICTUM_END;
  default:
    return cdb_fail_damaged(&walk->table->file, err);
  }
}

static void cdb_iter_close(void *iter) {
  struct walk *walk = iter;
  cdb_map_release(walk->map);
  free(walk);
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type cdb_types[] = {
    {.name = "cdb",
     .summary = "constant database, quick to build and to ask",
     .suffix = ".cdb",
     .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_REPLACE | DICTUM_CAP_FILE,
     .threads = DICTUM_THREADS_PARALLEL,
     .load_order = DICTUM_ORDER_SOURCE,
     .opts = cdb_opts,
     .nopts = sizeof cdb_opts / sizeof cdb_opts[0],
     .open = cdb_open,
     .close = cdb_close,
     .forget = cdb_forget,
     .lookup = cdb_lookup,
     .lookup_many = cdb_lookup_many,
     .iter_open = cdb_iter_open,
     .iter_next = cdb_iter_next,
     .iter_close = cdb_iter_close,
     .txn_begin = cdb_txn_begin,
     .put = cdb_put,
     .load = cdb_load,
     .commit = cdb_commit,
     .abort = cdb_abort},
};

DICTUM_PLUGIN_DEFINE(dictum_cdb, "dictum-cdb", PACKAGE_VERSION, cdb_types);
