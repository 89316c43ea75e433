/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_env.c - files as LMDB sees them: errors, environments, and readers that keep up.
 *
 * LMDB maps the file, so what it finds there must be trusted by it: a page that
 * the file is too short for would end the process. Size and first pages are
 * therefore checked here before the library looks, and again whenever a reader
 * goes on to a newer state.
 */
#include "lmdb_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- errors --------------------------------------------------------------------------------- */

dictum_status lmdb_status(int error) {
  switch (error) {
  case MDB_NOTFOUND:
    return DICTUM_NOTFOUND;
  case MDB_KEYEXIST:
    return DICTUM_EXISTS;
  case MDB_BAD_VALSIZE:
    return DICTUM_INVALID;
  case MDB_MAP_RESIZED:
    return DICTUM_RETRY;
  default:
    return error < 0 ? DICTUM_CONFIG : tablefile_status(error);
  }
}

dictum_status lmdb_fail(const struct lmdb *table, dictum_error *err, int error, const char *what) {
  char text[128];
  return table->file.host->fail(
      err, lmdb_status(error), error > 0 ? error : 0, "%s %s: %s", what, table->file.path,
      error > 0 ? tablefile_errno_text(error, text, sizeof text) : mdb_strerror(error));
}

/* ---- the first pages ------------------------------------------------------------------------ */

/* LMDB's page header and meta data, as far as it matters. Two such pages begin each file. */
struct meta_page {
  size_t page_number;
  uint16_t unused, flags;
  uint32_t unused_too;
  uint32_t magic, version;
  void *address;
  size_t map_bytes;
  uint32_t page_bytes;
};

static const uint32_t lmdb_magic = 0xBEEFC0DE, lmdb_version = 1;
enum { page_is_meta = 8 };

static int check_page(int fd, off_t at, struct meta_page *page) {
  ssize_t got = pread(fd, page, sizeof *page, at);
  if (got < 0)
    return errno;
  if (got < (ssize_t)sizeof *page || !(page->flags & page_is_meta) || page->magic != lmdb_magic)
    return MDB_INVALID;
  if (page->version != lmdb_version)
    return MDB_VERSION_MISMATCH;
  return 0;
}

int lmdb_check_file(int fd, size_t *page_bytes) {
  struct meta_page first, second;
  struct stat st;
  if (fstat(fd, &st) != 0)
    return errno;
  int error = check_page(fd, 0, &first);
  if (error)
    return error;
  size_t bytes = first.page_bytes;
  if (bytes < 256 || bytes > 65536 || (bytes & (bytes - 1)) != 0 || st.st_size < (off_t)bytes * 2)
    return MDB_INVALID;
  error = check_page(fd, (off_t)bytes, &second);
  if (!error && second.page_bytes != first.page_bytes)
    error = MDB_INVALID;
  *page_bytes = bytes;
  return error;
}

/* Is every page that the current state may name in the file? Pages are written before the state
 * that names them, so a file that is too short for one is looked at again just once. */
static bool has_all_pages(const struct lmdb_reader *reader, const struct stat *now) {
  MDB_envinfo info;
  struct stat later;
  if (mdb_env_info(reader->env, &info) != 0)
    return false;
  if (info.me_last_pgno < (size_t)now->st_size / reader->page_bytes)
    return true;
  return fstat(reader->fd, &later) == 0 &&
         info.me_last_pgno < (size_t)later.st_size / reader->page_bytes;
}

/* ---- environments --------------------------------------------------------------------------- */

/* The library would print and abort. This leaves it in the middle of what it does: its environment
 * can then only be closed, which for a reader is safe, as it holds no lock of the library's. */
static void leave_library(MDB_env *env, const char *what) {
  (void)what;
  longjmp(*(jmp_buf *)mdb_env_get_userctx(env), 1);
}

int lmdb_env_open(MDB_env **env, const char *name, unsigned flags, size_t map_bytes,
                  jmp_buf *on_assert) {
  int error = mdb_env_create(env);
  if (error)
    return error;
  mdb_env_set_userctx(*env, on_assert);
  mdb_env_set_assert(*env, leave_library);
  error = mdb_env_set_mapsize(*env, map_bytes);
  if (!error)
    error = mdb_env_open(*env, name, flags | MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600);
  if (error) {
    mdb_env_close(*env);
    *env = NULL;
  }
  return error;
}

