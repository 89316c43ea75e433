/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_store.c - answers kept in a table on disk: they outlive the process and are shared.
 *
 * A record's key is eight bytes of the source's hash, then the key. Its value is
 * a header, then the value. The text of a store is not trusted: a header that
 * makes no sense is as good as none.
 */
#include "cache_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "error.h"
#include "keyhash.h"

/* An answer must not wait long for the store. */
enum { patience_ms = 250, file_mode = 0600, source_bytes = 8 };
/* Clocks of several machines, and of one over time, differ by as much as this. */
static const int64_t clock_slack_ms = 60000;

struct header {
  char magic[3];
  char status;                /* 'F'ound or 'N'ot found */
  unsigned char stored_ms[8]; /* since 1970, least byte first */
};
static const char header_magic[3] = {'D', 'C', 1};

enum { CURRENT, OLD, NGENERATIONS };

struct cache_store {
  dictum_table *generations[NGENERATIONS];
  char *files[NGENERATIONS]; /* of the tables */
  char *second_name;         /* of the current one, while it becomes the old one */
  char *tally;
  char source[source_bytes];
  uint64_t max_bytes;
};

static int64_t wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- records -------------------------------------------------------------------------------- */

static bool write_key(const struct cache_store *store, const dictum_key *key, dictum_buf *out) {
  buf_clear(out);
  return buf_append(out, store->source, source_bytes) && buf_append(out, key->p, key->n);
}

static bool write_value(const struct cache_record *record, int64_t now_ms, dictum_buf *out) {
  struct header header = {.status = record->status == DICTUM_OK ? 'F' : 'N'};
  memcpy(header.magic, header_magic, sizeof header.magic);
  for (size_t i = 0; i < sizeof header.stored_ms; i++)
    header.stored_ms[i] = (unsigned char)((uint64_t)now_ms >> (8 * i));
  buf_clear(out);
  return buf_append(out, (const char *)&header, sizeof header) &&
         (record->status != DICTUM_OK || buf_append(out, record->value.p, record->value.n));
}

static bool read_value(const dictum_buf *buf, struct cache_record *record) {
  struct header header;
  if (buf->len < sizeof header)
    return false;
  memcpy(&header, buf->data, sizeof header);
  if (memcmp(header.magic, header_magic, sizeof header.magic) != 0 ||
      (header.status != 'F' && header.status != 'N'))
    return false;
  uint64_t stored_ms = 0;
  for (size_t i = 0; i < sizeof header.stored_ms; i++)
    stored_ms |= (uint64_t)header.stored_ms[i] << (8 * i);
  const int64_t now_ms = wall_ms();
  if (stored_ms > (uint64_t)(now_ms + clock_slack_ms))
    return false;
  int64_t age_ms = now_ms - (int64_t)stored_ms;
  if (age_ms > INT64_MAX / 1000000)
    return false;
  record->age_ns = age_ms > 0 ? age_ms * 1000000 : 0;
  record->status = header.status == 'F' ? DICTUM_OK : DICTUM_NOTFOUND;
  record->value = (dictum_key){buf->data + sizeof header, buf->len - sizeof header};
  return true;
}

static bool is_there(const struct cache_store *store, size_t generation) {
  struct stat st;
  return !store->files[generation] || stat(store->files[generation], &st) == 0;
}

bool cache_store_get(struct cache_store *store, struct cache_record *record, dictum_buf *buf) {
  dictum_buf key = {0};
  bool found = false;
  if (write_key(store, &record->key, &key))
    for (size_t i = 0; i < NGENERATIONS && !found; i++)
      found = is_there(store, i) &&
              dictum_lookup(store->generations[i], key.data, key.len, buf, NULL, NULL) ==
                  DICTUM_OK &&
              read_value(buf, record);
  dictum_buf_free(&key);
  return found;
}

/* ---- generations ---------------------------------------------------------------------------- */

static dictum_status empty(dictum_table *table, dictum_error *err) {
  dictum_txn *txn;
  dictum_status status = dictum_txn_begin(table, DICTUM_TXN_REPLACE_ALL, file_mode, &txn, err);
  return status == DICTUM_OK ? dictum_txn_commit(txn, err) : status;
}

/* The full file gets a second name, under which it becomes the old generation; an empty one takes
 * its place. So there is a current file at every moment. Another process may do the same at the
 * same time: at worst a generation is lost. */
static void turn_over(struct cache_store *store) {
  const char *current = store->files[CURRENT], *old = store->files[OLD];
  struct stat now;
  if (!current || !old || stat(current, &now) != 0 ||
      (uint64_t)now.st_size <= store->max_bytes / NGENERATIONS)
    return;
  unlink(store->second_name);
  if (link(current, store->second_name) == 0 && rename(store->second_name, old) == 0)
    empty(store->generations[CURRENT], NULL);
}

static bool put_record(const struct cache_store *store, dictum_txn *txn,
                       const struct cache_record *record, int64_t now_ms, dictum_buf *key,
                       dictum_buf *value) {
  if (!write_key(store, &record->key, key) || !write_value(record, now_ms, value))
    return false;
  const dictum_entry entry = {key->data, key->len, value->data, value->len, 0};
  dictum_status status = dictum_txn_put(txn, &entry, DICTUM_DUP_REPLACE, NULL);
  /* A key that is too long for the store is not kept, and that is all. */
  return status == DICTUM_OK || status == DICTUM_INVALID;
}

