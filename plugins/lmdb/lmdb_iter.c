/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_iter.c - walking over all records of an LMDB file.
 *
 * A walk has its own reader and copies a batch of records at a time, with the
 * lock held only while it copies; then it goes on behind the last key. A file
 * that was replaced in between is walked to its end: one whole table, as it was.
 */
#include "lmdb_table.h"

#include <stdlib.h>

#include "keyorder.h"
#include "recbatch.h"

struct lmdb_iter {
  const struct lmdb *table;
  struct lmdb_reader reader;
  struct recbatch *batch;
  int64_t patience_ns; /* how long to wait for the lock; 0: for ever */
  bool at_end;         /* nothing is behind the batch */
};

/* Goes behind the last key of the batch before, or to the first of all. */
static int find_start(const struct lmdb_iter *iter, struct lmdb_walk *walk) {
  dictum_key key, value;
  const dictum_key last = recbatch_last(iter->batch);
  int error = lmdb_walk_start(walk, &iter->reader.tree, last.p ? &last : NULL);
  if (error || !last.p)
    return error;
  error = lmdb_walk_get(walk, &key, &value);
  return !error && keyorder_compare(&key, &last) == 0 ? lmdb_walk_next(walk) : error;
}

/* Keys must rise: in a damaged file a walk could otherwise go on for ever. */
static int copy_here(struct lmdb_iter *iter, const struct lmdb_walk *walk) {
  dictum_key key, value;
  const dictum_key last = recbatch_last(iter->batch);
  int error = lmdb_walk_get(walk, &key, &value);
  if (!error && last.p && keyorder_compare(&last, &key) >= 0)
    error = MDB_CORRUPTED;
  return error ? error : recbatch_add(iter->batch, &key, &value);
}

static int copy_more(struct lmdb_iter *iter) {
  struct lmdb_walk walk;
  int error = find_start(iter, &walk);
  while (!error && !recbatch_is_full(iter->batch)) {
    error = copy_here(iter, &walk);
    if (!error)
      error = lmdb_walk_next(&walk);
  }
  iter->at_end = error == MDB_NOTFOUND;
  return iter->at_end ? 0 : error;
}

/* Fills the batch, with the lock held. */
static dictum_status fill(struct lmdb_iter *iter, dictum_error *err) {
  int error = copy_more(iter);
  if (error) {
    lmdb_reader_close(&iter->reader);
    return lmdb_fail(iter->table, err, error, "read database");
  }
  lmdb_reader_leave(&iter->reader);
  return DICTUM_OK;
}

static dictum_status fill_again(struct lmdb_iter *iter, dictum_error *err) {
  if (recbatch_clear(iter->batch) != 0)
    return tablefile_nomem(&iter->table->file, err);
  int64_t deadline_ns = iter->patience_ns ? filelock_now_ns() + iter->patience_ns : 0;
  dictum_status status = lmdb_reader_resume(&iter->reader, iter->table, deadline_ns, err);
  return status == DICTUM_OK ? fill(iter, err) : status;
}

void lmdb_iter_close(void *rock) {
  struct lmdb_iter *iter = rock;
  lmdb_reader_close(&iter->reader);
  recbatch_free(iter->batch);
  free(iter);
}

dictum_status lmdb_iter_open(void *self, const dictum_call *call, void **out, dictum_error *err) {
  const struct lmdb *table = self;
  struct lmdb_iter *iter = calloc(1, sizeof *iter);
  if (!iter)
    return tablefile_nomem(&table->file, err);
  iter->table = table;
  iter->reader = (struct lmdb_reader)LMDB_NO_READER;
  iter->patience_ns = filelock_patience_ns(call->deadline_ns);
  iter->batch = recbatch_new();
  dictum_status status = iter->batch
                             ? lmdb_reader_enter(&iter->reader, table, call->deadline_ns, err)
                             : tablefile_nomem(&table->file, err);
  if (status == DICTUM_OK)
    status = fill(iter, err);
  if (status != DICTUM_OK) {
    lmdb_iter_close(iter);
    return status;
  }
  *out = iter;
  return DICTUM_OK;
}

dictum_status lmdb_iter_next(void *rock, dictum_rec *rec, dictum_error *err) {
  struct lmdb_iter *iter = rock;
  while (!recbatch_take(iter->batch, rec)) {
    dictum_status status = iter->at_end ? DICTUM_END : fill_again(iter, err);
    if (status != DICTUM_OK) {
      iter->at_end = true;
      return status;
    }
  }
  return DICTUM_OK;
}
