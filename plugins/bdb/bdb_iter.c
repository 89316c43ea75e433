/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_iter.c - walking over all records of a Berkeley DB file.
 *
 * A walk has its own reader and copies a batch of records at a time, with the
 * lock held only while it copies. A btree is walked on behind the last key. A
 * hash has no order to go on in: when it was changed in place in between, the
 * walk ends with RETRY. A file that was replaced is walked to its end: one whole
 * table, as it was.
 */
#include "bdb.h"

#include <stdlib.h>

#include "keyorder.h"
#include "recbatch.h"

struct bdb_iter {
  const struct bdb *table;
  struct bdb_reader reader;
  struct recbatch *batch;
  int64_t patience_ns; /* how long to wait for the lock; 0: for ever */
  struct bdb_walk walk;
  bool started; /* hash: the walk is at the record behind the batch */
  bool at_end;  /* nothing is behind the batch */
  struct bdb_scratch key, value;
};

static int get(struct bdb_iter *iter, struct bdb_record *record) {
  return bdb_walk_get(&iter->walk, &iter->reader.image, record, &iter->key, &iter->value);
}

/* Goes behind the last key of the batch before, or to the first of all. */
static int find_start(struct bdb_iter *iter) {
  const struct bdb_image *image = &iter->reader.image;
  struct bdb_record record;
  const dictum_key last = recbatch_last(iter->batch);
  if (iter->started)
    return 0;
  if (!last.p)
    return bdb_walk_first(&iter->walk, image);
  int error = bdb_walk_from(&iter->walk, image, &last, &iter->key);
  if (!error)
    error = get(iter, &record);
  return !error && keyorder_compare(&record.key, &last) == 0 ? bdb_walk_next(&iter->walk, image)
                                                             : error;
}

/* The keys of a btree must rise: in a damaged one a walk could otherwise go on for ever. */
static int copy_here(struct bdb_iter *iter) {
  struct bdb_record record;
  const dictum_key last = recbatch_last(iter->batch);
  int error = get(iter, &record);
  if (error || record.deleted)
    return error;
  if (iter->table->kind == DB_BTREE && last.p && keyorder_compare(&last, &record.key) >= 0)
    return DB_VERIFY_BAD;
  return recbatch_add(iter->batch, &record.key, &record.value);
}

static int copy_more(struct bdb_iter *iter) {
  int error = find_start(iter);
  while (!error && !recbatch_is_full(iter->batch)) {
    error = copy_here(iter);
    if (!error)
      error = bdb_walk_next(&iter->walk, &iter->reader.image);
  }
  iter->started = iter->table->kind == DB_HASH;
  iter->at_end = error == DB_NOTFOUND;
  return iter->at_end ? 0 : error;
}

/* Fills the batch, with the lock held. */
static dictum_status fill(struct bdb_iter *iter, dictum_error *err) {
  int error = copy_more(iter);
  if (error) {
    bdb_reader_close(&iter->reader);
    return bdb_fail(iter->table, err, error, "read database");
  }
  bdb_reader_leave(&iter->reader);
  return DICTUM_OK;
}

static dictum_status fill_again(struct bdb_iter *iter, dictum_error *err) {
  const struct tablefile *file = &iter->table->file;
  bool changed;
  if (recbatch_clear(iter->batch) != 0)
    return tablefile_nomem(file, err);
  int64_t deadline_ns = iter->patience_ns ? filelock_now_ns() + iter->patience_ns : 0;
  dictum_status status = bdb_reader_resume(&iter->reader, iter->table, deadline_ns, &changed, err);
  if (status != DICTUM_OK)
    return status;
  if (!changed || iter->table->kind == DB_BTREE)
    return fill(iter, err);
  bdb_reader_close(&iter->reader);
  return file->host->fail(err, DICTUM_RETRY, 0,
                          "database %s was changed while it was read: begin again", file->path);
}

void bdb_iter_close(void *rock) {
  struct bdb_iter *iter = rock;
  bdb_reader_close(&iter->reader);
  recbatch_free(iter->batch);
  bdb_scratch_free(&iter->key);
  bdb_scratch_free(&iter->value);
  free(iter);
}

dictum_status bdb_iter_open(void *self, const dictum_call *call, void **out, dictum_error *err) {
  const struct bdb *table = self;
  if (atomic_load(&table->updating))
    return bdb_fail_updating(table, err);
  struct bdb_iter *iter = calloc(1, sizeof *iter);
  if (!iter)
    return tablefile_nomem(&table->file, err);
  iter->table = table;
  iter->reader = (struct bdb_reader)BDB_NO_READER;
  iter->patience_ns = filelock_patience_ns(call->deadline_ns);
  iter->batch = recbatch_new();
  dictum_status status = iter->batch
                             ? bdb_reader_enter(&iter->reader, table, call->deadline_ns, err)
                             : tablefile_nomem(&table->file, err);
  if (status == DICTUM_OK)
    status = fill(iter, err);
  if (status != DICTUM_OK) {
    bdb_iter_close(iter);
    return status;
  }
  *out = iter;
  return DICTUM_OK;
}

dictum_status bdb_iter_next(void *rock, dictum_rec *rec, dictum_error *err) {
  struct bdb_iter *iter = rock;
  while (!recbatch_take(iter->batch, rec)) {
    dictum_status status = iter->at_end ? DICTUM_END : fill_again(iter, err);
    if (status != DICTUM_OK) {
      iter->at_end = true;
      return status;
    }
  }
  return DICTUM_OK;
}
