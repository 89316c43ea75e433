/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socketmap.c - the type socketmap: "inet:host:port:map" or "unix:path:map", Sendmail's protocol.
 *
 * A question is the netstring "map key", an answer the netstring "STATUS text":
 * OK (found), NOTFOUND, TEMP and TIMEOUT (RETRY), PERM (CONFIG). Postfix puts one
 * question at a time, and there are servers that drop what they have read behind
 * it; so more at once is the user's to say (socketmap_pipeline).
 */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct socketmap {
  const dictum_host *host;
  dictum_slot *slot;
  struct connpool *pool;
  char *name, *map;
  size_t reply_max, query_max, depth;
};

/* One call: the places of the keys that are asked for. */
struct talk {
  const struct socketmap *table;
  struct asking *asking;
  const size_t *places;
};

/* ---- the protocol --------------------------------------------------------------------------- */

static bool put(void *rock, size_t i, struct text *out) {
  const struct talk *talk = rock;
  const dictum_key *key = &talk->asking->keys[talk->places[i]];
  const char *map = talk->table->map;
  char head[32];
  int len = snprintf(head, sizeof head, "%zu:", strlen(map) + 1 + key->n);
  return text_append(out, head, (size_t)len) && text_append(out, map, strlen(map)) &&
         text_append(out, " ", 1) && text_append(out, key->p, key->n) && text_append(out, ",", 1);
}

/* Reads "LEN:". */
static enum frame read_length(const char *data, size_t len, size_t most, size_t *head, size_t *body,
                              const char **why) {
  *body = 0;
  for (*head = 0; *head < len && data[*head] >= '0' && data[*head] <= '9'; ++*head) {
    *body = *body * 10 + (size_t)(data[*head] - '0');
    if (*body > most || *head > 20) {
      *why = "input exceeds size limit";
      return FRAME_BAD;
    }
  }
  if (*head == len)
    return FRAME_PART;
  *why = "input format error";
  return data[(*head)++] == ':' ? FRAME_WHOLE : FRAME_BAD;
}

static enum frame find_netstring(void *rock, const char *data, size_t len, size_t *size,
                                 const char **why) {
  const struct talk *talk = rock;
  size_t head, body;
  enum frame frame = read_length(data, len, talk->table->reply_max, &head, &body, why);
  if (frame != FRAME_WHOLE || len - head <= body)
    return frame == FRAME_WHOLE ? FRAME_PART : frame;
  *size = head + body + 1;
  *why = "input format error";
  return data[head + body] == ',' ? FRAME_WHOLE : FRAME_BAD;
}

static bool is_word(const char *text, size_t len, const char *word) {
  return len == strlen(word) && memcmp(text, word, len) == 0;
}

static void take_failure(struct talk *talk, size_t place, const char *status, size_t len,
                         const char *text, size_t textlen) {
  static const struct {
    const char *word, *class;
    dictum_status status;
  } kinds[] = {{"TEMP", "temporary", DICTUM_RETRY},
               {"TIMEOUT", "timeout", DICTUM_RETRY},
               {"PERM", "permanent", DICTUM_CONFIG},
               {NULL, "unknown", DICTUM_RETRY}};
  size_t kind = 0;
  while (kinds[kind].word && !is_word(status, len, kinds[kind].word))
    kind++;
  asking_failed(talk->asking, place, kinds[kind].status, 0,
                "socketmap:%s socketmap server %s error%s%.*s", talk->table->name,
                kinds[kind].class, textlen ? ": " : "", (int)(textlen < 200 ? textlen : 200), text);
}

/* As Postfix has it, "OK" without a space is no value at all, and "OK " is an empty one. */
static bool take(void *rock, size_t i, const char *data, size_t len) {
  struct talk *talk = rock;
  const size_t place = talk->places[i];
  const char *status = (const char *)memchr(data, ':', len) + 1;
  const size_t all = (size_t)(data + len - 1 - status);
  const char *space = memchr(status, ' ', all);
  const size_t word = space ? (size_t)(space - status) : all;
  const char *text = space ? space + 1 : "";
  const size_t textlen = space ? all - word - 1 : 0;
  if (is_word(status, word, "OK") && space)
    asking_found(talk->asking, place, text, textlen);
  else if (is_word(status, word, "OK") || is_word(status, word, "NOTFOUND"))
    asking_absent(talk->asking, place);
  else
    take_failure(talk, place, status, word, text, textlen);
  return true;
}

