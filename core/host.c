/* SPDX-License-Identifier: BSD-2-Clause */
/* host.c - the services that a plugin is given. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "ctx.h"
#include "error.h"
#include "event.h"
#include "file_value.h"
#include "lines.h"
#include "options.h"
#include "slot.h"
#include "table.h"

static dictum_status host_emit_at(dictum_sink *sink, size_t i, dictum_status status,
                                  const char *value, size_t len) {
  if (i >= sink->n)
    return DICTUM_INVALID;
  dictum_req *req = &sink->reqs[i];
  req->status = status;
  if (status != DICTUM_OK)
    return DICTUM_OK;
  /* Each value counts with the NUL behind it, so that an empty one keeps its own, too. */
  size_t off = sink->arena->len;
  if (!buf_reserve(sink->arena, len + 1)) {
    req->status = DICTUM_NOMEM;
    return DICTUM_NOMEM;
  }
  if (len > 0)
    memcpy(sink->arena->data + off, value, len);
  sink->arena->data[off + len] = '\0';
  sink->arena->len = off + len + 1;
  sink->arena->data[sink->arena->len] = '\0';
  req->off = off;
  req->len = len;
  return DICTUM_OK;
}

static dictum_status host_emit(dictum_sink *sink, const char *value, size_t len) {
  return host_emit_at(sink, sink->current, DICTUM_OK, value, len);
}

PRINTF_LIKE(4, 5)
static dictum_status host_fail(dictum_error *err, dictum_status status, int sys_errno,
                               const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  error_vset(err, status, DICTUM_CODE_NONE, sys_errno, fmt, args);
  va_end(args);
  return status;
}

PRINTF_LIKE(4, 5)
static dictum_status host_fail_key(dictum_error *err, dictum_status status, int sys_errno,
                                   const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  error_vset(err, status, DICTUM_CODE_NONE, sys_errno, fmt, args);
  va_end(args);
  error_flag(err, DICTUM_ERROR_THIS_KEY);
  return status;
}

PRINTF_LIKE(4, 5)
static void host_log(dictum_slot *slot, dictum_level level, dictum_code code, const char *fmt,
                     ...) {
  va_list args;
  va_start(args, fmt);
  event_vsend(&slot->ctx->events, level, code, slot->spec, 0, 0, fmt, args);
  va_end(args);
}

PRINTF_LIKE(5, 6)
static void host_log_line(dictum_slot *slot, dictum_level level, dictum_code code, uint64_t line,
                          const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  event_vsend(&slot->ctx->events, level, code, slot->spec, line, 0, fmt, args);
  va_end(args);
}

/* The first path stays: others may be reading it, and a table's file never moves. */
static void host_note_file(dictum_slot *slot, const char *path) {
  char *copy = strdup(path);
  char *none = NULL;
  if (copy && !atomic_compare_exchange_strong(&slot->file, &none, copy))
    free(copy);
}

static void host_note_caps(dictum_slot *slot, uint32_t caps) {
  atomic_store(&slot->caps, caps | SLOT_CAPS_NOTED);
}

static dictum_status host_file_value(const char *names, size_t len, dictum_buf *out,
                                     dictum_error *err) {
  return file_value(names, len, out, err);
}

static dictum_status tables_open(dictum_slot *slot, const char *spec, uint32_t flags,
                                 dictum_table **out, dictum_error *err) {
  return dictum_open(slot->ctx, spec, flags, out, err);
}

static dictum_status tables_lookup(dictum_table *table, const dictum_call *call, const char *key,
                                   size_t len, dictum_buf *value, dictum_error *err) {
  return table_lookup(table, call, key, len, value, NULL, err);
}

static const dictum_tables host_tables = {
    .size = sizeof host_tables,
    .open = tables_open,
    .close = dictum_close,
    .caps = dictum_caps,
    .lookup = tables_lookup,
    .lookup_many = table_lookup_many,
    .buf_free = dictum_buf_free,
    .iter_open = dictum_iter_open,
    .iter_next = dictum_iter_next,
    .iter_close = dictum_iter_close,
    .txn_begin = dictum_txn_begin,
    .txn_put = dictum_txn_put,
    .txn_del = dictum_txn_del,
    .txn_commit = dictum_txn_commit,
    .txn_abort = dictum_txn_abort,
};

const dictum_host host_services = {
    .size = sizeof(dictum_host),
    .abi = DICTUM_ABI,
    .emit = host_emit,
    .emit_at = host_emit_at,
    .fail = host_fail,
    .log = host_log,
    .log_line = host_log_line,
    .note_file = host_note_file,
    .opt_str = options_str,
    .opt_int = options_int,
    .lines_open = lines_service_open,
    .lines_next = lines_service_next,
    .lines_close = lines_service_close,
    .file_value = host_file_value,
    .tables = &host_tables,
    .fail_key = host_fail_key,
    .note_caps = host_note_caps,
};
