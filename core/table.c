/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.c - one opened table: open, close, lookup.
 *
 * What holds for every table, whatever stands behind it, is done here and once:
 * a key is checked and folded on its way in, a value is checked and decoded on
 * its way out.
 */
#include "table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "error.h"
#include "fold.h"
#include "spec.h"
#include "words.h"

dictum_call table_call(const dictum_table *table) {
  dictum_call call = {.size = sizeof call};
  /* The clock is read only for tables that could make use of it, or of which nothing is known yet.
   */
  const uint32_t caps = table->node->ops->caps(table->node);
  if (caps == 0 || (caps & (DICTUM_CAP_MAY_WAIT | DICTUM_CAP_NETWORK)))
    call.deadline_ns = ctx_deadline_ns(table->ctx, atomic_load(&table->timeout_ms));
  return call;
}

dictum_status table_failed(const dictum_table *table, dictum_status status, dictum_error *err) {
  return error_where(err, status, table->spec);
}

/* ---- life --------------------------------------------------------------------------------- */

dictum_status dictum_open(dictum_ctx *ctx, const char *spec, uint32_t flags, dictum_table **out,
                          dictum_error *err) {
  *out = NULL;
  dictum_table *table = calloc(1, sizeof *table);
  if (!table)
    return error_nomem(err);
  table->ctx = ctx;
  table->flags = flags;
  table->spec = strdup(spec);
  dictum_status status = table->spec ? spec_split(spec, &table->type, &table->name, err)
                                     : error_nomem(err);
  struct node_opening opening = {.ctx = ctx};
  if (status == DICTUM_OK)
    status = node_open(&opening, spec, flags, &table->node, err);
  if (status != DICTUM_OK) {
    error_where(err, status, spec);
    dictum_close(table);
    return status;
  }
  *out = table;
  return DICTUM_OK;
}

void dictum_close(dictum_table *table) {
  if (!table)
    return;
  node_close(table->node);
  free(table->spec);
  free(table->type);
  free(table->name);
  free(table);
}

uint32_t dictum_caps(const dictum_table *table) {
  return table->node->ops->caps(table->node) & ~NODE_CAP_SOME_PATTERN;
}

void dictum_set_timeout(dictum_table *table, uint32_t timeout_ms) {
  atomic_store(&table->timeout_ms, timeout_ms);
}

void dictum_table_describe(const dictum_table *table, dictum_table_info *info) {
  dictum_table_info all = {.size = info->size,
                           .type = table->type,
                           .name = table->name,
                           .caps = dictum_caps(table),
                           .up = 1};
  if (table->node->ops->describe)
    table->node->ops->describe(table->node, &all);
  memcpy(info, &all, info->size < sizeof all ? info->size : sizeof all);
}

/* ---- keys in ------------------------------------------------------------------------------ */

/* True when folding leaves the key as it is: the common case, which costs no copy. */
static bool is_folded(const char *key, size_t len, bool *ascii) {
  uint64_t all = 0, upper = 0, last = 0;
  for (size_t i = 0; i + word_size <= len; i += word_size) {
    all |= word_at(key + i);
    upper |= word_capitals(word_at(key + i));
  }
  if (len >= word_size) /* what is left, and some bytes again */
    last = word_at(key + len - word_size);
  else if (len > 0)
    memcpy(&last, key, len);
  *ascii = ((all | last) & WORD_TOP_BITS) == 0;
  return (upper | word_capitals(last)) == 0;
}

dictum_status key_prepare(uint32_t flags, bool fold, const char *key, size_t len,
                          struct key_scratch *scratch, dictum_key *out, dictum_error *err) {
  *out = (dictum_key){key, len};
  bool utf8 = flags & DICTUM_OPEN_UTF8;
  bool ascii;
  bool lower = is_folded(key, len, &ascii);
  if (utf8 && !ascii && !utf8_valid(key, len))
    return error_code(err, DICTUM_INVALID, DICTUM_CODE_NON_UTF8, 0, "non-UTF-8 key \"%.*s\"",
                      (int)(len < 100 ? len : 100), key);
  if (!fold || (flags & DICTUM_OPEN_NOFOLD) || (lower && (ascii || !utf8)))
    return DICTUM_OK;
  bool bytewise = ascii || !utf8;
  if (bytewise && len <= sizeof scratch->small) {
    lower_ascii(key, len, scratch->small);
    *out = (dictum_key){scratch->small, len};
    return DICTUM_OK;
  }
  buf_clear(&scratch->large);
  if (!(bytewise ? fold_ascii(key, len, &scratch->large) : fold_utf8(key, len, &scratch->large)))
    return error_nomem(err);
  *out = (dictum_key){scratch->large.data, scratch->large.len};
  return DICTUM_OK;
}