static const struct dialect netstrings = {.ask = put, .frame = find_netstring, .answer = take};

/* ---- lookup --------------------------------------------------------------------------------- */

static bool is_askable(const struct socketmap *table, struct asking *asking, size_t i) {
  size_t len = asking->keys[i].n;
  if (len <= table->query_max)
    return true;
  table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE,
                   "socketmap:%s: query too large: %zu bytes, socketmap_max_query_size is %zu",
                   table->name, len, table->query_max);
  asking_absent(asking, i);
  return false;
}

static void tell(const struct socketmap *table, const struct fault *fault, struct asking *asking,
                 size_t place) {
  if (fault->kind == FAULT_CONNECT)
    asking_failed(asking, place, net_status(fault), fault->sys_errno, "connect to %s: %s",
                  connpool_label(table->pool), fault->text);
  else
    asking_failed(asking, place, net_status(fault), fault->sys_errno,
                  "table socketmap:%s lookup error: %s", table->name, fault->text);
}

static dictum_status ask(const struct socketmap *table, struct asking *asking, size_t *places) {
  size_t n = 0;
  for (size_t i = 0; i < asking->n; i++)
    if (is_askable(table, asking, i))
      places[n++] = i;
  struct talk talk = {table, asking, places};
  struct dialogue dialogue = {.pool = table->pool,
                              .dialect = &netstrings,
                              .rock = &talk,
                              .n = n,
                              .depth = table->depth,
                              .deadline_ns = asking->call->deadline_ns};
  struct fault fault;
  if (!dialogue_run(&dialogue, &fault))
    for (size_t i = dialogue.done; i < n; i++)
      tell(table, &fault, asking, places[i]);
  return asking_status(asking);
}

dictum_status socketmap_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                               dictum_sink *sink, dictum_error *err) {
  const struct socketmap *table = self;
  const dictum_key wanted = {key, len};
  struct asking asking = asking_one(table->host, call, &wanted, sink, err);
  size_t place;
  return ask(table, &asking, &place);
}

dictum_status socketmap_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                    size_t n, dictum_sink *sink, dictum_error *err) {
  const struct socketmap *table = self;
  size_t *places = reallocarray(NULL, n, sizeof *places);
  if (!places)
    return table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  struct asking asking = asking_many(table->host, call, keys, n, sink, err);
  dictum_status status = ask(table, &asking, places);
  free(places);
  return status;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void free_rest(struct socketmap *table) {
  free(table->name);
  free(table->map);
  free(table);
}

void socketmap_close(void *self) {
  struct socketmap *table = self;
  connpool_free(table->pool);
  free_rest(table);
}

void socketmap_forget(void *self) {
  struct socketmap *table = self;
  connpool_forget(table->pool);
  free_rest(table);
}

/* Splits the name at its last colon. */
static dictum_status read_name(struct socketmap *table, const dictum_open_args *args,
                               dictum_error *err) {
  const char *colon = strrchr(args->name, ':');
  if (!colon)
    return table->host->fail(err, DICTUM_CONFIG, 0, "socketmap requires server:socketmap argument");
  char *service = strndup(args->name, (size_t)(colon - args->name));
  table->name = strdup(args->name);
  table->map = strdup(colon + 1);
  struct endpoint endpoint;
  dictum_status status = service && table->name && table->map
                             ? net_endpoint(table->host, service, &endpoint, err)
                             : table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  free(service);
  return status == DICTUM_OK ? net_pool(table->host, args->cfg, &endpoint, &table->pool, err)
                             : status;
}

dictum_status socketmap_open(const dictum_host *host, const dictum_open_args *args, void **self,
                             dictum_error *err) {
  struct socketmap *table = calloc(1, sizeof *table);
  if (!table)
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  table->host = host;
  table->slot = args->slot;
  table->reply_max = (size_t)host->opt_int(args->cfg, "socketmap_max_reply_size");
  table->query_max = (size_t)host->opt_int(args->cfg, "socketmap_max_query_size");
  table->depth = (size_t)host->opt_int(args->cfg, "socketmap_pipeline");
  dictum_status status = read_name(table, args, err);
  if (status != DICTUM_OK) {
    socketmap_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}
