/* SPDX-License-Identifier: BSD-2-Clause */
/* postmap_table.c - from an operand to an open table, and what to say when there is none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "messages.h"
#include "postmap.h"

/* Postfix refuses to change these before it looks for the file. */
static bool is_only_built(const char *spec) {
  return strncmp(spec, "cdb:", 4) == 0;
}

static void refuse_change(void) {
  message("fatal", "unsupported non-bulk change request");
}

dictum_table *postmap_open(const struct postmap *run, const char *operand, uint32_t flags) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table = NULL;
  bool moved;
  char *spec = postmap_spec(run, operand, &moved);
  if (!spec || (moved && !postmap_reindex(run, spec))) {
    free(spec);
    return NULL;
  }
  /* Postfix makes an lmdb table that is not there when something is to be deleted from it. */
  if ((flags & DICTUM_OPEN_WRITE) && strncmp(spec, "lmdb:", 5) == 0)
    flags |= DICTUM_OPEN_CREATE;
  if (dictum_open(run->ctx, spec, run->open_flags | flags, &table, &err) != DICTUM_OK)
    postmap_refuse(run, spec, flags & DICTUM_OPEN_WRITE ? TO_DELETE : TO_READ, &err);
  if (table && (flags & DICTUM_OPEN_WRITE) && is_only_built(spec)) {
    refuse_change();
    dictum_close(table);
    table = NULL;
  }
  free(spec);
  return table;
}

/* ---- refusals ----------------------------------------------------------- */

/* Where there is a registry, a type that it does not list may be had as a package. */
static void refuse_type(const struct postmap *run, const char *spec, enum purpose purpose,
                        const dictum_error *err) {
  int len = (int)strcspn(spec, ":");
  if (err->code != DICTUM_CODE_TYPE_UNKNOWN)
    message("warning", "%s", err->what);
  else if (access(settings_postfix_registry(run->settings), F_OK) == 0)
    message("warning", "unsupported dictionary type: %.*s. Is the postfix-%.*s package installed?",
            len, spec, len, spec);
  bool building = purpose == TO_BUILD || purpose == TO_CHANGE;
  message("fatal", "unsupported %s type: %.*s", building ? "map" : "dictionary", len, spec);
}

/* These have a lookup function alone, and Postfix says so in words of their own. */
static bool is_bare(const char *spec) {
  return strncmp(spec, "static:", 7) == 0 || strncmp(spec, "environ:", 8) == 0;
}

static void refuse_operation(const char *spec, enum purpose purpose) {
  if (purpose == TO_BUILD)
    message("fatal", "no 'map create' support for this type: %.*s", (int)strcspn(spec, ":"), spec);
  else if (is_bare(spec))
    message("fatal", "table %s: %s operation is not supported", spec,
            purpose == TO_DELETE ? "delete" : "update");
  else
    message("fatal", "%s map requires O_RDONLY access mode", spec);
}

int postmap_refuse(const struct postmap *run, const char *spec, enum purpose purpose,
                   const dictum_error *err) {
  if (err->code == DICTUM_CODE_TYPE_UNKNOWN || err->code == DICTUM_CODE_PLUGIN_MISSING ||
      err->code == DICTUM_CODE_PLUGIN_UNSAFE)
    refuse_type(run, err->where[0] != '\0' ? err->where : spec, purpose, err);
  else if (is_only_built(spec) && (purpose == TO_CHANGE || purpose == TO_DELETE))
    refuse_change();
  else if (err->status == DICTUM_UNSUPPORTED)
    refuse_operation(spec, purpose);
  else
    message("fatal", "%s", err->what);
  return 1;
}

/* ---- failures ----------------------------------------------------------- */

struct label postmap_label(const dictum_table *table) {
  dictum_table_info info = {.size = sizeof info};
  dictum_table_describe(table, &info);
  struct label label = {info.type, info.name};
  static const char *const by_file[] = {"hash", "btree", "cdb"};
  for (size_t i = 0; i < sizeof by_file / sizeof *by_file; i++)
    if (info.file && strcmp(info.type, by_file[i]) == 0)
      label.name = info.file;
  return label;
}

/* Mistakes in keys and values are told with the table's name, and Postfix's UTF-8 reader gives the
 * same reason for all of them. */
static void warn_reason(struct label label, const dictum_error *err) {
  if (err->code == DICTUM_CODE_NON_UTF8)
    message("warning", "%s:%s: %s: malformed UTF-8 or invalid codepoint", LABEL(label), err->what);
  else if (err->code == DICTUM_CODE_BASE64)
    message("warning", "table %s:%s: %s", LABEL(label), err->what);
  else
    message("warning", "%s", err->what);
}

void postmap_warn_key(const dictum_table *table, const dictum_error *err) {
  warn_reason(postmap_label(table), err);
}

int postmap_failed(const struct postmap *run, const dictum_table *table, const char *operation,
                   const dictum_error *err) {
  struct label label = postmap_label(table);
  if (err->status == DICTUM_UNSUPPORTED) {
    message("fatal", "table %s:%s: %s operation is not supported", LABEL(label), operation);
    return 1;
  }
  /* The table `fail` has nothing to say. */
  if (strcmp(label.type, "fail") != 0 && err->what[0] != '\0')
    warn_reason(label, err);
  bool has_errno = run->face->errors_have_errno || postmap_reads_message(run);
  if (err->status == DICTUM_RETRY || has_errno)
    message("fatal", "table %s:%s: %s error: %s", LABEL(label), operation,
            err->sys_errno ? strerror(err->sys_errno) : "Application error");
  else
    message("fatal", "table %s:%s: %s error", LABEL(label), operation);
  return 1;
}
