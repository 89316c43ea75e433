/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * walk.c - listing a table: SCAN and GET for keys with a prefix, HSCAN for the fields of a hash.
 *
 * Redis keeps nothing of a walk between two commands. It promises each key that is
 * there all the time; one that comes or goes meanwhile may be listed or not, and
 * while the server makes its index larger or smaller some may come twice.
 */
#include "redis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct piece {
  size_t at, len;
  bool present;
};

struct walk {
  const struct redis *table;
  int64_t patience_ns; /* for each call; 0: no end */
  int64_t deadline_ns; /* of the present one */
  char cursor[32];
  char *server; /* that the cursor is of */
  struct text pattern;
  struct text bytes;    /* keys and values of the present step */
  struct piece *pieces; /* key, value, key, value... */
  size_t n, room, next;
  bool failed; /* memory ran out, or a reply was none */
  dictum_status status;
  dictum_error *err;
};

static dictum_status nomem(struct walk *walk, dictum_error *err) {
  return walk->table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

/* Keeps a text. @return its place, or NULL. */
static bool keep(struct walk *walk, const char *text, size_t len, bool present) {
  if (walk->n == walk->room) {
    size_t room = walk->room ? walk->room * 2 : 256;
    struct piece *pieces = reallocarray(walk->pieces, room, sizeof *pieces);
    if (!pieces)
      return false;
    walk->pieces = pieces;
    walk->room = room;
  }
  walk->pieces[walk->n++] = (struct piece){walk->bytes.len, len, present};
  return text_append(&walk->bytes, text, len);
}

static void fail(struct walk *walk, const redisReply *reply) {
  if (!walk->failed)
    walk->status = reply ? redis_reply_failed(&walk->table->session, reply, walk->err)
                         : nomem(walk, walk->err);
  walk->failed = true;
}

/* ---- the keys of the next step -------------------------------------------------------------- */

static void make_scan(void *rock, size_t i, struct command *out) {
  const struct walk *walk = rock;
  (void)i;
  if (walk->table->kind == KIND_HASH) {
    redis_command_add(out, "HSCAN", 5);
    redis_command_add(out, walk->table->hash, strlen(walk->table->hash));
  } else {
    redis_command_add(out, "SCAN", 4);
  }
  redis_command_add(out, walk->cursor, strlen(walk->cursor));
  redis_command_add(out, "MATCH", 5);
  redis_command_add(out, walk->pattern.data, walk->pattern.len);
  redis_command_add(out, "COUNT", 5);
  redis_command_add(out, "1000", 4);
}

static bool is_scan(const redisReply *reply) {
  return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
         reply->element[0]->type == REDIS_REPLY_STRING &&
         reply->element[0]->len < sizeof((struct walk *)0)->cursor &&
         reply->element[1]->type == REDIS_REPLY_ARRAY;
}

static void take_scan(void *rock, size_t i, const redisReply *reply) {
  struct walk *walk = rock;
  (void)i;
  const redisReply *list = is_scan(reply) ? reply->element[1] : NULL;
  if (!list || (walk->table->kind == KIND_HASH && list->elements % 2 != 0)) {
    fail(walk, reply);
    return;
  }
  memcpy(walk->cursor, reply->element[0]->str, reply->element[0]->len + 1);
  for (size_t j = 0; j < list->elements; j++) {
    const redisReply *item = list->element[j];
    if (item->type != REDIS_REPLY_STRING) {
      fail(walk, reply);
      return;
    }
    bool kept = keep(walk, item->str, item->len, true);
    /* Of a key, the value is yet to come. */
    if (kept && walk->table->kind == KIND_STRING)
      kept = keep(walk, "", 0, false);
    if (!kept)
      fail(walk, NULL);
  }
}

/* ---- their values --------------------------------------------------------------------------- */

static void make_get(void *rock, size_t i, struct command *out) {
  const struct walk *walk = rock;
  const struct piece *key = &walk->pieces[i * 2];
  redis_command_add(out, "GET", 3);
  redis_command_add(out, walk->bytes.data + key->at, key->len);
}

/* One that is gone, or of another kind, is no entry. */
static void take_get(void *rock, size_t i, const redisReply *reply) {
  struct walk *walk = rock;
  struct piece *value = &walk->pieces[i * 2 + 1];
  if (reply->type == REDIS_REPLY_STRING) {
    *value = (struct piece){walk->bytes.len, reply->len, true};
    if (!text_append(&walk->bytes, reply->str, reply->len))
      fail(walk, NULL);
  } else if (reply->type != REDIS_REPLY_NIL &&
             !(reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "WRONGTYPE", 9) == 0)) {
    fail(walk, reply);
  }
}

