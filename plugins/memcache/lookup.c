/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lookup.c - one key or a batch: asked of memcached, then of the backup.
 *
 * Each server gets the keys that belong to it, in the order of the batch and
 * many in one command. A server that fails is asked no more in this call; the
 * keys of others have their answers all the same.
 */
#include "memcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* So much goes into one command, which must fit in what the system keeps for the connection: once
 * a server stops reading, the library would wait for it anew for each key that is left. */
enum { keys_at_once = 1024, bytes_at_once = 65536 };

/* Other than any status: memcached has yet to be asked. */
static const dictum_status unasked = (dictum_status)-1;

struct item {
  dictum_key key; /* formed; with n == 0 there is no such key */
  size_t server;
  dictum_status status; /* memcached's answer; UNASKED; or why it cannot be asked */
};

struct batch {
  const struct memcache *table;
  const dictum_call *call;
  const dictum_key *keys;
  size_t n;
  dictum_sink *sink;
  bool single; /* lookup(), not lookup_many() */
  struct item *items;
  struct text room; /* of formed keys */
  /* For one command: keys, where each stands in the batch, and what came back. */
  const char **ask;
  size_t *lens, *places;
  struct answer *answers;
  struct text values;
  bool answered; /* some server has */
  dictum_status failure;
  dictum_error *err; /* of the first failure; NULL when there is one, or nobody wants it */
};

/* ---- life ----------------------------------------------------------------------------------- */

static dictum_status batch_init(struct batch *batch, dictum_error *err) {
  const size_t n = batch->n, at_once = n < keys_at_once ? n : keys_at_once;
  batch->err = err;
  batch->items = calloc(n, sizeof *batch->items);
  batch->ask = calloc(at_once, sizeof *batch->ask);
  batch->lens = calloc(at_once, 2 * sizeof *batch->lens);
  batch->answers = calloc(at_once, sizeof *batch->answers);
  if (!batch->items || !batch->ask || !batch->lens || !batch->answers)
    return batch->table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  batch->places = batch->lens + at_once;
  return DICTUM_OK;
}

static void batch_free(struct batch *batch) {
  free(batch->items);
  free(batch->ask);
  free(batch->lens);
  free(batch->answers);
  text_free(&batch->room);
  text_free(&batch->values);
}

/* The first failure is the one whose text counts. */
static void note_failure(struct batch *batch, dictum_status status) {
  if (batch->failure == DICTUM_OK)
    batch->failure = status;
  batch->err = NULL;
}

/* ---- forming keys --------------------------------------------------------------------------- */

/* While keys are formed their room may move: until all are, they point to nothing. */
static void form_keys(struct batch *batch) {
  const char *why;
  const bool plain = batch->table->form.plain;
  for (size_t i = 0; i < batch->n; i++) {
    struct item *item = &batch->items[i];
    item->status = memcache_keyform_apply(&batch->table->form, batch->call, &batch->keys[i],
                                          &batch->room, &item->key, &why, batch->err);
    if (item->status == DICTUM_OK) {
      item->status = unasked;
      continue;
    }
    item->key = (dictum_key){0};
    if (item->status != DICTUM_NOTFOUND)
      note_failure(batch, item->status);
  }
  const char *text = batch->room.data;
  for (size_t i = 0; i < batch->n && text && !plain; i++) {
    batch->items[i].key.p = text;
    text += batch->items[i].key.n;
  }
  for (size_t i = 0; i < batch->n; i++)
    if (batch->items[i].status == unasked)
      batch->items[i].server = memcache_servers_place(&batch->table->servers, batch->items[i].key.p,
                                                      batch->items[i].key.n);
}

/* ---- memcached ------------------------------------------------------------------------------ */

static dictum_status emit(struct batch *batch, size_t i, const char *value, size_t len) {
  const dictum_host *host = batch->table->host;
  return batch->single ? host->emit(batch->sink, value, len)
                       : host->emit_at(batch->sink, i, DICTUM_OK, value, len);
}

/* The next keys for a server, from *@p from on. */
static size_t collect(struct batch *batch, size_t server, size_t *from) {
  size_t n = 0, bytes = 0;
  for (; *from < batch->n && n < keys_at_once && bytes < bytes_at_once; ++*from) {
    const struct item *item = &batch->items[*from];
    if (item->server != server || item->status != unasked)
      continue;
    bytes += item->key.n;
    batch->ask[n] = item->key.p;
    batch->lens[n] = item->key.n;
    batch->places[n++] = *from;
  }
  return n;
}

static void take_answers(struct batch *batch, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const struct answer *answer = &batch->answers[i];
    const size_t place = batch->places[i];
    dictum_status status = DICTUM_NOTFOUND;
    if (answer->found)
      status = emit(batch, place, batch->values.data + answer->off, answer->len);
    if (status == DICTUM_NOMEM)
      note_failure(batch, status);
    batch->items[place].status = status;
  }
}

static dictum_status ask_some(struct batch *batch, size_t server, size_t n, dictum_error *err) {
  const struct memcache *table = batch->table;
  text_clear(&batch->values);
  struct questions questions = {.keys = batch->ask,
                                .lens = batch->lens,
                                .n = n,
                                .answers = batch->answers,
                                .values = &batch->values};
  dictum_status status = memcache_get(&table->terms, &table->servers.list[server],
                                      memcache_until(table, batch->call->deadline_ns), &questions,
                                      err);
  batch->answered |= questions.done > 0;
  take_answers(batch, questions.done);
  return status;
}

