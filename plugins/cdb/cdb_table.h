/* SPDX-License-Identifier: BSD-2-Clause */
/* cdb_table.h - what the files of this plugin share. */
#ifndef DICTUM_PLUGINS_CDB_TABLE_H
#define DICTUM_PLUGINS_CDB_TABLE_H

#include <pthread.h>

#include "tablefile.h"
#include "threadslots.h"

/* ---- the format ----------------------------------------------------------------------------- */

/* 256 pointers to hash tables, then records, then the tables. All numbers are little-endian and
 * have four bytes. */
enum {
  cdb_tables = 256,
  cdb_pair = 8,                       /* two numbers: a pointer, a slot, or what begins a record */
  cdb_header = cdb_tables * cdb_pair, /* where records begin */
  cdb_hash_seed = 5381
};

/** Goes on with @p hash over some bytes; the first begins at cdb_hash_seed. */
static inline uint32_t cdb_hash(uint32_t hash, const char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    hash = (hash * 33) ^ (unsigned char)bytes[i];
  return hash;
}

/* ---- cdb_map.c: files that are read --------------------------------------------------------- */

/** A file, mapped as a whole. Any number of threads; each holder has a reference. */
struct cdb_map {
  atomic_uint holders;
  const unsigned char *at;
  size_t size;
  size_t records_end; /**< where the first hash table begins */
  int fd;
  struct stat seen; /**< the file when it was opened */
};

/** Maps the file and checks that all of its hash tables are there.
 * @return OK; CONFIG; RETRY; NOMEM. */
dictum_status cdb_map_open(const struct tablefile *file, struct cdb_map **out, dictum_error *err);
/** Checks the hash tables of map->size bytes at map->at, and notes where records end.
 * @return false when these are no cdb file, or not all of one. */
bool cdb_map_check(struct cdb_map *map);
/** Drops a reference. NULL is fine. */
void cdb_map_release(struct cdb_map *map);
/** Is this still the file at the table's path, with as many bytes? */
bool cdb_map_is_current(const struct cdb_map *map, const struct tablefile *file);

/** What is asked for: some bytes, and perhaps a NUL behind them. */
struct cdb_question {
  dictum_key key;
  bool nul;
  uint32_t hash; /**< of all of it */
};

enum cdb_answer { CDB_FOUND, CDB_ABSENT, CDB_DAMAGED };

/** Finds the first record of that key. *value lives as long as the map. */
enum cdb_answer cdb_map_find(const struct cdb_map *map, const struct cdb_question *question,
                             dictum_key *value);
/** Has the processor fetch where a search will begin. */
void cdb_map_prefetch_slot(const struct cdb_map *map, uint32_t hash);
/** Likewise the record that it will lead to, once the slot is here. */
void cdb_map_prefetch_record(const struct cdb_map *map, uint32_t hash);

/** Reads the record at *at, which starts as cdb_header, and moves on behind it.
 * @return ABSENT behind the last. */
enum cdb_answer cdb_map_next(const struct cdb_map *map, size_t *at, dictum_rec *rec);

dictum_status cdb_fail_damaged(const struct tablefile *file, dictum_error *err);

/* ---- cdb.c: tables -------------------------------------------------------------------------- */

enum { cdb_most_slots = 4 << 20 };

/** One open table. Any number of threads; those that look up take a reader each. */
struct cdb {
  struct tablefile file;
  size_t most_slots;    /**< of a table that is built, in memory */
  atomic_uint forms;    /**< which forms of a key are still tried */
  pthread_mutex_t lock; /**< of newest */
  struct cdb_map *newest;
  struct threadslots slots;
  struct cdb_reader {
    _Alignas(64) struct cdb_map *map; /* on a cache line of its own */
    struct tablefile_glance glance;
  } readers[threadslots_n];
};

/** A reference to the map of the file as it is now. @return OK; CONFIG; RETRY; NOMEM. */
dictum_status cdb_current(struct cdb *table, struct cdb_map **out, dictum_error *err);

/* ---- cdb_txn.c: methods of the type; see dictum_plugin.h ---- */

dictum_status cdb_txn_begin(void *self, const dictum_txn_args *args, void **txn, dictum_error *err);
dictum_status cdb_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err);
dictum_status cdb_load(void *txn, dictum_bulk *bulk, dictum_error *err);
dictum_status cdb_commit(void *txn, dictum_error *err);
void cdb_abort(void *txn);

#endif