bool lmdb_has_file(MDB_env *env, int fd) {
  int theirs;
  struct stat a, b;
  return mdb_env_get_fd(env, &theirs) == 0 && fstat(theirs, &a) == 0 && fstat(fd, &b) == 0 &&
         a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- readers -------------------------------------------------------------------------------- */

static void close_env(struct lmdb_reader *reader) {
  if (reader->txn)
    mdb_txn_abort(reader->txn);
  if (reader->env)
    mdb_env_close(reader->env);
  reader->txn = NULL;
  reader->env = NULL;
}

void lmdb_reader_close(struct lmdb_reader *reader) {
  close_env(reader);
  if (reader->fd >= 0)
    close(reader->fd);
  reader->fd = -1;
}

/* Opens the environment, with the lock held. @return 0 or an error. */
static int open_env(struct lmdb_reader *reader, const struct lmdb *table, const struct stat *now,
                    bool *other_file) {
  int error = lmdb_check_file(reader->fd, &reader->page_bytes);
  if (!error)
    error = lmdb_env_open(&reader->env, table->file.path, MDB_RDONLY, (size_t)now->st_size,
                          &reader->on_assert);
  if (error)
    return error;
  reader->seen = *now;
  *other_file = !lmdb_has_file(reader->env, reader->fd);
  return 0;
}

/* Begins or renews the transaction. A file that has grown beyond the map is mapped anew. */
static int renew(struct lmdb_reader *reader, const struct stat *now) {
  for (;;) {
    int error = reader->txn ? mdb_txn_renew(reader->txn)
                            : mdb_txn_begin(reader->env, NULL, MDB_RDONLY, &reader->txn);
    if (error != MDB_MAP_RESIZED)
      return error;
    error = mdb_env_set_mapsize(reader->env, (size_t)now->st_size);
    if (error)
      return error;
  }
}

/* After a failure the reader is to be closed. */
static int begin_txn(struct lmdb_reader *reader, const struct stat *now) {
  if (now->st_size < (off_t)(2 * reader->page_bytes))
    return MDB_CORRUPTED;
  bool first = !reader->txn;
  int error = renew(reader, now);
  if (!error && !has_all_pages(reader, now))
    error = MDB_CORRUPTED;
  if (!error && first)
    error = mdb_dbi_open(reader->txn, NULL, 0, &reader->dbi);
  return error;
}

static dictum_status take_lock(struct lmdb_reader *reader, const struct lmdb *table,
                               int64_t deadline_ns, dictum_error *err) {
  int error = filelock_take(reader->fd, FILELOCK_OFD, false, deadline_ns);
  reader->busy = error == ETIMEDOUT;
  return error ? tablefile_fail(&table->file, err, error, "lock") : DICTUM_OK;
}

/* One round; *again asks for another, as the file was replaced in between. */
static dictum_status enter_once(struct lmdb_reader *reader, const struct lmdb *table,
                                int64_t deadline_ns, bool *again, dictum_error *err) {
  struct stat now;
  dictum_status status = DICTUM_OK;
  *again = false;
  if (reader->fd < 0)
    status = tablefile_open(&table->file, &reader->fd, &reader->seen, err);
  if (status == DICTUM_OK)
    status = take_lock(reader, table, deadline_ns, err);
  if (status != DICTUM_OK)
    return status;
  int error = 0;
  *again = !tablefile_is_current(&table->file, reader->fd, &reader->seen, &now);
  if (!*again && !reader->env)
    error = open_env(reader, table, &now, again);
  if (!*again && !error)
    error = begin_txn(reader, &now);
  return error ? lmdb_fail(table, err, error, "open database") : DICTUM_OK;
}

dictum_status lmdb_reader_enter(struct lmdb_reader *reader, const struct lmdb *table,
                                int64_t deadline_ns, dictum_error *err) {
  for (;;) {
    bool again;
    dictum_status status = enter_once(reader, table, deadline_ns, &again, err);
    if (status == DICTUM_OK && !again)
      return DICTUM_OK;
    /* This drops the lock, too. */
    lmdb_reader_close(reader);
    if (status != DICTUM_OK)
      return status;
  }
}

dictum_status lmdb_reader_resume(struct lmdb_reader *reader, const struct lmdb *table,
                                 int64_t deadline_ns, dictum_error *err) {
  struct stat now;
  dictum_status status = take_lock(reader, table, deadline_ns, err);
  if (status != DICTUM_OK)
    return status;
  int error = fstat(reader->fd, &now) != 0 ? errno : begin_txn(reader, &now);
  if (!error)
    return DICTUM_OK;
  lmdb_reader_close(reader);
  return lmdb_fail(table, err, error, "read database");
}

void lmdb_reader_leave(struct lmdb_reader *reader) {
  mdb_txn_reset(reader->txn);
  filelock_drop(reader->fd, FILELOCK_OFD);
}