void cache_store_put(struct cache_store *store, const struct cache_record *records, size_t n) {
  dictum_txn *txn;
  dictum_buf key = {0}, value = {0};
  turn_over(store);
  if (dictum_txn_begin(store->generations[CURRENT], DICTUM_TXN_UPDATE, file_mode, &txn, NULL) !=
      DICTUM_OK)
    return;
  bool good = true;
  const int64_t now_ms = wall_ms();
  for (size_t i = 0; i < n && good; i++)
    good = put_record(store, txn, &records[i], now_ms, &key, &value);
  if (good)
    dictum_txn_commit(txn, NULL);
  else
    dictum_txn_abort(txn);
  dictum_buf_free(&key);
  dictum_buf_free(&value);
}

/* ---- dropping ------------------------------------------------------------------------------- */

static dictum_status drop_from(struct cache_store *store, size_t generation, const dictum_key *keys,
                               size_t n, dictum_error *err) {
  dictum_txn *txn;
  if (!is_there(store, generation))
    return DICTUM_OK;
  dictum_status status = dictum_txn_begin(store->generations[generation], DICTUM_TXN_UPDATE,
                                          file_mode, &txn, err);
  if (status != DICTUM_OK)
    return status;
  dictum_buf key = {0};
  for (size_t i = 0; i < n && status == DICTUM_OK; i++) {
    status = write_key(store, &keys[i], &key) ? dictum_txn_del(txn, key.data, key.len, err)
                                              : error_nomem(err);
    if (status == DICTUM_NOTFOUND || status == DICTUM_INVALID)
      status = DICTUM_OK;
  }
  dictum_buf_free(&key);
  if (status == DICTUM_OK)
    return dictum_txn_commit(txn, err);
  dictum_txn_abort(txn);
  return status;
}

dictum_status cache_store_drop(struct cache_store *store, const dictum_key *keys, size_t n,
                               dictum_error *err) {
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < NGENERATIONS && status == DICTUM_OK; i++)
    status = drop_from(store, i, keys, n, err);
  return status;
}

dictum_status cache_store_drop_all(struct cache_store *store, dictum_error *err) {
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < NGENERATIONS && status == DICTUM_OK; i++)
    if (is_there(store, i))
      status = empty(store->generations[i], err);
  return status;
}

/* ---- life ----------------------------------------------------------------------------------- */

const char *cache_store_tally(const struct cache_store *store) {
  return store->tally;
}

static dictum_status check_table(const dictum_table *table, dictum_error *err) {
  const uint32_t needed = DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE |
                          DICTUM_CAP_FILE;
  uint32_t caps = dictum_caps(table);
  /* Without any, its type is not known yet. */
  if (caps == 0 || (caps & needed) == needed)
    return DICTUM_OK;
  return error_set(err, DICTUM_UNSUPPORTED, 0, "store: tables of this type cannot keep answers");
}

static dictum_status open_generation(struct cache_store *store, dictum_ctx *ctx, const char *spec,
                                     size_t generation, dictum_error *err) {
  const uint32_t flags = DICTUM_OPEN_DEGRADE | DICTUM_OPEN_NOFOLD | DICTUM_OPEN_NO_NUL |
                         DICTUM_OPEN_WRITE | DICTUM_OPEN_CREATE | DICTUM_OPEN_NOSYNC;
  dictum_table **table = &store->generations[generation];
  dictum_status status = dictum_open(ctx, spec, flags, table, err);
  if (status == DICTUM_OK)
    status = check_table(*table, err);
  if (status != DICTUM_OK)
    return status;
  dictum_set_timeout(*table, patience_ms);
  dictum_table_info info = {.size = sizeof info};
  dictum_table_describe(*table, &info);
  store->files[generation] = info.file ? strdup(info.file) : NULL;
  return info.file && !store->files[generation] ? error_nomem(err) : DICTUM_OK;
}

static dictum_status open_all(struct cache_store *store, dictum_ctx *ctx, const char *spec,
                              dictum_error *err) {
  const char *name = strchr(spec, ':');
  if (!name || name[1] != '/')
    return error_set(err, DICTUM_INVALID, 0, "store: need \"type:/path\" instead of \"%.200s\"",
                     spec);
  char *old = NULL;
  if (asprintf(&old, "%s.old", spec) < 0 || asprintf(&store->tally, "%s.tally", name + 1) < 0 ||
      asprintf(&store->second_name, "%s.turning", name + 1) < 0) {
    free(old);
    return error_nomem(err);
  }
  dictum_status status = open_generation(store, ctx, spec, CURRENT, err);
  if (status == DICTUM_OK)
    status = open_generation(store, ctx, old, OLD, err);
  free(old);
  return status;
}

dictum_status cache_store_open(dictum_ctx *ctx, const char *spec, const char *source,
                               uint64_t max_bytes, struct cache_store **out, dictum_error *err) {
  *out = NULL;
  struct cache_store *store = calloc(1, sizeof *store);
  if (!store)
    return error_nomem(err);
  const uint64_t hash = keyhash(source, strlen(source), 0);
  memcpy(store->source, &hash, source_bytes);
  store->max_bytes = max_bytes;
  dictum_status status = open_all(store, ctx, spec, err);
  if (status == DICTUM_OK)
    *out = store;
  else
    cache_store_close(store);
  return status;
}

void cache_store_close(struct cache_store *store) {
  if (!store)
    return;
  for (size_t i = 0; i < NGENERATIONS; i++) {
    dictum_close(store->generations[i]);
    free(store->files[i]);
  }
  free(store->second_name);
  free(store->tally);
  free(store);
}