dictum_status table_key(const dictum_table *table, const char *key, size_t len,
                        struct key_scratch *scratch, dictum_key *out, dictum_error *err) {
  bool fold = !(dictum_caps(table) & DICTUM_CAP_PATTERN);
  return key_prepare(table->flags, fold, key, len, scratch, out, err);
}

/* ---- values out --------------------------------------------------------------------------- */

/* Checks and decodes one found value, in place. */
static dictum_status finish_value(const dictum_table *table, const dictum_key *key, char *value,
                                  size_t *len, dictum_error *err) {
  int shown = (int)(key->n < 100 ? key->n : 100);
  if ((table->flags & DICTUM_OPEN_UTF8) && !utf8_valid(value, *len))
    return error_code(err, DICTUM_CONFIG, DICTUM_CODE_NON_UTF8, 0,
                      "key \"%.*s\": non-UTF-8 value \"%.*s\"", shown, key->p,
                      (int)(*len < 100 ? *len : 100), value);
  if (!(table->flags & DICTUM_OPEN_FILES))
    return DICTUM_OK;
  if (!base64_decode_in_place(value, len))
    return error_code(err, DICTUM_CONFIG, DICTUM_CODE_BASE64, 0,
                      "key \"%.*s\": malformed BASE64 value: %.*s", shown, key->p,
                      (int)(*len < 100 ? *len : 100), value);
  return DICTUM_OK;
}

static bool is_failure(dictum_status status) {
  return status != DICTUM_OK && status != DICTUM_NOTFOUND;
}

static void finish(const dictum_table *table, dictum_req *reqs, size_t n, dictum_buf *arena,
                   bool failed, dictum_error *err) {
  if (!(table->flags & (DICTUM_OPEN_UTF8 | DICTUM_OPEN_FILES)))
    return;
  for (size_t i = 0; i < n; i++) {
    if (reqs[i].status != DICTUM_OK)
      continue;
    const dictum_key key = {reqs[i].key, reqs[i].keylen};
    dictum_status status = finish_value(table, &key, arena->data + reqs[i].off, &reqs[i].len,
                                        failed ? NULL : err);
    reqs[i].status = status;
    failed |= is_failure(status);
  }
}

/* ---- lookup ------------------------------------------------------------------------------- */

dictum_status table_lookup(dictum_table *table, const dictum_call *call, const char *key,
                           size_t keylen, dictum_buf *value, uint32_t *flags, dictum_error *err) {
  buf_clear(value);
  if (flags)
    *flags = 0;
  dictum_req req = {.key = key, .keylen = keylen};
  struct key_scratch scratch UNINITIALIZED;
  scratch.large = (dictum_buf){0};
  const dictum_key raw = {key, keylen};
  dictum_key folded;
  req.status = table_key(table, key, keylen, &scratch, &folded, err);
  if (req.status == DICTUM_OK) {
    const struct node_keys keys = {&raw, &folded, 1};
    dictum_sink sink = {.reqs = &req, .n = 1, .arena = value};
    dictum_status status = table->node->ops->lookup(table->node, call, &keys, &sink, err);
    if (status != DICTUM_OK)
      req.status = status;
    finish(table, &req, 1, value, false, err);
  }
  dictum_buf_free(&scratch.large);
  if (req.status == DICTUM_OK) {
    /* A table that first had another answer put it before this one. */
    if (req.off > 0)
      memmove(value->data, value->data + req.off, req.len);
    value->len = req.len;
    value->data[req.len] = '\0';
    if (flags)
      *flags = req.flags;
    return DICTUM_OK;
  }
  buf_clear(value);
  return is_failure(req.status) ? table_failed(table, req.status, err) : req.status;
}

