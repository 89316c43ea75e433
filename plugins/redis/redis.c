/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redis.c - the type redis: tables in a Redis server.
 *
 * A key of the table, formed by key_format, is a key of Redis or, with `hash`, a
 * field of one hash. It is asked for with GET, HGET, SMEMBERS or LRANGE; the keys
 * of a batch in one pipeline. MGET would do, too, but takes a key of the wrong
 * kind for one that is not there.
 *
 * THREADS: any number; each call has a connection for itself (connpool.h).
 *
 * ERRORS: reply.c. A server that is down is no reason not to open a table.
 */
#include "redis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply.h"

static const dictum_opt redis_opts[] = {
    {"hosts", DICTUM_OPT_STR, "localhost", 1, 0, "servers: host:port, unix:path, one or several"},
    {"user", DICTUM_OPT_STR, "", 0, 0, "name to log in with"},
    {"password", DICTUM_OPT_STR, "", 0, 0, "password to log in with"},
    {"password_file", DICTUM_OPT_STR, "", 0, 0, "file whose first line is the password"},
    {"database", DICTUM_OPT_INT, "0", 0, 1000000, "number of the database"},
    {"kind", DICTUM_OPT_STR, "string", 1, 0, "what a key holds: string, set or list"},
    {"hash", DICTUM_OPT_STR, "", 0, 0, "the hash of which keys are fields"},
    {"key_format", DICTUM_OPT_STR, "%s", 1, 0, "Redis's key: %s, %u, %d, %1 to %9"},
    {"result_format", DICTUM_OPT_STR, "%s", 1, 0, "the answer: the same of the value"},
    {"domain", DICTUM_OPT_STR, "", 0, 0, "only addresses in these domains are looked up"},
    {"expansion_limit", DICTUM_OPT_INT, "0", 0, INT32_MAX, "most values of an answer; 0: any"},
    {"ttl", DICTUM_OPT_TIME, "0", 0, 0, "how long a stored value is kept; 0: for ever"},
    {"timeout", DICTUM_OPT_TIME, "5s", 0, 0, "for one exchange with the server; 0: none"},
    {"idle_interval", DICTUM_OPT_TIME, "60s", 1, 0, "how long an unused connection is kept"},
    {"reply_size_limit", DICTUM_OPT_BYTES, "16777216", 64, INT32_MAX, "longest reply"},
};

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

/* ---- keys ----------------------------------------------------------------------------------- */

