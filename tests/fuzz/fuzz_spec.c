/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_spec.c - opens tables by whatever name it is given, asks them, and walks them.
 *
 * The first byte chooses the flags, the first line behind it is the spec, the rest is the key.
 * Types that read files are left out: what a name means there is the file system's business.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "include/dictum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum;

static void on_event(void *rock, const dictum_event *event) {
  (void)rock;
  sum += strlen(event->text);
}

static uint32_t flags_of(uint8_t byte) {
  return (byte & 1 ? DICTUM_OPEN_UTF8 : 0) | (byte & 2 ? DICTUM_OPEN_NOFOLD : 0) |
         (byte & 4 ? DICTUM_OPEN_DEGRADE : 0);
}

static void walk(dictum_table *table) {
  dictum_iter *iter;
  dictum_entry entry;
  if (dictum_iter_open(table, &iter, NULL) != DICTUM_OK)
    return;
  while (dictum_iter_next(iter, &entry, NULL) == DICTUM_OK)
    sum += entry.keylen + entry.valuelen;
  dictum_iter_close(iter);
}

static void ask(dictum_table *table, const char *key, size_t len) {
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_req reqs[] = {{.key = key, .keylen = len}, {.key = key, .keylen = len / 2}};
  if (dictum_lookup(table, key, len, &value, NULL, &err) == DICTUM_OK)
    sum += strlen(value.data);
  if (dictum_lookup_many(table, reqs, 2, &value, &err) == DICTUM_OK && reqs[1].status == DICTUM_OK)
    sum += strlen(value.data + reqs[1].off);
  dictum_buf_free(&value);
}

static void try_spec(dictum_ctx *ctx, const char *spec, uint32_t flags, const char *key,
                     size_t len) {
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  if (strncmp(spec, "texthash:", 9) == 0)
    return;
  if (dictum_open(ctx, spec, flags, &table, &err) != DICTUM_OK) {
    sum += strlen(err.what);
    return;
  }
  ask(table, key, len);
  walk(table);
  dictum_close(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const dictum_registry nowhere = {"/nonexistent/dynamicmaps.cf", "/nonexistent", 0};
  if (size == 0)
    return 0;
  const char *text = (const char *)data + 1;
  const char *end = memchr(text, '\n', size - 1);
  size_t len = end ? (size_t)(end - text) : size - 1;
  char *spec = strndup(text, len);
  const char *key = end ? end + 1 : "key";
  size_t keylen = end ? size - 2 - len : 3;
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.event = on_event;
  opts.registries = &nowhere;
  opts.nregistries = 1;
  dictum_ctx *ctx;
  if (spec && dictum_ctx_new(&ctx, &opts, NULL) == DICTUM_OK) {
    try_spec(ctx, spec, flags_of(data[0]), key, keylen);
    dictum_ctx_free(ctx);
  }
  free(spec);
  return 0;
}
