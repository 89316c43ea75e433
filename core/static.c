/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * static.c - tables that give one value for every key.
 *
 * "static:value", or "static:{ value }" without the white space at both ends;
 * with DICTUM_OPEN_FILES the value names files. Threads: any number.
 */
#include "builtin.h"

#include <stdlib.h>

#include "braces.h"
#include "buf.h"
#include "error.h"

struct fixed {
  const dictum_host *host;
  dictum_buf value;
};

static dictum_status read_name(const char *name, struct piece *value, dictum_error *err) {
  *value = piece_of(name);
  if (name[0] != '{')
    return DICTUM_OK;
  const char *mistake = braces_strip(*value, value);
  if (mistake)
    return error_set(err, DICTUM_INVALID, 0, "bad static:name syntax: %s in \"%s\"", mistake, name);
  *value = piece_trim(*value);
  return DICTUM_OK;
}

static dictum_status fill_value(struct fixed *fixed, const dictum_open_args *args,
                                dictum_error *err) {
  struct piece value;
  dictum_status status = read_name(args->name, &value, err);
  if (status != DICTUM_OK)
    return status;
  if (args->flags & DICTUM_OPEN_FILES)
    return fixed->host->file_value(value.text, value.len, &fixed->value, err);
  return buf_append(&fixed->value, value.text, value.len) ? DICTUM_OK : error_nomem(err);
}

static void static_close(void *self) {
  struct fixed *fixed = self;
  dictum_buf_free(&fixed->value);
  free(fixed);
}

static dictum_status static_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                 dictum_error *err) {
  struct fixed *fixed = calloc(1, sizeof *fixed);
  if (!fixed)
    return error_nomem(err);
  fixed->host = host;
  dictum_status status = fill_value(fixed, args, err);
  if (status != DICTUM_OK) {
    static_close(fixed);
    return status;
  }
  *self = fixed;
  return DICTUM_OK;
}

static dictum_status static_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                   dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)key;
  (void)len;
  (void)err;
  const struct fixed *fixed = self;
  return fixed->host->emit(sink, fixed->value.data, fixed->value.len);
}

const dictum_type static_type = {
    .name = "static",
    .summary = "one value for every key",
    .threads = DICTUM_THREADS_PARALLEL,
    .open = static_open,
    .close = static_close,
    .forget = static_close,
    .lookup = static_lookup,
};
