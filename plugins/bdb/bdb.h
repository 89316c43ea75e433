/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb.h - what the files of this plugin share. */
#ifndef DICTUM_PLUGINS_BDB_H
#define DICTUM_PLUGINS_BDB_H

#include <db.h>

#include "bdb_image.h"
#include "filelock.h"
#include "tablefile.h"
#include "threadslots.h"

/** A file open for reading. One thread at a time. */
struct bdb_reader {
  int fd; /**< ours, for the lock; -1: not open */
  void *map;
  size_t map_bytes;
  struct stat seen;       /**< the file when it was looked at last */
  bool busy;              /**< others held the lock until the deadline of the last attempt */
  struct bdb_image image; /**< of the map, as it is while the lock is held */
  struct pageset sound;   /**< of the file as it was seen */
  struct pageset sorted;  /**< the same, see struct bdb_image */
  bool aged;              /**< a change since it was seen would show in its time stamp */
  bool settled;           /**< and single lookups may rely on that */
  bool local;             /**< the file system is one that can be relied on for that */
  struct tablefile_glance glance;
  struct bdb_frames frames; /**< of the file as it was seen */
  struct bdb_finger finger; /**< of the lookups since the lock was taken */
  struct bdb_scratch value;
};

/** One open table. Any number of threads; those that look up take a reader each. */
struct bdb {
  struct tablefile file;
  DBTYPE kind;
  u_int32_t create_cache; /**< bytes */
  bool by_library;        /**< it writes whole new files, too */
  size_t read_cache;      /**< bytes of pages that each reader keeps */
  atomic_bool updating;   /**< an update in place is under way, and has the lock */
  struct threadslots slots;
  struct bdb_reader readers[threadslots_n];
};

/* ---- bdb_file.c: files as Berkeley DB sees them ---- */

/** What Berkeley DB's answer means. */
dictum_status bdb_status(int error);
/** Fails with "WHAT PATH: TEXT". */
dictum_status bdb_fail(const struct bdb *table, dictum_error *err, int error, const char *what);

/** Fails as an update in place by this very table is under way: waiting for it could be for ever.
 */
dictum_status bdb_fail_updating(const struct bdb *table, dictum_error *err);

/** Makes a handle that says nothing on standard error. @return 0 or an error. */
int bdb_new(DB **db, u_int32_t cache_bytes);
/** Opens @p name with a handle from bdb_new(). @return 0 or an error; *db is closed then. */
int bdb_open(DB **db, const char *name, DBTYPE kind, u_int32_t flags);
/** True when @p db has the file open that @p fd has. */
bool bdb_has_file(DB *db, int fd);

/** Prepares a hash that is still to be opened for so many records of so many bytes. @return 0 or an
 * error. */
int bdb_size_hash(DB *db, uint64_t nrecs, uint64_t nbytes);
/** A number that orders keys by the bucket they will be in, of their hash; and the hash of it. */
uint32_t bdb_bucket_order(uint32_t hash);

enum { bdb_page_bytes = 4096 /**< of files that are made new */ };

/** Looks whether @p fd is a sound file of that kind, all of it, before the library is let to change
 * it, which trusts it. @return 0 or an error. */
int bdb_check_file(int fd, DBTYPE kind);

#define BDB_NO_READER                                                                              \
  { .fd = -1 }

/** Locks the file at the table's path for reading. After OK, bdb_reader_leave() must follow. */
dictum_status bdb_reader_enter(struct bdb_reader *reader, const struct bdb *table,
                               int64_t deadline_ns, dictum_error *err);
/** The same, on the file that is open, though another may have taken its place.
 * @param changed  was it changed in place since it was looked at last? */
dictum_status bdb_reader_resume(struct bdb_reader *reader, const struct bdb *table,
                                int64_t deadline_ns, bool *changed, dictum_error *err);
void bdb_reader_leave(struct bdb_reader *reader);

/** Lets the image be searched without a lock, in frames, if the file is one of which can be told
 * afterwards whether it changed meanwhile. After true, bdb_reader_end_unlocked() must follow. */
bool bdb_reader_try_unlocked(struct bdb_reader *reader, const struct bdb *table);
/** Was the file, and is it, what the table's path leads to, and unchanged since it was locked last?
 * If not, what was found counts for nothing. What was found stays until the reader is used again.
 */
bool bdb_reader_end_unlocked(struct bdb_reader *reader, const struct bdb *table);

void bdb_reader_close(struct bdb_reader *reader);

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
uint64_t bdb_bucket(void *txn, const char *key, size_t len);

#endif
