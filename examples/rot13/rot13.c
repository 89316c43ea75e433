/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rot13.c - a plugin outside Dictum's own tree: the table "rot13:NAME" answers
 * each key with its letters moved on by thirteen, and knows no key without one.
 */
#include <dictum_plugin.h>
#include <stdlib.h>

/* Nothing changes after open(), so any number of threads may read. */
struct rot13 {
  const dictum_host *host;
};

static char rotate(char c) {
  if (c >= 'a' && c <= 'z')
    return (char)('a' + (c - 'a' + 13) % 26);
  if (c >= 'A' && c <= 'Z')
    return (char)('A' + (c - 'A' + 13) % 26);
  return c;
}

static dictum_status rot13_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                dictum_error *err) {
  if (args->flags & DICTUM_OPEN_WRITE)
    return host->fail(err, DICTUM_UNSUPPORTED, 0, "rot13 tables are read-only");
  struct rot13 *table = malloc(sizeof *table);
  if (!table)
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  table->host = host;
  *self = table;
  return DICTUM_OK;
}

static void rot13_close(void *self) {
  free(self);
}

static dictum_status rot13_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                  dictum_sink *sink, dictum_error *err) {
  const struct rot13 *table = self;
  (void)call;
  char *value = malloc(len + 1);
  if (!value)
    return table->host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  int changed = 0;
  for (size_t i = 0; i < len; i++) {
    value[i] = rotate(key[i]);
    changed |= value[i] != key[i];
  }
  dictum_status status = changed ? table->host->emit(sink, value, len) : DICTUM_NOTFOUND;
  free(value);
  return status;
}

static const dictum_type types[] = {{
    .name = "rot13",
    .summary = "every key, rotated",
    .threads = DICTUM_THREADS_PARALLEL,
    .open = rot13_open,
    .close = rot13_close,
    .forget = rot13_close,
    .lookup = rot13_lookup,
}};

DICTUM_PLUGIN_DEFINE(rot13, "rot13-example", "1.0", types);
