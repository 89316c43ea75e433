/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * texthash.c - text files in the format of postmap(1), read whole into memory at open.
 *
 * The name is the file's, as it is. Later changes of the file do not show. A
 * file that changes while it is read is read again. Of equal keys the first
 * wins, with an event DUPLICATE, unless the flags say otherwise. Lines with a
 * mistake are skipped, with an event SOURCE_LINE. Threads: any number.
 */
#include "builtin.h"

#include <inttypes.h>

#include "ctx.h"
#include "error.h"
#include "lines.h"
#include "memtable.h"
#include "slot.h"
#include "source.h"

static dictum_dup dup_policy(uint32_t flags) {
  if (flags & DICTUM_OPEN_DUP_REPLACE)
    return DICTUM_DUP_REPLACE;
  return flags & DICTUM_OPEN_DUP_IGNORE ? DICTUM_DUP_IGNORE : DICTUM_DUP_REFUSE;
}

static dictum_status add_entry(const dictum_open_args *args, struct memtable *table,
                               const dictum_entry *entry, dictum_error *err) {
  uint64_t first_line = 0;
  dictum_status status = memtable_put(table, entry, dup_policy(args->flags), &first_line);
  if (status == DICTUM_EXISTS)
    event_send_line(&slot_ctx(args->slot)->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_DUPLICATE,
                    args->slot->spec, entry->line, first_line,
                    "%s, line %" PRIu64 ": duplicate entry: \"%.*s\"", args->name, entry->line,
                    (int)(entry->keylen < 1000 ? entry->keylen : 1000), entry->key);
  return status == DICTUM_NOMEM ? error_nomem(err) : DICTUM_OK;
}

static dictum_status open_file(const dictum_open_args *args, dictum_lines **out,
                               dictum_error *err) {
  const struct lines_owner owner = {&slot_ctx(args->slot)->events, args->slot->spec};
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = lines_open_file(args->name, &owner, out, &why);
  if (status == DICTUM_OK)
    return DICTUM_OK;
  if (why.sys_errno)
    return error_set(err, status, why.sys_errno, "open database %s: %s", args->name,
                     ERRNO_TEXT(why.sys_errno));
  return error_set(err, status, 0, "%s", why.what);
}

static dictum_status read_entries(const dictum_open_args *args, uint32_t reading,
                                  dictum_lines *lines, struct memtable *table, dictum_error *err) {
  uint32_t flags = SOURCE_IN_MEMORY | (reading & DICTUM_OPEN_UTF8 ? DICTUM_SOURCE_UTF8 : 0) |
                   (reading & DICTUM_OPEN_FILES ? DICTUM_SOURCE_FILES : 0);
  dictum_source *source;
  dictum_status status = source_open_lines(lines, &slot_ctx(args->slot)->events, flags, &source,
                                           err);
  dictum_entry entry;
  while (status == DICTUM_OK && (status = dictum_source_next(source, &entry, err)) == DICTUM_OK)
    status = add_entry(args, table, &entry, err);
  dictum_source_close(source);
  return status == DICTUM_END ? DICTUM_OK : status;
}

static dictum_status texthash_open(const dictum_host *host, const dictum_open_args *args,
                                   void **self, dictum_error *err) {
  dictum_lines *lines;
  dictum_status status = open_file(args, &lines, err);
  if (status != DICTUM_OK)
    return status;
  const uint32_t reading = memtable_flags(host, args);
  struct memtable *table = memtable_new(host, reading);
  if (!table) {
    lines_close(lines);
    return error_nomem(err);
  }
  status = read_entries(args, reading, lines, table, err);
  if (status != DICTUM_OK) {
    memtable_free(table);
    return status;
  }
  host->note_file(args->slot, args->name);
  *self = table;
  return DICTUM_OK;
}

static const dictum_opt texthash_opts[] = {MEMTABLE_UTF8_OPT};

const dictum_type texthash_type = {
    .name = "texthash",
    .summary = "text file in the format of postmap, read into memory at open",
    .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_FILE,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = texthash_opts,
    .nopts = sizeof texthash_opts / sizeof texthash_opts[0],
    .open = texthash_open,
    .close = memtable_close,
    .forget = memtable_close,
    .lookup = memtable_lookup,
    .lookup_many = memtable_lookup_many,
    .iter_open = memtable_iter_open,
    .iter_next = memtable_iter_next,
    .iter_close = memtable_iter_close,
};
