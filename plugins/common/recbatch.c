/* SPDX-License-Identifier: BSD-2-Clause */
/* recbatch.c - some records of a table, copied while it is locked and handed out when it is not. */
#include "recbatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tablefile.h"

/* Some tens of microseconds under the lock. */
enum { most_records = 1000, enough_bytes = 64 * 1024 };

struct copied {
  size_t at, keylen, valuelen; /* in the buffer: key, then value */
};

struct recbatch {
  char *bytes;
  size_t used, room;
  struct copied records[most_records];
  size_t n, next;
  char *last; /* copy of the last key of the turn before, or NULL */
  size_t lastlen;
};

struct recbatch *recbatch_new(void) {
  return calloc(1, sizeof(struct recbatch));
}

void recbatch_free(struct recbatch *batch) {
  if (!batch)
    return;
  free(batch->bytes);
  free(batch->last);
  free(batch);
}

int recbatch_add(struct recbatch *batch, const dictum_key *key, const dictum_key *value) {
  size_t size;
  if (batch->n == most_records || __builtin_add_overflow(key->n, value->n, &size) ||
      __builtin_add_overflow(size, batch->used, &size))
    return ENOMEM;
  if (size > batch->room || !batch->bytes) {
    size_t room = size < enough_bytes ? enough_bytes : size;
    char *bytes = realloc(batch->bytes, room);
    if (!bytes)
      return ENOMEM;
    batch->bytes = bytes;
    batch->room = room;
  }
  if (key->n > 0)
    memcpy(batch->bytes + batch->used, key->p, key->n);
  if (value->n > 0)
    memcpy(batch->bytes + batch->used + key->n, value->p, value->n);
  batch->records[batch->n++] = (struct copied){batch->used, key->n, value->n};
  batch->used = size;
  return 0;
}

bool recbatch_is_full(const struct recbatch *batch) {
  return batch->n == most_records || batch->used >= enough_bytes;
}

dictum_key recbatch_last(const struct recbatch *batch) {
  if (batch->n == 0)
    return (dictum_key){batch->last, batch->lastlen};
  const struct copied *record = &batch->records[batch->n - 1];
  return (dictum_key){batch->bytes + record->at, record->keylen};
}

bool recbatch_take(struct recbatch *batch, dictum_rec *rec) {
  if (batch->next == batch->n)
    return false;
  const struct copied *record = &batch->records[batch->next++];
  const char *at = batch->bytes + record->at;
  rec->key = tablefile_without_nul((dictum_key){at, record->keylen});
  rec->value = tablefile_without_nul((dictum_key){at + record->keylen, record->valuelen});
  return true;
}

int recbatch_clear(struct recbatch *batch) {
  const dictum_key key = recbatch_last(batch);
  if (batch->n > 0) {
    char *last = realloc(batch->last, key.n + 1);
    if (!last)
      return ENOMEM;
    if (key.n > 0)
      memcpy(last, key.p, key.n);
    batch->last = last;
    batch->lastlen = key.n;
  }
  batch->n = batch->next = batch->used = 0;
  return 0;
}