dictum_status dictum_lookup(dictum_table *table, const char *key, size_t keylen, dictum_buf *value,
                            uint32_t *flags, dictum_error *err) {
  const dictum_call call = table_call(table);
  return table_lookup(table, &call, key, keylen, value, flags, err);
}

/* The keys of a batch in both forms; `folded` shares the text of `raw` where nothing changed. */
struct batch {
  dictum_key *raw, *folded;
  dictum_buf text;
};

static void batch_free(struct batch *batch) {
  free(batch->raw);
  dictum_buf_free(&batch->text);
}

/* Folds all keys into one buffer. As that moves while it grows, a folded key holds no pointer
 * until all are there. A key that is refused gets its status, the others OK. */
static dictum_status batch_keys(const dictum_table *table, dictum_req *reqs, size_t n,
                                struct batch *batch, dictum_error *err) {
  struct key_scratch scratch;
  scratch.large = (dictum_buf){0};
  dictum_status status = DICTUM_OK;
  bool failed = false;
  batch->raw = reallocarray(NULL, n, 2 * sizeof *batch->raw);
  if (!batch->raw)
    return error_nomem(err);
  batch->folded = batch->raw + n;
  for (size_t i = 0; i < n && status != DICTUM_NOMEM; i++) {
    batch->raw[i] = (dictum_key){reqs[i].key, reqs[i].keylen};
    status = table_key(table, reqs[i].key, reqs[i].keylen, &scratch, &batch->folded[i],
                       failed ? NULL : err);
    reqs[i].status = status;
    failed |= status != DICTUM_OK;
    if (batch->folded[i].p == reqs[i].key)
      continue;
    if (!buf_append(&batch->text, batch->folded[i].p, batch->folded[i].n))
      status = error_nomem(err);
    batch->folded[i].p = NULL;
  }
  dictum_buf_free(&scratch.large);
  const char *text = batch->text.data;
  for (size_t i = 0; i < n && status != DICTUM_NOMEM; i++)
    if (!batch->folded[i].p && batch->raw[i].p) {
      batch->folded[i].p = text;
      text += batch->folded[i].n;
    }
  return status == DICTUM_NOMEM ? status : DICTUM_OK;
}

static bool any_failure(const dictum_req *reqs, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (is_failure(reqs[i].status))
      return true;
  return false;
}

/* Asks for keys [from, from + n) of the batch, of which none was refused. */
static bool lookup_run(dictum_table *table, const dictum_call *call, dictum_req *reqs,
                       const struct batch *batch, size_t from, size_t n, dictum_buf *arena,
                       dictum_error *err) {
  const struct node_keys keys = {batch->raw + from, batch->folded + from, n};
  dictum_sink sink = {.reqs = reqs + from, .n = n, .arena = arena};
  dictum_status status = table->node->ops->lookup(table->node, call, &keys, &sink, err);
  for (size_t i = from; status != DICTUM_OK && i < from + n; i++)
    reqs[i].status = status;
  bool failed = any_failure(reqs + from, n);
  finish(table, reqs + from, n, arena, failed, err);
  return failed || any_failure(reqs + from, n);
}

dictum_status table_lookup_many(dictum_table *table, const dictum_call *call, dictum_req *reqs,
                                size_t n, dictum_buf *arena, dictum_error *err) {
  buf_clear(arena);
  if (n == 0)
    return DICTUM_OK;
  for (size_t i = 0; i < n; i++)
    reqs[i].flags = 0;
  struct batch batch = {0};
  dictum_status status = batch_keys(table, reqs, n, &batch, err);
  bool failed = status == DICTUM_OK && any_failure(reqs, n);
  for (size_t from = 0, to; status == DICTUM_OK && from < n; from = to) {
    to = from + 1;
    if (reqs[from].status != DICTUM_OK)
      continue;
    while (to < n && reqs[to].status == DICTUM_OK)
      to++;
    failed |= lookup_run(table, call, reqs, &batch, from, to - from, arena, failed ? NULL : err);
  }
  batch_free(&batch);
  if (failed || status != DICTUM_OK)
    table_failed(table, status, err);
  return status;
}

dictum_status dictum_lookup_many(dictum_table *table, dictum_req *reqs, size_t n, dictum_buf *arena,
                                 dictum_error *err) {
  const dictum_call call = table_call(table);
  return table_lookup_many(table, &call, reqs, n, arena, err);
}
