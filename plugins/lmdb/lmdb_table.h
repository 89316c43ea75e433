/* SPDX-License-Identifier: BSD-2-Clause */
/* lmdb_table.h - what the files of this plugin share. */
#ifndef DICTUM_PLUGINS_LMDB_TABLE_H
#define DICTUM_PLUGINS_LMDB_TABLE_H

#include <lmdb.h>
#include <setjmp.h>

#include "filelock.h"
#include "lmdb_tree.h"
#include "tablefile.h"
#include "threadslots.h"

/** A file open for reading. One thread at a time. */
struct lmdb_reader {
  int fd; /**< ours, for the lock; -1: not open */
  void *map;
  size_t map_bytes, page_bytes;
  struct stat seen;        /**< the file when it was opened */
  struct timespec changed; /**< when it was, when it was looked at last */
  bool busy;               /**< others held the lock until the deadline of the last attempt */
  struct lmdb_tree tree;   /**< the state that is read */
  struct pageset sound;    /**< of that state */
  bool settled;            /**< nothing was found since that speaks against that state */
  bool local;              /**< the map shows what others write as they write it */
  struct tablefile_glance glance;
  struct {
    char *bytes;
    size_t size;
  } value; /**< what a lookup without the lock found */
};

/** One open table. Any number of threads; those that look up take a reader each. */
struct lmdb {
  struct tablefile file;
  char *label; /**< "lmdb:NAME", what messages about entries begin with */
  size_t map_bytes;
  struct threadslots slots;
  struct lmdb_reader readers[threadslots_n];
};

/* ---- lmdb_env.c: files as LMDB sees them ---- */

/** What LMDB's answer means. */
dictum_status lmdb_status(int error);
/** Fails with "WHAT PATH: TEXT". */
dictum_status lmdb_fail(const struct lmdb *table, dictum_error *err, int error, const char *what);

/** Looks whether @p fd is a sound file, all of it, before the library is let to change it, which
 * trusts it. @return 0 or an error. */
int lmdb_check_file(int fd);

/** Opens an environment on @p name. Its assertions come back to @p on_assert with longjmp().
 * @return 0 or an error. */
int lmdb_env_open(MDB_env **env, const char *name, unsigned flags, size_t map_bytes,
                  jmp_buf *on_assert);
/** True when @p env has the file open that @p fd has. */
bool lmdb_has_file(MDB_env *env, int fd);

#define LMDB_NO_READER                                                                             \
  { .fd = -1 }

/** Locks the file at the table's path for reading and loads its newest state. After OK,
 * lmdb_reader_leave() must follow. */
dictum_status lmdb_reader_enter(struct lmdb_reader *reader, const struct lmdb *table,
                                int64_t deadline_ns, dictum_error *err);
/** The same, on the file that is open, though another may have taken its place. */
dictum_status lmdb_reader_resume(struct lmdb_reader *reader, const struct lmdb *table,
                                 int64_t deadline_ns, dictum_error *err);
void lmdb_reader_leave(struct lmdb_reader *reader);

/** May the state that was loaded last be searched without the lock? After true,
 * lmdb_reader_end_unlocked() must follow. */
bool lmdb_reader_try_unlocked(struct lmdb_reader *reader, const struct lmdb *table);
/** Copies what was found, so that it stays until the reader is used again.
 * @param value  of the map, then of the copy
 * @return false when the state is not the newest any more, or there is no memory: then what was
 * found counts for nothing */
bool lmdb_reader_end_unlocked(struct lmdb_reader *reader, dictum_key *value);

void lmdb_reader_close(struct lmdb_reader *reader);

/* ---- lmdb_iter.c, lmdb_txn.c: methods of the type; see dictum_plugin.h ---- */

dictum_status lmdb_iter_open(void *self, const dictum_call *call, void **out, dictum_error *err);
dictum_status lmdb_iter_next(void *iter, dictum_rec *rec, dictum_error *err);
void lmdb_iter_close(void *iter);

dictum_status lmdb_txn_begin(void *self, const dictum_txn_args *args, void **out,
                             dictum_error *err);
dictum_status lmdb_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err);
dictum_status lmdb_del(void *txn, const char *key, size_t len, dictum_error *err);
dictum_status lmdb_load(void *txn, dictum_bulk *bulk, dictum_error *err);
dictum_status lmdb_commit(void *txn, dictum_error *err);
void lmdb_abort(void *txn);

#endif