/* With a backup a failure is not the caller's, but the host should know. */
static void ask_server(struct batch *batch, size_t server) {
  const struct memcache *table = batch->table;
  dictum_error own = DICTUM_ERROR_INIT;
  dictum_error *err = table->backup ? &own : batch->err;
  dictum_status status = DICTUM_OK;
  bool asked = false;
  for (size_t from = 0, n; status == DICTUM_OK && (n = collect(batch, server, &from)) > 0;) {
    asked = true;
    status = ask_some(batch, server, n, err);
  }
  if (table->backup && asked)
    memcache_tell(table, &table->servers.list[server], status == DICTUM_OK ? NULL : &own);
  if (status == DICTUM_OK)
    return;
  for (size_t i = 0; i < batch->n; i++)
    if (batch->items[i].server == server && batch->items[i].status == unasked)
      batch->items[i].status = status;
  if (!table->backup)
    note_failure(batch, status);
}

/* ---- the backup ----------------------------------------------------------------------------- */

/* Of a server that failed in this call, nobody hopes that it can store. */
static void store(struct batch *batch, const struct item *item, const dictum_key *value,
                  bool *gave_up) {
  const struct memcache *table = batch->table;
  dictum_error err = DICTUM_ERROR_INIT;
  if (item->status != DICTUM_NOTFOUND || gave_up[item->server])
    return;
  dictum_status status = memcache_store(table, &item->key, value, false, batch->call->deadline_ns,
                                        &err);
  if (status == DICTUM_OK)
    return;
  if (status == DICTUM_INVALID) {
    table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE, "%s", err.what);
    return;
  }
  gave_up[item->server] = true;
  memcache_tell(table, &table->servers.list[item->server], &err);
}

static void take_backup_answers(struct batch *batch, const dictum_req *reqs, size_t n,
                                const size_t *places, const dictum_buf *arena, bool *gave_up) {
  for (size_t i = 0; i < n; i++) {
    struct item *item = &batch->items[places[i]];
    dictum_status status = reqs[i].status;
    if (status == DICTUM_OK) {
      const dictum_key value = {arena->data + reqs[i].off, reqs[i].len};
      store(batch, item, &value, gave_up);
      status = emit(batch, places[i], value.p, value.n);
    }
    item->status = status;
    if (status != DICTUM_OK && status != DICTUM_NOTFOUND)
      note_failure(batch, status);
  }
}

/* @return how many keys the backup is to be asked for */
static size_t collect_open(const struct batch *batch, dictum_req *reqs, size_t *places) {
  size_t n = 0;
  for (size_t i = 0; i < batch->n; i++) {
    const struct item *item = &batch->items[i];
    if (item->key.n == 0 || item->status == DICTUM_OK)
      continue;
    reqs[n] = (dictum_req){.key = batch->keys[i].p, .keylen = batch->keys[i].n};
    places[n++] = i;
  }
  return n;
}

static dictum_status ask_backup(struct batch *batch) {
  const struct memcache *table = batch->table;
  dictum_req *reqs = calloc(batch->n, sizeof *reqs);
  size_t *places = calloc(batch->n, sizeof *places);
  bool *gave_up = calloc(table->servers.n, sizeof *gave_up);
  dictum_buf arena = {0};
  dictum_status status = DICTUM_OK;
  if (!reqs || !places || !gave_up) {
    status = table->host->fail(batch->err, DICTUM_NOMEM, ENOMEM, "out of memory");
  } else {
    size_t n = collect_open(batch, reqs, places);
    if (n > 0)
      status = table->host->tables->lookup_many(table->backup, batch->call, reqs, n, &arena,
                                                batch->err);
    if (status == DICTUM_OK)
      take_backup_answers(batch, reqs, n, places, &arena, gave_up);
  }
  table->host->tables->buf_free(&arena);
  free(reqs);
  free(places);
  free(gave_up);
  return status;
}

/* ---- both ----------------------------------------------------------------------------------- */

static dictum_status ask_all(struct batch *batch) {
  form_keys(batch);
  for (size_t i = 0; i < batch->table->servers.n; i++)
    ask_server(batch, i);
  return batch->table->backup ? ask_backup(batch) : DICTUM_OK;
}

dictum_status memcache_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                              dictum_sink *sink, dictum_error *err) {
  const dictum_key wanted = {key, len};
  struct batch batch = {
      .table = self, .call = call, .keys = &wanted, .n = 1, .sink = sink, .single = true};
  dictum_status status = batch_init(&batch, err);
  if (status == DICTUM_OK)
    status = ask_all(&batch);
  if (status == DICTUM_OK)
    status = batch.items[0].status;
  batch_free(&batch);
  return status;
}

/* That one of several servers is away is told key by key: the table as a whole works. */
dictum_status memcache_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                   size_t n, dictum_sink *sink, dictum_error *err) {
  const struct memcache *table = self;
  struct batch batch = {.table = table, .call = call, .keys = keys, .n = n, .sink = sink};
  dictum_status status = batch_init(&batch, err);
  if (status == DICTUM_OK)
    status = ask_all(&batch);
  for (size_t i = 0; status == DICTUM_OK && i < n; i++)
    if (batch.items[i].status != DICTUM_OK)
      table->host->emit_at(sink, i, batch.items[i].status, NULL, 0);
  if (status == DICTUM_OK && !batch.answered)
    status = batch.failure;
  batch_free(&batch);
  return status;
}
