/* SPDX-License-Identifier: BSD-2-Clause */
/* changes.c - puts or deletions, collected and then applied in one transaction. */
#include "changes.h"

#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "messages.h"

/* What one transaction holds at most, so that memory stays flat. */
static const size_t count_max = 16384;
static const size_t bytes_max = (size_t)4 << 20;

struct change {
  size_t key, keylen, value, valuelen; /* offsets in changes.bytes */
  dictum_status status;
};

bool duplicates_parse(const char *text, dictum_dup *out) {
  static const struct {
    const char *name;
    dictum_dup dup;
  } names[] = {{"refuse", DICTUM_DUP_REFUSE},
               {"replace", DICTUM_DUP_REPLACE},
               {"ignore", DICTUM_DUP_IGNORE},
               {"error", DICTUM_DUP_ERROR}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(text, names[i].name) == 0) {
      *out = names[i].dup;
      return true;
    }
  return false;
}

/* ---- collecting -------------------------------------------------------- */

static bool make_room(struct changes *changes, size_t extra) {
  if (changes->count == changes->capacity) {
    size_t capacity = changes->capacity ? changes->capacity * 2 : 64;
    struct change *items = realloc(changes->items, capacity * sizeof *items);
    if (!items)
      return false;
    changes->items = items;
    changes->capacity = capacity;
  }
  size_t need;
  if (__builtin_add_overflow(changes->used, extra, &need))
    return false;
  if (need <= changes->size)
    return true;
  size_t size = need > changes->size * 2 ? need : changes->size * 2;
  char *bytes = realloc(changes->bytes, size);
  if (!bytes)
    return false;
  changes->bytes = bytes;
  changes->size = size;
  return true;
}

static size_t keep(struct changes *changes, const char *data, size_t len) {
  size_t offset = changes->used;
  if (len > 0)
    memcpy(changes->bytes + offset, data, len);
  changes->used += len;
  return offset;
}

bool changes_add(struct changes *changes, const char *key, size_t keylen, const char *value,
                 size_t valuelen) {
  size_t extra;
  if (__builtin_add_overflow(keylen, valuelen, &extra) ||
      __builtin_add_overflow(extra, 1, &extra) || !make_room(changes, extra)) {
    changes->status = exit_worse(changes->status, app_nomem(changes->app));
    changes->failed = true;
    return false;
  }
  struct change *change = &changes->items[changes->count++];
  *change = (struct change){keep(changes, key, keylen), keylen, keep(changes, value, valuelen),
                            valuelen, DICTUM_OK};
  if (changes->count < count_max && changes->used < bytes_max)
    return true;
  return changes_apply(changes);
}

void changes_free(struct changes *changes) {
  free(changes->items);
  free(changes->bytes);
  changes->items = NULL;
  changes->bytes = NULL;
}

/* ---- applying ---------------------------------------------------------- */

static const char *key_of(const struct changes *changes, const struct change *change) {
  return changes->bytes + change->key;
}

/* The whole transaction came to nothing. */
static bool fail_all(struct changes *changes, const dictum_error *err) {
  struct output *out = &changes->app->out;
  for (size_t i = 0; i < changes->count && out->format == OUTPUT_JSON; i++)
    output_error(out, key_of(changes, &changes->items[i]), changes->items[i].keylen, err);
  if (out->format != OUTPUT_JSON)
    output_error(out, NULL, 0, err);
  changes->status = exit_worse(changes->status, exit_of_key(err->status));
  changes->failed = true;
  return false;
}

static dictum_status apply_one(struct changes *changes, dictum_txn *txn,
                               const struct change *change, dictum_error *err) {
  const char *key = key_of(changes, change);
  if (changes->kind == CHANGE_DEL)
    return dictum_txn_del(txn, key, change->keylen, err);
  const dictum_entry entry = {key, change->keylen, changes->bytes + change->value, change->valuelen,
                              0};
  return dictum_txn_put(txn, &entry, changes->duplicates, err);
}

/* Does this answer concern just the one key? */
static bool is_of_key(const struct changes *changes, dictum_status status) {
  return status == DICTUM_OK || status == DICTUM_NOTFOUND || status == DICTUM_INVALID ||
         (status == DICTUM_EXISTS && changes->duplicates != DICTUM_DUP_ERROR);
}

static void tell(struct changes *changes, const struct change *change) {
  struct output *out = &changes->app->out;
  output_status(out, key_of(changes, change), change->keylen, change->status);
  if (change->status == DICTUM_EXISTS) {
    if (out->format != OUTPUT_JSON)
      message("warning", "duplicate entry: \"%.*s\"",
              (int)(change->keylen < 80 ? change->keylen : 80), key_of(changes, change));
    return; /* as was asked for */
  }
  changes->status = exit_worse(changes->status, exit_of_key(change->status));
}

/* Failures of single keys are told at once, since no commit changes them. */
static bool apply_all(struct changes *changes, dictum_txn *txn, dictum_error *err) {
  for (size_t i = 0; i < changes->count && !interrupt_came(); i++) {
    struct change *change = &changes->items[i];
    change->status = apply_one(changes, txn, change, err);
    if (!is_of_key(changes, change->status))
      return false;
    if (change->status != DICTUM_INVALID)
      continue;
    output_error(&changes->app->out, key_of(changes, change), change->keylen, err);
    changes->status = exit_worse(changes->status, EX_DATAERR);
  }
  return true;
}

static dictum_status transact(struct changes *changes, dictum_error *err) {
  dictum_txn *txn;
  dictum_status status = dictum_txn_begin(changes->table, DICTUM_TXN_UPDATE, 0, &txn, err);
  if (status != DICTUM_OK)
    return status;
  if (apply_all(changes, txn, err) && !interrupt_came())
    return dictum_txn_commit(txn, err);
  dictum_txn_abort(txn);
  return err->status;
}

/* A change may be made to a copy of the file, which a signal must not leave behind. */
bool changes_apply(struct changes *changes) {
  if (changes->count == 0 || changes->failed)
    return !changes->failed;
  dictum_error err = DICTUM_ERROR_INIT;
  interrupt_watch(-1);
  dictum_status status = transact(changes, &err);
  interrupt_finish();
  if (status != DICTUM_OK)
    return fail_all(changes, &err);
  for (size_t i = 0; i < changes->count; i++)
    if (changes->items[i].status != DICTUM_INVALID)
      tell(changes, &changes->items[i]);
  changes->count = changes->used = 0;
  return output_ok(&changes->app->out);
}