dictum_status redis_form_key(const struct redis *table, const dictum_call *call,
                             const dictum_key *key, struct text *out, dictum_error *err) {
  const struct address address = address_of(key->p, key->n);
  dictum_status status = domains_match(table->domains, call, &address, err);
  if (status != DICTUM_OK)
    return status;
  switch (template_expand(&table->key_format, &address, NULL, out)) {
  case TEMPLATE_DONE:
    return DICTUM_OK;
  case TEMPLATE_SUPPRESSED:
    return DICTUM_NOTFOUND;
  case TEMPLATE_NOMEM:
    break;
  }
  return nomem(table->host, err);
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* One call: the keys that are asked for, where each is in `keys`, and the answer being made. */
struct talk {
  const struct redis *table;
  struct asking *asking;
  size_t *places, *starts; /* starts has one more: where the last key ends */
  size_t n;
  struct text keys, value;
};

static void make_question(void *rock, size_t i, struct command *out) {
  const struct talk *talk = rock;
  static const char *const verbs[] = {"GET", "HGET", "SMEMBERS", "LRANGE"};
  const struct redis *table = talk->table;
  const char *verb = verbs[table->kind];
  redis_command_add(out, verb, strlen(verb));
  if (table->kind == KIND_HASH)
    redis_command_add(out, table->hash, strlen(table->hash));
  redis_command_add(out, talk->keys.data + talk->starts[i], talk->starts[i + 1] - talk->starts[i]);
  if (table->kind != KIND_LIST)
    return;
  redis_command_add(out, "0", 1);
  redis_command_add(out, "-1", 2);
}

/* Adds one value to the answer, if it fits the format. False: memory is out. */
static bool add_value(struct talk *talk, const dictum_key *key, const redisReply *value,
                      size_t *count) {
  struct text *out = &talk->value;
  const struct address of_key = address_of(key->p, key->n);
  const struct address of_value = address_of(value->str, value->len);
  const size_t before = out->len;
  if (value->len == 0)
    return true;
  if (before > 0 && !text_append(out, ",", 1))
    return false;
  switch (template_expand(&talk->table->result_format, &of_key, &of_value, out)) {
  case TEMPLATE_DONE:
    ++*count;
    return true;
  case TEMPLATE_SUPPRESSED:
    out->len = before;
    return true;
  case TEMPLATE_NOMEM:
    break;
  }
  return false;
}

static int compare_strings(const void *left, const void *right) {
  const redisReply *a = *(redisReply *const *)left, *b = *(redisReply *const *)right;
  int order = memcmp(a->str, b->str, a->len < b->len ? a->len : b->len);
  return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool are_strings(const redisReply *reply) {
  for (size_t i = 0; i < reply->elements; i++)
    if (reply->element[i]->type != REDIS_REPLY_STRING)
      return false;
  return true;
}

static void fail_reply(struct talk *talk, size_t place, const redisReply *reply) {
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = redis_reply_failed(&talk->table->session, reply, &why);
  if (reply->type == REDIS_REPLY_ERROR && redis_error_is_of_key(reply->str, reply->len))
    asking_failed_key(talk->asking, place, status, "%s", why.what);
  else
    asking_failed(talk->asking, place, status, 0, "%s", why.what);
}

static void answer_values(struct talk *talk, size_t place, redisReply *const *values, size_t n) {
  const struct redis *table = talk->table;
  size_t count = 0;
  text_clear(&talk->value);
  for (size_t i = 0; i < n; i++)
    if (!add_value(talk, &talk->asking->keys[place], values[i], &count)) {
      asking_failed(talk->asking, place, DICTUM_NOMEM, ENOMEM, "out of memory");
      return;
    }
  if (table->expansion_limit > 0 && count > table->expansion_limit)
    asking_failed_key(talk->asking, place, DICTUM_RETRY,
                      "redis:%s: Expansion limit exceeded: %zu values", table->label, count);
  else if (count > 0)
    asking_found(talk->asking, place, talk->value.data, talk->value.len);
  else
    asking_absent(talk->asking, place);
}

/* The members of a set come in any order: in an answer they are sorted. */
static void take_reply(void *rock, size_t i, const redisReply *reply) {
  struct talk *talk = rock;
  const size_t place = talk->places[i];
  const bool one = talk->table->kind == KIND_STRING || talk->table->kind == KIND_HASH;
  redisReply *single = (redisReply *)(uintptr_t)reply;
  if (one && reply->type == REDIS_REPLY_NIL)
    asking_absent(talk->asking, place);
  else if (one && reply->type == REDIS_REPLY_STRING && talk->table->plain)
    asking_found(talk->asking, place, reply->str, reply->len);
  else if (one && reply->type == REDIS_REPLY_STRING)
    answer_values(talk, place, &single, 1);
  else if (!one && reply->type == REDIS_REPLY_ARRAY && are_strings(reply)) {
    if (talk->table->kind == KIND_SET && reply->elements > 1)
      qsort(reply->element, reply->elements, sizeof(redisReply *), compare_strings);
    answer_values(talk, place, reply->element, reply->elements);
  } else {
    fail_reply(talk, place, reply);
  }
}

/* Forms all keys; those that cannot be there get their answer. */
static void form_keys(struct talk *talk) {
  struct asking *asking = talk->asking;
  for (size_t i = 0; i < asking->n; i++) {
    dictum_error why = DICTUM_ERROR_INIT;
    talk->starts[talk->n] = talk->keys.len;
    dictum_status status = redis_form_key(talk->table, asking->call, &asking->keys[i], &talk->keys,
                                          &why);
    if (status == DICTUM_OK)
      talk->places[talk->n++] = i;
    else if (status == DICTUM_NOTFOUND)
      asking_absent(asking, i);
    else
      asking_failed(asking, i, status, why.sys_errno, "%s", why.what);
  }
  talk->starts[talk->n] = talk->keys.len;
}

static void ask(struct talk *talk) {
  struct script script = {.session = &talk->table->session,
                          .rock = talk,
                          .make = make_question,
                          .take = take_reply,
                          .n = talk->n};
  dictum_error why = DICTUM_ERROR_INIT;
  size_t done;
  dictum_status status = redis_script_run(&script, talk->asking->call->deadline_ns, &done, &why);
  for (size_t i = done; status != DICTUM_OK && i < talk->n; i++)
    asking_failed(talk->asking, talk->places[i], status, why.sys_errno, "%s", why.what);
}

static dictum_status answer(const struct redis *table, struct asking *asking) {
  size_t few[3];
  size_t *room = asking->n == 1 ? few : reallocarray(NULL, asking->n, 3 * sizeof *room);
  if (!room)
    return nomem(table->host, asking->err);
  struct talk talk = {.table = table, .asking = asking, .places = room, .starts = room + asking->n};
  form_keys(&talk);
  if (talk.n > 0)
    ask(&talk);
  text_free(&talk.keys);
  text_free(&talk.value);
  if (room != few)
    free(room);
  return asking_status(asking);
}

static dictum_status redis_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                  dictum_sink *sink, dictum_error *err) {
  const struct redis *table = self;
  const dictum_key wanted = {key, len};
  struct asking asking = asking_one(table->host, call, &wanted, sink, err);
  return answer(table, &asking);
}

static dictum_status redis_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                       size_t n, dictum_sink *sink, dictum_error *err) {
  const struct redis *table = self;
  struct asking asking = asking_many(table->host, call, keys, n, sink, err);
  return answer(table, &asking);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void free_rest(struct redis *table) {
  template_free(&table->key_format);
  template_free(&table->result_format);
  domains_free(table->domains);
  free((char *)(uintptr_t)table->prefix.p);
  free(table->hash);
  free(table->label);
  free(table);
}

static void redis_close(void *self) {
  struct redis *table = self;
  redis_session_close(&table->session);
  free_rest(table);
}

static void redis_forget(void *self) {
  struct redis *table = self;
  redis_session_forget(&table->session);
  free_rest(table);
}

static dictum_status read_kind(struct redis *table, const dictum_cfg *cfg, dictum_error *err) {
  static const char *const names[] = {
      [KIND_STRING] = "string", [KIND_HASH] = "", [KIND_SET] = "set", [KIND_LIST] = "list"};
  const char *kind = table->host->opt_str(cfg, "kind");
  const char *hash = table->host->opt_str(cfg, "hash");
  size_t i = 0;
  while (i <= KIND_LIST && strcmp(kind, names[i]) != 0)
    i++;
  if (i > KIND_LIST || (*hash && i != KIND_STRING))
    return table->host->fail(err, DICTUM_CONFIG, 0,
                             "%s: kind: \"%s\" is none of string, set, list%s", table->label, kind,
                             *hash ? "; with hash it is string" : "");
  table->kind = *hash ? KIND_HASH : (enum redis_kind)i;
  table->hash = strdup(hash);
  return table->hash ? DICTUM_OK : nomem(table->host, err);
}

/* Is it literal text, if any, and then the key? */
static bool find_prefix(struct redis *table) {
  const struct template *format = &table->key_format;
  struct text prefix = {0};
  bool whole = format->n > 0 && format->pieces[format->n - 1].part == PIECE_WHOLE;
  bool done = text_reserve(&prefix, 0);
  for (size_t i = 0; done && i + 1 < format->n; i++) {
    whole = whole && format->pieces[i].part == PIECE_LITERAL;
    done = !whole || text_append(&prefix, format->pieces[i].text.p, format->pieces[i].text.n);
  }
  if (!done || !whole)
    text_free(&prefix);
  table->prefix = (dictum_key){prefix.data, prefix.len};
  return done;
}

static dictum_status read_formats(struct redis *table, const struct settings *settings) {
  table->plain = strcmp(settings_text(settings, "result_format"), "%s") == 0;
  dictum_status status = settings_template(settings, "key_format", TEMPLATE_QUERY,
                                           &table->key_format);
  if (status == DICTUM_OK)
    status = settings_template(settings, "result_format", TEMPLATE_RESULT, &table->result_format);
  if (status == DICTUM_OK && !find_prefix(table))
    status = settings_nomem(settings);
  return status == DICTUM_OK ? domains_open(settings, &table->domains) : status;
}

/* What can be listed and changed is told apart from what can only be asked. */
static uint32_t caps_of(const struct redis *table) {
  uint32_t caps = DICTUM_CAP_NETWORK | DICTUM_CAP_MAY_WAIT | DICTUM_CAP_SETTINGS;
  if (table->kind == KIND_SET || table->kind == KIND_LIST)
    return caps;
  caps |= DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE;
  return table->prefix.p && table->plain ? caps | DICTUM_CAP_ITERATE : caps;
}

static dictum_status fill(struct redis *table, const dictum_open_args *args, dictum_error *err) {
  const dictum_host *host = table->host;
  const struct settings settings = {host, args, err};
  if (!(table->label = strdup(args->name)))
    return nomem(host, err);
  table->expansion_limit = (uint64_t)host->opt_int(args->cfg, "expansion_limit");
  int64_t ttl = host->opt_int(args->cfg, "ttl") / 1000;
  if (ttl > 0)
    snprintf(table->ttl, sizeof table->ttl, "%lld", (long long)ttl);
  dictum_status status = redis_session_open(host, args, &table->session, err);
  if (status == DICTUM_OK)
    status = read_kind(table, args->cfg, err);
  if (status == DICTUM_OK)
    status = read_formats(table, &settings);
  if (status == DICTUM_OK)
    host->note_caps(args->slot, caps_of(table));
  return status;
}

static dictum_status redis_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                dictum_error *err) {
  struct redis *table = calloc(1, sizeof *table);
  if (!table)
    return nomem(host, err);
  table->host = host;
  table->slot = args->slot;
  dictum_status status = fill(table, args, err);
  if (status != DICTUM_OK) {
    redis_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type redis_types[] = {
    {.name = "redis",
     .summary = "keys, sets, lists or the fields of a hash in a Redis server",
     .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_NETWORK |
             DICTUM_CAP_MAY_WAIT | DICTUM_CAP_SETTINGS,
     .threads = DICTUM_THREADS_PARALLEL,
     .opts = redis_opts,
     .nopts = sizeof redis_opts / sizeof redis_opts[0],
     .open = redis_open,
     .close = redis_close,
     .forget = redis_forget,
     .lookup = redis_lookup,
     .lookup_many = redis_lookup_many,
     .iter_open = redis_iter_open,
     .iter_next = redis_iter_next,
     .iter_close = redis_iter_close,
     .txn_begin = redis_txn_begin,
     .put = redis_put,
     .del = redis_del,
     .commit = redis_commit,
     .abort = redis_abort},
};

DICTUM_PLUGIN_DEFINE(dictum_redis, "dictum-redis", PACKAGE_VERSION, redis_types);
