/* SPDX-License-Identifier: BSD-2-Clause */
/* rules_target.c - feeds rules and keys to a type of pattern tables. */
#include "rules_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "ctx.h"
#include "host.h"
#include "lines.h"
#include "slot.h"

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

/* The one setting: after how many lookups there is an index. */
static int64_t take_setting(const dictum_cfg *cfg, const char *name) {
  (void)name;
  return cfg != NULL;
}

/* ---- two tables, one answer ----------------------------------------------------------------- */

struct answer {
  dictum_status status;
  dictum_buf arena;
  dictum_req req;
};

static void look_up(const dictum_type *type, void *table, const char *key, size_t len,
                    struct answer *answer) {
  dictum_sink sink = {&answer->req, 1, &answer->arena, 0};
  dictum_error err = DICTUM_ERROR_INIT;
  answer->status = type->lookup(table, NULL, key, len, &sink, &err);
}

static bool same(const struct answer *a, const struct answer *b) {
  if (a->status != b->status || a->status != DICTUM_OK)
    return a->status == b->status;
  return a->req.len == b->req.len &&
         memcmp(a->arena.data + a->req.off, b->arena.data + b->req.off, a->req.len) == 0;
}

static uint64_t pairs, found;

void fuzz_rules_count(uint64_t *asked, uint64_t *answered) {
  *asked = pairs;
  *answered = found;
}

static void look_up_both(const dictum_type *type, void *const tables[2], const char *key,
                         size_t len) {
  struct answer answers[2] = {0};
  /* A copy of its own, so that reading beyond its end is noticed. */
  char *copy = malloc(len ? len : 1);
  if (!copy)
    return;
  memcpy(copy, key, len);
  for (int i = 0; i < 2; i++)
    look_up(type, tables[i], copy, len, &answers[i]);
  pairs++;
  found += answers[0].status == DICTUM_OK;
  if (!same(&answers[0], &answers[1])) {
    fprintf(stderr, "with an index, the answer is another for the key \"%.*s\"\n", (int)len, copy);
    abort();
  }
  free(copy);
  for (int i = 0; i < 2; i++)
    dictum_buf_free(&answers[i].arena);
}

static void look_up_lines(const dictum_type *type, void *const tables[2], const char *keys,
                          size_t size) {
  for (int i = 0; i < max_keys; i++) {
    const char *end = memchr(keys, '\n', size);
    size_t len = end ? (size_t)(end - keys) : size;
    look_up_both(type, tables, keys, len < max_key ? len : max_key);
    if (!end)
      return;
    keys += len + 1;
    size -= len + 1;
  }
}

static void try_rules(const dictum_type *type, uint32_t flags, const char *rules, const char *keys,
                      size_t size) {
  static const char indexed = 1;
  struct dictum_slot slot = {.ctx = &ctx, .spec = "rules:fuzz"};
  dictum_host host = host_services;
  host.lines_open = open_text;
  host.file_value = take_names;
  host.opt_int = take_setting;
  void *tables[2] = {NULL, NULL};
  bool open = true;
  for (int i = 0; i < 2; i++) {
    const dictum_open_args args = {.size = sizeof args,
                                   .flags = flags,
                                   .type = type->name,
                                   .name = rules,
                                   .cfg = i ? (const dictum_cfg *)&indexed : NULL,
                                   .slot = &slot};
    open = type->open(&host, &args, &tables[i], NULL) == DICTUM_OK && open;
  }
  if (open && keys)
    look_up_lines(type, tables, keys, size);
  for (int i = 0; i < 2; i++)
    if (tables[i])
      type->close(tables[i]);
  free(slot.file);
}

int fuzz_rules(const dictum_type *type, bool (*skip)(const char *rules), const uint8_t *data,
               size_t size) {
  if (size == 0)
    return 0;
  char *rules = malloc(size);
  if (!rules)
    return 0;
  memcpy(rules, data + 1, size - 1);
  rules[size - 1] = '\0';
  size_t len = strlen(rules);
  if (len > 0 && len < max_rules && !(skip && skip(rules)))
    try_rules(type, data[0] & 1 ? DICTUM_OPEN_FILES : 0, rules,
              len + 1 < size ? rules + len + 1 : NULL, len + 1 < size ? size - len - 2 : 0);
  free(rules);
  return 0;
}
