/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_iter.c - walking over all records of a Berkeley DB file.
 *
 * A walk has its own descriptor and handle and reads some tens of kilobytes at
 * a time, with the lock held only while it reads. A btree that was changed in
 * between is opened anew and walked on behind the last key. A hash has no order
 * to go on in: the walk ends with RETRY. A file that was replaced is walked to
 * its end: one whole table, as it was.
 */
#include "bdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { first_buffer = 64 * 1024 };

struct bdb_iter {
  const struct bdb *table;
  struct bdb_reader reader;
  int64_t patience_ns; /* how long to wait for the lock; 0: for ever */
  DBC *cursor;
  DBT bulk;   /* what was read, in Berkeley DB's own packing */
  void *next; /* in it; NULL: nothing left */
  bool ended;
  DBT last;       /* copy of the last key of the bulk before */
  dictum_key key; /* in the bulk */
};

/* ---- bulks ---------------------------------------------------------------------------------- */

static int grow(DBT *buffer, size_t size) {
  const size_t unit = 4096; /* the library wants a multiple of 1024, and at least a page */
  size = (size + unit - 1) / unit * unit;
  if (size > UINT32_MAX)
    return ENOMEM;
  void *data = realloc(buffer->data, size);
  if (!data)
    return ENOMEM;
  buffer->data = data;
  buffer->ulen = (u_int32_t)size;
  buffer->flags = DB_DBT_USERMEM;
  return 0;
}

/* Puts the cursor on the first key that is not before the last one that was given, and says how the
 * walk goes on from there. Berkeley DB would do this and read in one go, but then only a page. */
static int find_last(struct bdb_iter *iter, u_int32_t *where) {
  DBT key = {.data = iter->last.data, .size = iter->last.size};
  DBT nothing = {.flags = DB_DBT_PARTIAL};
  int error = iter->cursor->get(iter->cursor, &key, &nothing, DB_SET_RANGE);
  bool same = !error && key.size == iter->last.size &&
              memcmp(key.data, iter->last.data, key.size) == 0;
  *where = same ? DB_NEXT : DB_CURRENT;
  return error;
}

/* A record that is larger than the buffer makes it grow; its size is then in bulk.size. */
static int read_bulk(struct bdb_iter *iter, u_int32_t where) {
  if (where == DB_SET_RANGE) {
    int error = find_last(iter, &where);
    if (error)
      return error;
  }
  for (;;) {
    DBT key = {0};
    int error = iter->cursor->get(iter->cursor, &key, &iter->bulk, where | DB_MULTIPLE_KEY);
    if (error != DB_BUFFER_SMALL)
      return error;
    size_t wanted = iter->bulk.size > iter->bulk.ulen ? iter->bulk.size : iter->bulk.ulen;
    error = grow(&iter->bulk, wanted + iter->bulk.ulen);
    if (error)
      return error;
  }
}

static int remember_last(struct bdb_iter *iter) {
  if (!iter->key.p)
    return 0;
  if (iter->key.n > iter->last.ulen || !iter->last.data) {
    int error = grow(&iter->last, iter->key.n + 1);
    if (error)
      return error;
  }
  memcpy(iter->last.data, iter->key.p, iter->key.n);
  iter->last.size = (u_int32_t)iter->key.n;
  iter->key.p = NULL;
  return 0;
}

static void close_cursor(struct bdb_iter *iter) {
  if (iter->cursor)
    iter->cursor->close(iter->cursor);
  iter->cursor = NULL;
}

/* ---- the file under the walk ---------------------------------------------------------------- */

static dictum_status changed_under_us(const struct bdb_iter *iter, dictum_error *err) {
  return iter->table->file.host->fail(err, DICTUM_RETRY, 0,
                                      "database %s was changed while it was read: begin again",
                                      iter->table->file.path);
}

/* The file was replaced between our look at it and its opening by name. Ours is still whole, and
 * nobody changes it any more. */
static dictum_status open_replaced(struct bdb_iter *iter, dictum_error *err) {
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", iter->reader.fd);
  int error = bdb_new(&iter->reader.db, iter->table->read_cache);
  if (!error)
    error = bdb_open(&iter->reader.db, name, iter->table->kind, DB_RDONLY);
  return error ? bdb_fail(iter->table, err, error, "open database") : DICTUM_OK;
}

/* Opens the changed file anew, with the lock held. */
static dictum_status open_again(struct bdb_iter *iter, const struct stat *now, dictum_error *err) {
  bool other_file;
  close_cursor(iter);
  dictum_status status = bdb_reader_open_db(&iter->reader, iter->table, now, &other_file, err);
  if (status == DICTUM_OK && other_file)
    status = open_replaced(iter, err);
  if (status != DICTUM_OK)
    return status;
  int error = iter->reader.db->cursor(iter->reader.db, NULL, &iter->cursor, 0);
  return error ? bdb_fail(iter->table, err, error, "read database") : DICTUM_OK;
}

