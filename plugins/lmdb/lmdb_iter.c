/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_iter.c - walking over all records of an LMDB file.
 *
 * A walk has its own reader and copies some tens of kilobytes at a time, with
 * the lock held only while it copies; then it goes on behind the last key. A
 * file that was replaced in between is walked to its end: one whole table, as
 * it was.
 */
#include "lmdb_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { most_records = 1000, enough_bytes = 64 * 1024 };

struct copied {
  size_t at, keylen, valuelen; /* in the buffer: key, then value */
};

struct lmdb_iter {
  const struct lmdb *table;
  struct lmdb_reader reader;
  int64_t patience_ns; /* how long to wait for the lock; 0: for ever */
  char *bytes;
  size_t used, room;
  struct copied records[most_records];
  size_t n, next;
  char *last; /* copy of the last key of the records before; NULL: none */
  size_t lastlen;
  bool at_end; /* nothing is behind the records */
};

/* ---- records out of the file ---------------------------------------------------------------- */

static int copy(struct lmdb_iter *iter, const MDB_val *key, const MDB_val *value) {
  size_t size;
  if (__builtin_add_overflow(key->mv_size, value->mv_size, &size) ||
      __builtin_add_overflow(size, iter->used, &size))
    return ENOMEM;
  if (size > iter->room) {
    size_t room = size < enough_bytes ? enough_bytes : size;
    char *bytes = realloc(iter->bytes, room);
    if (!bytes)
      return ENOMEM;
    iter->bytes = bytes;
    iter->room = room;
  }
  memcpy(iter->bytes + iter->used, key->mv_data, key->mv_size);
  memcpy(iter->bytes + iter->used + key->mv_size, value->mv_data, value->mv_size);
  iter->records[iter->n++] = (struct copied){iter->used, key->mv_size, value->mv_size};
  iter->used = size;
  return 0;
}

static bool is_last(const struct lmdb_iter *iter, const MDB_val *key) {
  return iter->last && key->mv_size == iter->lastlen &&
         memcmp(key->mv_data, iter->last, iter->lastlen) == 0;
}

/* Moves the cursor behind the last key, or to the first. */
static int find_start(struct lmdb_iter *iter, MDB_cursor *cursor, MDB_val *key, MDB_val *value) {
  if (!iter->last)
    return mdb_cursor_get(cursor, key, value, MDB_FIRST);
  *key = (MDB_val){iter->lastlen, iter->last};
  int error = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
  return !error && is_last(iter, key) ? mdb_cursor_get(cursor, key, value, MDB_NEXT) : error;
}

static int copy_from(struct lmdb_iter *iter, MDB_cursor *cursor) {
  MDB_val key, value;
  int error = find_start(iter, cursor, &key, &value);
  while (!error) {
    error = copy(iter, &key, &value);
    if (error || iter->n == most_records || iter->used >= enough_bytes)
      return error;
    error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
  }
  iter->at_end = error == MDB_NOTFOUND;
  return iter->at_end ? 0 : error;
}

/* A failed assertion leaves the cursor behind; it goes with the reader's transaction. */
static int copy_more(struct lmdb_iter *iter) {
  MDB_cursor *cursor;
  if (setjmp(iter->reader.on_assert) != 0)
    return MDB_CORRUPTED;
  int error = mdb_cursor_open(iter->reader.txn, iter->reader.dbi, &cursor);
  if (error)
    return error;
  error = copy_from(iter, cursor);
  mdb_cursor_close(cursor);
  return error;
}

static int remember_last(struct lmdb_iter *iter) {
  if (iter->n == 0)
    return 0;
  const struct copied *record = &iter->records[iter->n - 1];
  char *last = realloc(iter->last, record->keylen + 1);
  if (!last)
    return ENOMEM;
  memcpy(last, iter->bytes + record->at, record->keylen);
  iter->last = last;
  iter->lastlen = record->keylen;
  return 0;
}

static dictum_status read_more(struct lmdb_iter *iter, bool first, int64_t deadline_ns,
                               dictum_error *err) {
  if (remember_last(iter) != 0)
    return tablefile_nomem(&iter->table->file, err);
  iter->n = iter->next = iter->used = 0;
  dictum_status status = first ? lmdb_reader_enter(&iter->reader, iter->table, deadline_ns, err)
                               : lmdb_reader_resume(&iter->reader, iter->table, deadline_ns, err);
  if (status != DICTUM_OK)
    return status;
  int error = copy_more(iter);
  if (error) {
    lmdb_reader_close(&iter->reader);
    return lmdb_fail(iter->table, err, error, "read database");
  }
  lmdb_reader_leave(&iter->reader);
  return DICTUM_OK;
}

/* ---- methods -------------------------------------------------------------------------------- */

void lmdb_iter_close(void *rock) {
  struct lmdb_iter *iter = rock;
  lmdb_reader_close(&iter->reader);
  free(iter->bytes);
  free(iter->last);
  free(iter);
}

dictum_status lmdb_iter_open(void *self, const dictum_call *call, void **out, dictum_error *err) {
  const struct lmdb *table = self;
  struct lmdb_iter *iter = calloc(1, sizeof *iter);
  if (!iter)
    return tablefile_nomem(&table->file, err);
  iter->table = table;
  iter->reader = (struct lmdb_reader)LMDB_NO_READER;
  if (call->deadline_ns != 0) {
    iter->patience_ns = call->deadline_ns - filelock_now_ns();
    if (iter->patience_ns <= 0)
      iter->patience_ns = 1;
  }
  dictum_status status = read_more(iter, true, call->deadline_ns, err);
  if (status != DICTUM_OK) {
    lmdb_iter_close(iter);
    return status;
  }
  *out = iter;
  return DICTUM_OK;
}

dictum_status lmdb_iter_next(void *rock, dictum_rec *rec, dictum_error *err) {
  struct lmdb_iter *iter = rock;
  while (iter->next == iter->n) {
    if (iter->at_end)
      return DICTUM_END;
    int64_t deadline_ns = iter->patience_ns ? filelock_now_ns() + iter->patience_ns : 0;
    dictum_status status = read_more(iter, false, deadline_ns, err);
    if (status != DICTUM_OK) {
      iter->at_end = true;
      return status;
    }
  }
  const struct copied *record = &iter->records[iter->next++];
  const char *at = iter->bytes + record->at;
  rec->key = tablefile_without_nul((dictum_key){at, record->keylen});
  rec->value = tablefile_without_nul((dictum_key){at + record->keylen, record->valuelen});
  return DICTUM_OK;
}
