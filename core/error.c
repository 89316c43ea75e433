/* SPDX-License-Identifier: BSD-2-Clause */
/* error.c - error texts: fixed size, one printable line, no allocation. */
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "fold.h"

/* Replaces in place; a cut or invalid UTF-8 sequence becomes '?' byte by byte. */
static void make_printable(char *text) {
  size_t len = strlen(text);
  for (size_t i = 0; i < len;) {
    unsigned char c = (unsigned char)text[i];
    size_t width = c < 0x80 ? 0 : utf8_char_len(text + i, len - i);
    if (width > 0) {
      i += width;
      continue;
    }
    if (c < 0x20 || c >= 0x7f)
      text[i] = '?';
    i++;
  }
}

void text_vformat(char *out, size_t size, const char *fmt, va_list args) {
  if (vsnprintf(out, size, fmt, args) < 0)
    out[0] = '\0';
  make_printable(out);
}

void text_format(char *out, size_t size, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  text_vformat(out, size, fmt, args);
  va_end(args);
}

/* A caller that was compiled with an older header has a shorter struct, but
 * never one without the texts; anything smaller is not ours to write to. */
static bool usable(const dictum_error *err) {
  return err && err->size >= offsetof(dictum_error, what) + sizeof err->what;
}

dictum_status error_vset(dictum_error *err, dictum_status status, dictum_code code, int sys_errno,
                         const char *fmt, va_list args) {
  if (!usable(err))
    return status;
  /* The arguments may point into *err: format before touching it. */
  char what[sizeof err->what];
  text_vformat(what, sizeof what, fmt, args);
  err->status = status;
  err->code = code;
  err->sys_errno = sys_errno;
  err->retry_after_ms = 0;
  err->flags = 0;
  err->line = 0;
  err->where[0] = '\0';
  memcpy(err->what, what, sizeof what);
  return status;
}

dictum_status error_set(dictum_error *err, dictum_status status, int sys_errno, const char *fmt,
                        ...) {
  va_list args;
  va_start(args, fmt);
  error_vset(err, status, DICTUM_CODE_NONE, sys_errno, fmt, args);
  va_end(args);
  return status;
}

dictum_status error_code(dictum_error *err, dictum_status status, dictum_code code, int sys_errno,
                         const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  error_vset(err, status, code, sys_errno, fmt, args);
  va_end(args);
  return status;
}

void error_flag(dictum_error *err, uint32_t flag) {
  if (usable(err))
    err->flags |= flag;
}

dictum_status error_where(dictum_error *err, dictum_status status, const char *where) {
  if (usable(err) && err->where[0] == '\0')
    text_format(err->where, sizeof err->where, "%s", where);
  return status;
}

dictum_status error_nomem(dictum_error *err) {
  return error_set(err, DICTUM_NOMEM, 0, "out of memory");
}

dictum_status error_copy(dictum_error *to, const dictum_error *from) {
  if (!usable(to))
    return from->status;
  const uint32_t size = to->size;
  memcpy(to, from, size < sizeof *from ? size : sizeof *from);
  to->size = size;
  return from->status;
}

const char *errno_text(int sys_errno, char *buf, size_t size) {
#ifdef _GNU_SOURCE
  return strerror_r(sys_errno, buf, size);
#else
  if (strerror_r(sys_errno, buf, size) != 0)
    snprintf(buf, size, "error %d", sys_errno);
  return buf;
#endif
}

const char *dictum_status_name(dictum_status status) {
  switch (status) {
  case DICTUM_OK:
    return "ok";
  case DICTUM_NOTFOUND:
    return "notfound";
  case DICTUM_END:
    return "end";
  case DICTUM_RETRY:
    return "retry";
  case DICTUM_UNCERTAIN:
    return "uncertain";
  case DICTUM_CONFIG:
    return "config";
  case DICTUM_INVALID:
    return "invalid";
  case DICTUM_UNSUPPORTED:
    return "unsupported";
  case DICTUM_EXISTS:
    return "exists";
  case DICTUM_NOMEM:
    return "nomem";
  }
  return "unknown";
}

const char *dictum_code_name(dictum_code code) {
  switch (code) {
  case DICTUM_CODE_NONE:
    return "none";
  case DICTUM_CODE_TYPE_UNKNOWN:
    return "type_unknown";
  case DICTUM_CODE_PLUGIN_MISSING:
    return "plugin_missing";
  case DICTUM_CODE_PLUGIN_UNSAFE:
    return "plugin_unsafe";
  case DICTUM_CODE_PLUGIN_BROKEN:
    return "plugin_broken";
  case DICTUM_CODE_PLUGIN_ABI:
    return "plugin_abi";
  case DICTUM_CODE_REGISTRY:
    return "registry";
  case DICTUM_CODE_TABLE_DOWN:
    return "table_down";
  case DICTUM_CODE_TABLE_UP:
    return "table_up";
  case DICTUM_CODE_STALE_SERVED:
    return "stale_served";
  case DICTUM_CODE_SOURCE_LINE:
    return "source_line";
  case DICTUM_CODE_RULE:
    return "rule";
  case DICTUM_CODE_OLDER_THAN_SOURCE:
    return "older_than_source";
  case DICTUM_CODE_DUPLICATE:
    return "duplicate";
  case DICTUM_CODE_NON_UTF8:
    return "non_utf8";
  case DICTUM_CODE_BASE64:
    return "base64";
  case DICTUM_CODE_PARAM:
    return "param";
  case DICTUM_CODE_FILE:
    return "file";
  case DICTUM_CODE_ACCESS:
    return "access";
  }
  return "unknown";
}
