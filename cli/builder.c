/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * builder.c - from a source text to a table.
 *
 * The order of the steps is Postfix's, since it decides which of several
 * mistakes is told: source, owner, type, lock, and only then the text.
 */
#include "builder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "identity.h"
#include "interrupt.h"

/* How many entries pass between two looks at signals and progress. */
enum { ENTRIES_BETWEEN_LOOKS = 4096 };

/* One build while it runs. */
struct work {
  const struct build *build;
  int fd;
  struct stat source;
  dictum_table *table;
  dictum_txn *txn;
  struct build_result result;
  dictum_error *err;
};

static dictum_status open_source(struct work *work) {
  const char *path = work->build->source;
  work->fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
  if (work->fd < 0)
    return failure(work->err, DICTUM_CONFIG, DICTUM_CODE_NONE, errno, "open %s: %s", path,
                   strerror(errno));
  if (fstat(work->fd, &work->source) != 0)
    return failure(work->err, DICTUM_CONFIG, DICTUM_CODE_NONE, errno, "fstat %s: %s",
                   path ? path : "stdin", strerror(errno));
  return DICTUM_OK;
}

/* A file that anybody could read less of must not become one that everybody can read. */
static uint32_t file_mode(const struct work *work) {
  if (work->build->file_mode)
    return work->build->file_mode;
  if (work->build->plain_mode || !S_ISREG(work->source.st_mode))
    return 0644;
  return 0644 & ~(~(uint32_t)work->source.st_mode & 077);
}

static void warn(const struct work *work, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void warn(const struct work *work, const char *fmt, ...) {
  if (!work->build->warning)
    return;
  char *text;
  va_list args;
  va_start(args, fmt);
  int len = vasprintf(&text, fmt, args);
  va_end(args);
  if (len < 0)
    return;
  work->build->warning(work->build->rock, text);
  free(text);
}

/* Root's table in a folder of somebody else's: that somebody can put another in its place. */
static void warn_of_foreign_folder(const struct work *work) {
  if (geteuid() != 0 || work->build->stay_root || work->source.st_uid != 0)
    return;
  if (!(dictum_caps(work->table) & DICTUM_CAP_FILE))
    return;
  dictum_table_info info = {.size = sizeof info};
  dictum_table_describe(work->table, &info);
  char *name = strdup(info.name);
  if (!name)
    return;
  const char *folder = dirname(name);
  struct stat st;
  if (stat(folder, &st) == 0 && st.st_uid != 0)
    warn(work, "Creating root-owned database file(s) %s.* in non-root-owned directory %s",
         info.name, folder);
  free(name);
}

static dictum_status open_table(struct work *work) {
  uint32_t flags = work->build->open_flags | DICTUM_OPEN_WRITE | DICTUM_OPEN_CREATE;
  if (work->build->mode == DICTUM_TXN_REPLACE_ALL)
    flags |= DICTUM_OPEN_REPLACE;
  dictum_status status = dictum_open(work->build->ctx, work->build->spec, flags, &work->table,
                                     work->err);
  if (status == DICTUM_OK)
    warn_of_foreign_folder(work);
  return status;
}

static dictum_status put(struct work *work, const dictum_entry *entry) {
  dictum_status status = dictum_txn_put(work->txn, entry, work->build->dup, work->err);
  if (status == DICTUM_OK)
    work->result.entries++;
  if (status == DICTUM_INVALID && work->build->skip_unfit) {
    warn(work, "%s", work->err->what);
    return DICTUM_OK;
  }
  if (status != DICTUM_EXISTS)
    return status;
  work->result.refused++;
  if (work->build->refused)
    work->build->refused(work->build->rock, entry, work->err);
  else
    warn(work, "%s", work->err->what);
  return DICTUM_OK;
}

static void tell_progress(const struct work *work, const dictum_source *source) {
  if (work->build->progress)
    work->build->progress(work->build->rock, dictum_source_offset(source),
                          S_ISREG(work->source.st_mode) ? (uint64_t)work->source.st_size : 0);
}

static dictum_status put_entries(struct work *work, dictum_source *source) {
  dictum_entry entry;
  dictum_status status = DICTUM_OK;
  for (uint64_t n = 0; status == DICTUM_OK && !interrupt_came();) {
    status = dictum_source_next(source, &entry, work->err);
    if (status == DICTUM_OK)
      status = put(work, &entry);
    if (++n % ENTRIES_BETWEEN_LOOKS == 0)
      tell_progress(work, source);
  }
  return status == DICTUM_END ? DICTUM_OK : status;
}

static bool is_empty_folder(const struct work *work) {
  if (!work->build->folder_is_empty || !S_ISDIR(work->source.st_mode))
    return false;
  warn(work, "%s is a directory: taken as an empty file",
       work->build->source ? work->build->source : "standard input");
  return true;
}

/* What was read of a file that somebody is writing may be half of what is meant. */
static dictum_status check_unchanged(const struct work *work) {
  struct stat now;
  const struct stat *then = &work->source;
  if (!S_ISREG(then->st_mode) || fstat(work->fd, &now) != 0)
    return DICTUM_OK;
  if (now.st_size == then->st_size && now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == then->st_mtim.tv_nsec)
    return DICTUM_OK;
  return failure(work->err, DICTUM_RETRY, DICTUM_CODE_NONE, 0,
                 "%s was changed while it was read: build again",
                 work->build->source ? work->build->source : "stdin");
}

static dictum_status put_source(struct work *work) {
  dictum_source *source;
  const char *label = work->build->source ? work->build->source : "stdin";
  dictum_status status = dictum_source_open(work->build->ctx, work->fd, label,
                                            work->build->source_flags, &source, work->err);
  if (status != DICTUM_OK)
    return status;
  if (!is_empty_folder(work))
    status = put_entries(work, source);
  dictum_source_close(source);
  if (status == DICTUM_OK && !interrupt_came())
    status = check_unchanged(work);
  if (status == DICTUM_OK && work->build->extra && !interrupt_came())
    status = work->build->extra(work->build->rock, work->txn, work->err);
  return status;
}

/* A signal also ends the wait for the lock. */
static dictum_status change_table(struct work *work) {
  interrupt_watch(work->fd);
  dictum_status status = dictum_txn_begin(work->table, work->build->mode, file_mode(work),
                                          &work->txn, work->err);
  if (status != DICTUM_OK)
    return status;
  status = put_source(work);
  if (status == DICTUM_OK && !interrupt_came())
    return dictum_txn_commit(work->txn, work->err);
  dictum_txn_abort(work->txn);
  return status;
}

static dictum_status build_as_owner(struct work *work) {
  dictum_status status = open_table(work);
  if (status == DICTUM_OK)
    status = change_table(work);
  dictum_close(work->table);
  return status;
}

dictum_status build_run(const struct build *build, struct build_result *result, dictum_error *err) {
  dictum_error own = DICTUM_ERROR_INIT;
  struct work work = {.build = build, .fd = -1, .err = err ? err : &own};
  struct identity before = {0};
  dictum_status status = open_source(&work);
  if (status == DICTUM_OK && !build->stay_root)
    status = identity_become(&before, work.source.st_uid, work.source.st_gid, work.err);
  if (status == DICTUM_OK)
    status = build_as_owner(&work);
  identity_restore(&before);
  interrupt_finish();
  if (build->source && work.fd >= 0)
    close(work.fd);
  if (result)
    *result = work.result;
  return status;
}
