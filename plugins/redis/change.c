/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change.c - storing and removing keys, each at once: an abandoned transaction takes nothing back.
 *
 * Whether a key is there already is Redis's to see, in the same command (NX).
 */
#include "redis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct change {
  const struct redis *table;
  int64_t patience_ns; /* for each command; 0: the table's own limit */
  struct text key;
};

/* One command and what came of it. */
struct order {
  const struct change *change;
  const dictum_key *value; /* NULL: it is removed */
  bool only_new;
  dictum_status status; /* EXISTS: it is there already */
  dictum_error *err;
};

dictum_status redis_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                              dictum_error *err) {
  const struct redis *table = self;
  struct change *change = calloc(1, sizeof *change);
  if (!change)
    return table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  change->table = table;
  if (args->deadline_ns) {
    int64_t left = args->deadline_ns - clock_now();
    change->patience_ns = left > 0 ? left : 1;
  }
  *txn = change;
  return DICTUM_OK;
}

static void add_word(struct command *out, const char *word) {
  redis_command_add(out, word, strlen(word));
}

static void make_store(const struct order *order, struct command *out) {
  const struct redis *table = order->change->table;
  const struct text *key = &order->change->key;
  if (table->kind == KIND_HASH) {
    add_word(out, order->only_new ? "HSETNX" : "HSET");
    add_word(out, table->hash);
  } else {
    add_word(out, "SET");
  }
  redis_command_add(out, key->data, key->len);
  redis_command_add(out, order->value->n ? order->value->p : "", order->value->n);
  if (table->kind == KIND_HASH)
    return;
  if (*table->ttl) {
    add_word(out, "EX");
    add_word(out, table->ttl);
  }
  if (order->only_new)
    add_word(out, "NX");
}

static void make_order(void *rock, size_t i, struct command *out) {
  const struct order *order = rock;
  const struct redis *table = order->change->table;
  (void)i;
  if (order->value) {
    make_store(order, out);
    return;
  }
  add_word(out, table->kind == KIND_HASH ? "HDEL" : "DEL");
  if (table->kind == KIND_HASH)
    add_word(out, table->hash);
  redis_command_add(out, order->change->key.data, order->change->key.len);
}

static void take_result(void *rock, size_t i, const redisReply *reply) {
  struct order *order = rock;
  (void)i;
  bool none = reply->type == REDIS_REPLY_NIL ||
              (reply->type == REDIS_REPLY_INTEGER && reply->integer == 0);
  if (reply->type == REDIS_REPLY_STATUS || (reply->type == REDIS_REPLY_INTEGER && !none))
    order->status = DICTUM_OK;
  else if (none && !order->value)
    order->status = DICTUM_NOTFOUND;
  else if (none) /* HSET counts new fields only */
    order->status = order->only_new ? DICTUM_EXISTS : DICTUM_OK;
  else
    order->status = redis_reply_failed(&order->change->table->session, reply, order->err);
}

/* What only counts if it is new, or only if it was there, is not said twice: the answer to the
 * second time would be another one. */
static dictum_status run(struct order *order) {
  const struct change *change = order->change;
  struct script script = {.session = &change->table->session,
                          .rock = order,
                          .make = make_order,
                          .take = take_result,
                          .n = 1,
                          .once = !order->value || order->only_new};
  size_t done;
  int64_t deadline_ns = change->patience_ns ? clock_now() + change->patience_ns : 0;
  dictum_status status = redis_script_run(&script, deadline_ns, &done, order->err);
  return status == DICTUM_OK ? order->status : status;
}

static dictum_status form(struct change *change, const dictum_key *key, dictum_error *err) {
  const dictum_call call = {.size = sizeof call};
  text_clear(&change->key);
  return redis_form_key(change->table, &call, key, &change->key, err);
}

dictum_status redis_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  struct change *change = txn;
  const dictum_host *host = change->table->host;
  const int shown = (int)(rec->key.n < 100 ? rec->key.n : 100);
  dictum_status status = form(change, &rec->key, err);
  if (status == DICTUM_NOTFOUND)
    return host->fail(err, DICTUM_INVALID, 0,
                      "skipping update for key \"%.*s\": it does not fit key_format or domain",
                      shown, rec->key.p);
  if (status != DICTUM_OK)
    return status;
  struct order order = {
      .change = change, .value = &rec->value, .only_new = dup != DICTUM_DUP_REPLACE, .err = err};
  status = run(&order);
  if (status != DICTUM_EXISTS || dup == DICTUM_DUP_IGNORE)
    return status == DICTUM_EXISTS ? DICTUM_OK : status;
  return host->fail(err, DICTUM_EXISTS, 0, "duplicate entry: \"%.*s\"", shown, rec->key.p);
}

dictum_status redis_del(void *txn, const char *key, size_t len, dictum_error *err) {
  struct change *change = txn;
  const dictum_key wanted = {key, len};
  dictum_status status = form(change, &wanted, err);
  if (status != DICTUM_OK)
    return status;
  struct order order = {.change = change, .err = err};
  return run(&order);
}

dictum_status redis_commit(void *txn, dictum_error *err) {
  (void)err;
  redis_abort(txn);
  return DICTUM_OK;
}

void redis_abort(void *txn) {
  struct change *change = txn;
  text_free(&change->key);
  free(change);
}
