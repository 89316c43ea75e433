/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_regexp.c - feeds rules and keys to the regexp plugin. The first byte picks the flags; rules
 * go to the first NUL byte or the end; what follows are keys, one a line.
 *
 * The C library's matcher has no limits of its own, and is not what is tested here: patterns that
 * could keep it busy for long are left out.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "ctx.h"
#include "host.h"
#include "lines.h"
#include "slot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const dictum_plugin dictum_regexp_LTX_dictum_plugin;

enum { max_rules = 2000, max_keys = 20, max_key = 60 };

static uint64_t sum;

/* Reads every byte that is handed over, for the sanitizer's sake. */
static void touch(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    sum += (unsigned char)text[i];
}

static void on_event(void *rock, const dictum_event *event) {
  (void)rock;
  touch(event->text, strlen(event->text) + 1);
}

static dictum_ctx ctx = {.events = {on_event, NULL}};

/* As core's service, but the "name" is the text of the file. */
static dictum_status open_text(dictum_slot *slot, const char *name, dictum_lines **out,
                               dictum_error *err) {
  const struct lines_owner owner = {&slot_ctx(slot)->events, slot->spec};
  dictum_buf content = {0};
  *out = NULL;
  if (!buf_append(&content, name, strlen(name)))
    return DICTUM_NOMEM;
  return lines_open_content(&content, "fuzz", &owner, out, err);
}

/* Without a file system. */
static dictum_status take_names(const char *names, size_t len, dictum_buf *out, dictum_error *err) {
  (void)err;
  buf_clear(out);
  return len == 0 ? DICTUM_CONFIG : buf_append(out, names, len) ? DICTUM_OK : DICTUM_NOMEM;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Many copies, and back references, can take any time. */
static bool may_take_long(const char *rules) {
  int loops = 0;
  for (const char *p = rules; *p; p++) {
    if (*p == '{' && is_digit(p[1]) && is_digit(p[2]))
      return true;
    if (*p == ',' && is_digit(p[1]) && is_digit(p[2]))
      return true;
    if (*p == '\\' && is_digit(p[1]))
      return true;
    loops += *p == '*' || *p == '+' || *p == '{' || *p == '?';
    if (*p == '\n')
      loops = 0;
    if (loops > 8)
      return true;
  }
  return false;
}

static void look_up(const dictum_type *type, void *table, const char *key, size_t len) {
  dictum_buf arena = {0};
  dictum_req req = {0};
  dictum_sink sink = {&req, 1, &arena, 0};
  dictum_error err = DICTUM_ERROR_INIT;
  /* A copy of its own, so that reading beyond its end is noticed. */
  char *copy = malloc(len ? len : 1);
  if (!copy)
    return;
  memcpy(copy, key, len);
  if (type->lookup(table, NULL, copy, len, &sink, &err) == DICTUM_OK)
    touch(arena.data + req.off, req.len + 1);
  free(copy);
  dictum_buf_free(&arena);
}

static void look_up_lines(const dictum_type *type, void *table, const char *keys, size_t size) {
  for (int i = 0; i < max_keys; i++) {
    const char *end = memchr(keys, '\n', size);
    size_t len = end ? (size_t)(end - keys) : size;
    look_up(type, table, keys, len < max_key ? len : max_key);
    if (!end)
      return;
    keys += len + 1;
    size -= len + 1;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  dictum_host host = host_services;
  host.lines_open = open_text;
  host.file_value = take_names;
  const dictum_type *type = &dictum_regexp_LTX_dictum_plugin.types[0];
  char *rules = malloc(size);
  if (!rules)
    return 0;
  memcpy(rules, data + 1, size - 1);
  rules[size - 1] = '\0';
  size_t len = strlen(rules);
  struct dictum_slot slot = {.ctx = &ctx, .spec = "regexp:fuzz"};
  const dictum_open_args args = {.size = sizeof args,
                                 .flags = data[0] & 1 ? DICTUM_OPEN_FILES : 0,
                                 .type = "regexp",
                                 .name = rules,
                                 .slot = &slot};
  void *table;
  if (len > 0 && len < max_rules && !may_take_long(rules) &&
      type->open(&host, &args, &table, NULL) == DICTUM_OK) {
    if (len + 1 < size)
      look_up_lines(type, table, rules + len + 1, size - len - 2);
    type->close(table);
  }
  free(slot.file);
  free(rules);
  return 0;
}
