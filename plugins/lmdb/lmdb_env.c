/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_env.c - open LMDB files: errors, environments for writers, and readers that keep up.
 *
 * A reader has no environment of the library's (lmdb_tree.c says why), only a
 * descriptor for the lock and a map. With the lock held, the newest state of a
 * file stays as it is: writers overwrite pages of older states only, and only
 * when no reader has the lock.
 *
 * A single lookup mostly does without the lock: it searches the state that was
 * loaded last, and sees afterwards whether that is still the newest
 * (lmdb_tree_is_newest() says why that is enough).
 */
#include "lmdb_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* ---- environments --------------------------------------------------------------------------- */

/* The library would print and abort. This leaves it in the middle of what it does: its environment
 * can then only be left behind. */
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

static void unmap(struct lmdb_reader *reader) {
  if (reader->map)
    munmap(reader->map, reader->map_bytes);
  reader->map = NULL;
  pageset_free(&reader->sound);
}

void lmdb_reader_close(struct lmdb_reader *reader) {
  unmap(reader);
  free(reader->value.bytes);
  if (reader->fd >= 0)
    close(reader->fd);
  *reader = (struct lmdb_reader){.fd = -1, .busy = reader->busy};
}

static int map_file(struct lmdb_reader *reader, const struct stat *now) {
  unmap(reader);
  int error = lmdb_tree_check(reader->fd, &reader->page_bytes);
  if (error)
    return error;
  if ((uintmax_t)now->st_size > SIZE_MAX)
    return EFBIG;
  void *map = mmap(NULL, (size_t)now->st_size, PROT_READ, MAP_SHARED, reader->fd, 0);
  if (map == MAP_FAILED)
    return errno;
  reader->map = map;
  reader->map_bytes = (size_t)now->st_size;
  return 0;
}

static int load_newest(struct lmdb_reader *reader) {
  return lmdb_tree_load(&reader->tree, reader->map, reader->map_bytes, reader->page_bytes);
}

/* Loads the newest state. A file that was cut is not looked at where it ends no longer, and one
 * that has grown is mapped anew: pages are written before the state that names them. */
static int load_mapped(struct lmdb_reader *reader, const struct stat *now) {
  int error = 0;
  struct stat later;
  if (!reader->map || (size_t)now->st_size < reader->map_bytes)
    error = map_file(reader, now);
  if (!error)
    error = load_newest(reader);
  if (error != MDB_MAP_RESIZED)
    return error;
  error = fstat(reader->fd, &later) != 0 ? errno : map_file(reader, &later);
  if (!error)
    error = load_newest(reader);
  return error == MDB_MAP_RESIZED ? MDB_CORRUPTED : error;
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A state never changes; but somebody who is not LMDB may have written over it. */
static int load(struct lmdb_reader *reader, const struct stat *now) {
  const size_t before = reader->tree.transaction;
  int error = load_mapped(reader, now);
  if (error)
    return error;
  bool same = reader->sound.bits && before == reader->tree.transaction &&
              same_time(&reader->changed, &now->st_mtim);
  if (!same)
    pageset_reset(&reader->sound, reader->tree.pages);
  reader->tree.sound = &reader->sound;
  reader->changed = now->st_mtim;
  return 0;
}

int lmdb_check_file(int fd) {
  struct stat now;
  struct lmdb_reader probe = {.fd = fd};
  int error = fstat(fd, &now) != 0 ? errno : load(&probe, &now);
  if (!error)
    error = lmdb_tree_check_all(&probe.tree);
  unmap(&probe);
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
  *again = !tablefile_is_current(&table->file, reader->fd, &reader->seen, &now);
  int error = *again ? 0 : load(reader, &now);
  reader->settled = table->file.unlocked && !*again && !error;
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
  int error = fstat(reader->fd, &now) != 0 ? errno : load(reader, &now);
  if (!error)
    return DICTUM_OK;
  lmdb_reader_close(reader);
  return lmdb_fail(table, err, error, "read database");
}

void lmdb_reader_leave(struct lmdb_reader *reader) {
  filelock_drop(reader->fd, FILELOCK_OFD);
}

/* ---- readers without the lock ---------------------------------------------------------------- */

bool lmdb_reader_try_unlocked(struct lmdb_reader *reader, const struct lmdb *table) {
  struct stat now;
  if (!reader->settled || tablefile_glanced(&table->file, &reader->glance))
    return reader->settled;
  reader->local = reader->local || tablefile_is_local(reader->fd);
  reader->settled = reader->local &&
                    tablefile_is_current(&table->file, reader->fd, &reader->seen, &now) &&
                    same_time(&reader->changed, &now.st_mtim);
  return reader->settled;
}

static bool copy_value(struct lmdb_reader *reader, dictum_key *value) {
  if (value->n > reader->value.size) {
    char *bytes = realloc(reader->value.bytes, value->n);
    if (!bytes)
      return false;
    reader->value.bytes = bytes;
    reader->value.size = value->n;
  }
  if (value->n > 0)
    memcpy(reader->value.bytes, value->p, value->n);
  value->p = reader->value.bytes;
  return true;
}

bool lmdb_reader_end_unlocked(struct lmdb_reader *reader, dictum_key *value) {
  reader->settled = copy_value(reader, value) && lmdb_tree_is_newest(&reader->tree);
  return reader->settled;
}