static bool really_changed(const struct bdb_iter *iter, const struct stat *now) {
  /* The doubt about a young hash is let pass: there is nothing that could be done about it. */
  struct bdb_reader sure = iter->reader;
  sure.doubtful = iter->table->kind == DB_BTREE && iter->reader.doubtful;
  /* Being replaced changes the times, too. */
  return bdb_reader_changed(&sure, now) && now->st_nlink == iter->reader.seen.st_nlink;
}

/* With the lock held. *where is what the cursor must do first. */
static dictum_status keep_up(struct bdb_iter *iter, u_int32_t *where, dictum_error *err) {
  struct stat now;
  *where = DB_NEXT;
  if (fstat(iter->reader.fd, &now) != 0)
    return tablefile_fail(&iter->table->file, err, errno, "read database");
  if (!really_changed(iter, &now))
    return DICTUM_OK;
  if (iter->table->kind == DB_HASH)
    return changed_under_us(iter, err);
  *where = iter->last.data ? DB_SET_RANGE : DB_NEXT;
  return open_again(iter, &now, err);
}

static dictum_status read_more(struct bdb_iter *iter, dictum_error *err) {
  int error = remember_last(iter);
  if (error)
    return tablefile_nomem(&iter->table->file, err);
  int64_t deadline_ns = iter->patience_ns ? filelock_now_ns() + iter->patience_ns : 0;
  error = filelock_take(iter->reader.fd, FILELOCK_FLOCK, false, deadline_ns);
  if (error)
    return tablefile_fail(&iter->table->file, err, error, "lock");
  u_int32_t where;
  dictum_status status = keep_up(iter, &where, err);
  if (status == DICTUM_OK) {
    error = read_bulk(iter, where);
    if (error == DB_NOTFOUND)
      status = DICTUM_END;
    else if (error)
      status = bdb_fail(iter->table, err, error, "read database");
  }
  bdb_reader_leave(&iter->reader);
  if (status == DICTUM_OK)
    DB_MULTIPLE_INIT(iter->next, &iter->bulk);
  return status;
}

/* ---- methods -------------------------------------------------------------------------------- */

void bdb_iter_close(void *rock) {
  struct bdb_iter *iter = rock;
  close_cursor(iter);
  bdb_reader_close(&iter->reader);
  free(iter->bulk.data);
  free(iter->last.data);
  free(iter);
}

static dictum_status start(struct bdb_iter *iter, const dictum_call *call, dictum_error *err) {
  if (grow(&iter->bulk, first_buffer) != 0)
    return tablefile_nomem(&iter->table->file, err);
  if (call->deadline_ns != 0) {
    iter->patience_ns = call->deadline_ns - filelock_now_ns();
    if (iter->patience_ns <= 0)
      iter->patience_ns = 1;
  }
  dictum_status status = bdb_reader_enter(&iter->reader, iter->table, call->deadline_ns, err);
  if (status != DICTUM_OK)
    return status;
  int error = iter->reader.db->cursor(iter->reader.db, NULL, &iter->cursor, 0);
  bdb_reader_leave(&iter->reader);
  return error ? bdb_fail(iter->table, err, error, "read database") : DICTUM_OK;
}

dictum_status bdb_iter_open(void *self, const dictum_call *call, void **out, dictum_error *err) {
  const struct bdb *table = self;
  if (table->update)
    return table->file.host->fail(err, DICTUM_RETRY, 0,
                                  "database %s is being changed by this table", table->file.path);
  struct bdb_iter *iter = calloc(1, sizeof *iter);
  if (!iter)
    return tablefile_nomem(&table->file, err);
  iter->table = table;
  iter->reader = (struct bdb_reader)BDB_NO_READER;
  dictum_status status = start(iter, call, err);
  if (status != DICTUM_OK) {
    bdb_iter_close(iter);
    return status;
  }
  *out = iter;
  return DICTUM_OK;
}

dictum_status bdb_iter_next(void *rock, dictum_rec *rec, dictum_error *err) {
  struct bdb_iter *iter = rock;
  for (;;) {
    void *key, *value;
    size_t keylen, valuelen;
    while (!iter->next) {
      dictum_status status = iter->ended ? DICTUM_END : read_more(iter, err);
      if (status != DICTUM_OK) {
        iter->ended = true;
        return status;
      }
    }
    DB_MULTIPLE_KEY_NEXT(iter->next, &iter->bulk, key, keylen, value, valuelen);
    if (!iter->next)
      continue;
    iter->key = (dictum_key){key, keylen};
    rec->key = tablefile_without_nul(iter->key);
    rec->value = tablefile_without_nul((dictum_key){value, valuelen});
    return DICTUM_OK;
  }
}
