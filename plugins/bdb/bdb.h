/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb.h - what the files of this plugin share. */
#ifndef DICTUM_PLUGINS_BDB_H
#define DICTUM_PLUGINS_BDB_H

#include <db.h>

#include "filelock.h"
#include "tablefile.h"

/** A file open for reading. */
struct bdb_reader {
  int fd;           /**< ours, for the lock; -1: not open */
  DB *db;           /**< NULL: not open */
  struct stat seen; /**< the file when db was opened */
  bool doubtful;    /**< it was so young that its time stamp may hide a later change */
  bool busy;        /**< others held the lock until the deadline of the last attempt */
  /* hash: which bucket is whose */
  uint32_t max_bucket, high_mask, low_mask;
};

/** One open table. One thread at a time. */
struct bdb {
  struct tablefile file;
  DBTYPE kind;
  u_int32_t create_cache, read_cache; /**< bytes */
  struct bdb_reader reader;
  DB *update; /**< of the update in progress, which holds the lock, or NULL */
};

/* ---- bdb_file.c: files as Berkeley DB sees them ---- */

/** What Berkeley DB's answer means. */
dictum_status bdb_status(int error);
/** Fails with "WHAT PATH: TEXT". */
dictum_status bdb_fail(const struct bdb *table, dictum_error *err, int error, const char *what);

/** Makes a handle that says nothing on standard error. @return 0 or an error. */
int bdb_new(DB **db, u_int32_t cache_bytes);
/** Opens @p name with a handle from bdb_new(). @return 0 or an error; *db is closed then. */
int bdb_open(DB **db, const char *name, DBTYPE kind, u_int32_t flags);
/** True when @p db has the file open that @p fd has. */
bool bdb_has_file(DB *db, int fd);

/** Berkeley DB's hash function. */
uint32_t bdb_hash(const char *key, size_t len, bool with_nul);
/** Prepares a hash that is still to be opened for so many records of so many bytes. @return 0 or an
 * error. */
int bdb_size_hash(DB *db, uint64_t nrecs, uint64_t nbytes);
/** A number that orders keys by the bucket they will be in, of their hash. */
uint32_t bdb_bucket_order(uint32_t hash);

enum { bdb_page_bytes = 4096 /**< of files that are made new */ };

#define BDB_NO_READER                                                                              \
  { .fd = -1 }

/** Locks the file for reading, opened anew if it was changed or replaced. After OK,
 * bdb_reader_leave() must follow. */
dictum_status bdb_reader_enter(struct bdb_reader *reader, const struct bdb *table,
                               int64_t deadline_ns, dictum_error *err);
void bdb_reader_leave(struct bdb_reader *reader);
void bdb_reader_close(struct bdb_reader *reader);

/** Looks whether this is a file of that kind at all, so that the library never sees anything else,
 * and learns how a hash spreads its keys. @return 0 or an errno. */
int bdb_reader_check(struct bdb_reader *reader, DBTYPE kind);

/** Opens the file with the lock held and its path checked. @return OK; CONFIG; RETRY; NOMEM. */
dictum_status bdb_reader_open_db(struct bdb_reader *reader, const struct bdb *table,
                                 const struct stat *now, bool *other_file, dictum_error *err);
/** True when the file was changed in place, or may have been. */
bool bdb_reader_changed(const struct bdb_reader *reader, const struct stat *now);

/* ---- bdb_iter.c, bdb_txn.c: methods of the type; see dictum_plugin.h ---- */

dictum_status bdb_iter_open(void *self, const dictum_call *call, void **out, dictum_error *err);
dictum_status bdb_iter_next(void *iter, dictum_rec *rec, dictum_error *err);
void bdb_iter_close(void *iter);

dictum_status bdb_txn_begin(void *self, const dictum_txn_args *args, void **out, dictum_error *err);
dictum_status bdb_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err);
dictum_status bdb_del(void *txn, const char *key, size_t len, dictum_error *err);
dictum_status bdb_load(void *txn, dictum_bulk *bulk, dictum_error *err);
dictum_status bdb_commit(void *txn, dictum_error *err);
void bdb_abort(void *txn);
uint64_t bdb_bucket(void *txn, const char *key, size_t len, uint64_t nrecs);

#endif