static dictum_status run(struct walk *walk, void (*make)(void *, size_t, struct command *),
                         void (*take)(void *, size_t, const redisReply *), size_t n,
                         dictum_error *err) {
  struct script script = {
      .session = &walk->table->session, .rock = walk, .make = make, .take = take, .n = n};
  size_t done;
  walk->err = err;
  dictum_status status = redis_script_run(&script, walk->deadline_ns, &done, err);
  return status == DICTUM_OK && walk->failed ? walk->status : status;
}

/* A cursor means nothing to another server, which would leave out what it pleases. */
static dictum_status check_server(struct walk *walk, dictum_error *err) {
  const char *server = connpool_label(walk->table->session.pool);
  if (!walk->server)
    walk->server = strdup(server);
  if (!walk->server)
    return nomem(walk, err);
  if (strcmp(walk->server, server) == 0)
    return DICTUM_OK;
  return walk->table->host->fail(err, DICTUM_RETRY, 0, "the list was begun by redis server %s",
                                 walk->server);
}

static void begin_call(struct walk *walk) {
  walk->deadline_ns = walk->patience_ns ? clock_now() + walk->patience_ns : 0;
}

static dictum_status step(struct walk *walk, dictum_error *err) {
  text_clear(&walk->bytes);
  walk->n = walk->next = 0;
  dictum_status status = run(walk, make_scan, take_scan, 1, err);
  if (status == DICTUM_OK)
    status = check_server(walk, err);
  if (status == DICTUM_OK && walk->table->kind == KIND_STRING && walk->n > 0)
    status = run(walk, make_get, take_get, walk->n / 2, err);
  if (status != DICTUM_OK)
    walk->failed = true;
  return status;
}

/* ---- methods -------------------------------------------------------------------------------- */

/* The prefix, with what is special in SCAN's patterns protected. */
static bool make_pattern(struct walk *walk) {
  const dictum_key *prefix = &walk->table->prefix;
  for (size_t i = 0; i < prefix->n; i++) {
    if (strchr("*?[]\\^", prefix->p[i]) && !text_append(&walk->pattern, "\\", 1))
      return false;
    if (!text_append(&walk->pattern, &prefix->p[i], 1))
      return false;
  }
  return text_append(&walk->pattern, "*", 1);
}

void redis_iter_close(void *iter) {
  struct walk *walk = iter;
  text_free(&walk->pattern);
  text_free(&walk->bytes);
  free(walk->server);
  free(walk->pieces);
  free(walk);
}

dictum_status redis_iter_open(void *self, const dictum_call *call, void **iter, dictum_error *err) {
  const struct redis *table = self;
  struct walk *walk = calloc(1, sizeof *walk);
  if (!walk)
    return table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  walk->table = table;
  strcpy(walk->cursor, "0");
  walk->patience_ns = table->session.timeout_ns;
  if (call->deadline_ns) {
    int64_t left = call->deadline_ns - clock_now();
    walk->patience_ns = left > 0 ? left : 1;
  }
  begin_call(walk);
  dictum_status status = make_pattern(walk) ? step(walk, err) : nomem(walk, err);
  if (status == DICTUM_OK)
    *iter = walk;
  else
    redis_iter_close(walk);
  return status;
}

static dictum_key text_of(const struct walk *walk, const struct piece *piece, size_t skipped) {
  return (dictum_key){walk->bytes.data + piece->at + skipped, piece->len - skipped};
}

dictum_status redis_iter_next(void *iter, dictum_rec *rec, dictum_error *err) {
  struct walk *walk = iter;
  const size_t prefix = walk->table->prefix.n;
  begin_call(walk);
  while (!walk->failed) {
    for (; walk->next < walk->n; walk->next += 2) {
      const struct piece *key = &walk->pieces[walk->next];
      if (!key[1].present || key->len < prefix)
        continue;
      rec->key = text_of(walk, key, prefix);
      rec->value = text_of(walk, &key[1], 0);
      walk->next += 2;
      return DICTUM_OK;
    }
    if (strcmp(walk->cursor, "0") == 0)
      return DICTUM_END;
    dictum_status status = step(walk, err);
    if (status != DICTUM_OK)
      return status;
  }
  return walk->table->host->fail(err, DICTUM_RETRY, 0, "the list has ended early");
}
