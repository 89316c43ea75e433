/* SPDX-License-Identifier: BSD-2-Clause */
/* proxymap.c - a table that is asked and changed through Postfix's proxymap(8). */
#include "proxymap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* No answer of a server is longer. */
enum { longest_reply = 4 * 1024 * 1024 };

/* Bits of "flags", as seen on the wire. */
enum {
  flag_no_nul = 0x4,   /* records do not end in a null byte (postmap -n) */
  flag_one_nul = 0x8,  /* they do (-N) */
  flag_pattern = 0x20, /* of an answer: keys are patterns' */
  flag_usual = 0x41,   /* what every request of postmap's has */
  flag_fold = 0x4000,  /* fold keys, unless they are patterns' */
  flag_utf8 = 0x80000  /* keys and values are UTF-8 */
};

/* One call. */
struct talk {
  const struct proxymap *proxymap;
  const char *request;    /* "lookup" and so on */
  const dictum_key *keys; /* NULL: no key goes with it */
  const dictum_key *value;
  struct asking *asking; /* of a lookup: the places of its keys are in `places` */
  const size_t *places;
  dictum_error *err;
  dictum_status status; /* of other requests */
  unsigned flags;       /* what "open" answered */
};

/* ---- messages ------------------------------------------------------------------------------- */

static bool put_attribute(struct text *out, const char *name, const char *value, size_t len) {
  return text_append(out, name, strlen(name) + 1) && text_append(out, value, len) &&
         text_append(out, "", 1);
}

static bool put(void *rock, size_t i, struct text *out) {
  const struct talk *talk = rock;
  const char *table = talk->proxymap->table;
  char flags[16];
  int len = snprintf(flags, sizeof flags, "%u", talk->proxymap->flags);
  const dictum_key *key = !talk->keys    ? NULL
                          : talk->places ? &talk->keys[talk->places[i]]
                                         : &talk->keys[i];
  return put_attribute(out, "request", talk->request, strlen(talk->request)) &&
         put_attribute(out, "table", table, strlen(table)) &&
         put_attribute(out, "flags", flags, (size_t)len) &&
         (!key || put_attribute(out, "key", key->p, key->n)) &&
         (!talk->value || put_attribute(out, "value", talk->value->p, talk->value->n)) &&
         text_append(out, "", 1);
}

/* Steps over one text. @return what is behind its null byte, or NULL. */
static const char *behind(const char *at, const char *end) {
  const char *nul = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
  return nul ? nul + 1 : NULL;
}

static enum frame find_message(void *rock, const char *data, size_t len, size_t *size,
                               const char **why) {
  (void)rock;
  const char *end = data + len;
  for (const char *at = data; at && at < end;) {
    if (*at == '\0') {
      *size = (size_t)(at + 1 - data);
      return FRAME_WHOLE;
    }
    at = behind(at, end);
    at = at ? behind(at, end) : NULL;
  }
  *why = "reply is too long";
  return len < longest_reply ? FRAME_PART : FRAME_BAD;
}

/* The value of @p name in a whole message, or NULL. */
static const char *find_attribute(const char *data, size_t len, const char *name,
                                  size_t *valuelen) {
  const char *end = data + len;
  for (const char *at = data; *at != '\0';) {
    const char *value = behind(at, end);
    const char *next = behind(value, end);
    if (strcmp(at, name) == 0) {
      *valuelen = (size_t)(next - value) - 1;
      return value;
    }
    at = next;
  }
  return NULL;
}

static bool find_number(const char *data, size_t len, const char *name, unsigned *out) {
  size_t n;
  const char *text = find_attribute(data, len, name, &n);
  if (!text || n == 0 || n > 9 || strspn(text, "0123456789") != n)
    return false;
  *out = (unsigned)strtoul(text, NULL, 10);
  return true;
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool greet(void *rock, struct text *out, size_t *answers, struct fault *fault) {
  (void)rock;
  (void)out;
  (void)fault;
  *answers = 1;
  return true;
}

static bool greeted(void *rock, size_t i, const char *data, size_t len, struct fault *fault) {
  (void)rock;
  (void)i;
  size_t n;
  const char *protocol = find_attribute(data, len, "protocol", &n);
  return (protocol && strcmp(protocol, "proxymap_protocol") == 0) ||
         fault_set(fault, FAULT_REPLY, 0, "this is no proxymap server");
}

/* What a status number means. @p what describes it, with the name of service and table. */
static dictum_status understand(const struct talk *talk, bool known, unsigned number, char *what,
                                size_t size) {
  static const struct {
    dictum_status status;
    const char *text;
  } meanings[] = {{DICTUM_OK, ""},
                  {DICTUM_NOTFOUND, ""},
                  {DICTUM_RETRY, "the server cannot tell now"},
                  {DICTUM_CONFIG, "invalid request"},
                  {DICTUM_CONFIG, "not configured"},
                  {DICTUM_CONFIG, "the table's configuration is wrong"}};
  const struct proxymap *proxymap = talk->proxymap;
  if (known && number == 4) {
    snprintf(what, size, "%s service is not configured for table \"%s\"", proxymap->service,
             proxymap->table);
    return DICTUM_CONFIG;
  }
  known = known && number < sizeof meanings / sizeof meanings[0];
  snprintf(what, size, "%s %s failed for table \"%s\": %s", proxymap->service, talk->request,
           proxymap->table, known ? meanings[number].text : "the reply makes no sense");
  return known ? meanings[number].status : DICTUM_RETRY;
}

static bool take(void *rock, size_t i, const char *data, size_t len) {
  struct talk *talk = rock;
  unsigned number = 0;
  bool known = find_number(data, len, "status", &number);
  char what[400];
  dictum_status status = understand(talk, known, number, what, sizeof what);
  if (!talk->asking) {
    talk->status = status;
    if (!find_number(data, len, "flags", &talk->flags))
      talk->flags = 0;
    if (status != DICTUM_OK && status != DICTUM_NOTFOUND)
      talk->proxymap->host->fail(talk->err, status, 0, "%s", what);
    return known;
  }
  const size_t place = talk->places[i];
  size_t n;
  const char *value = find_attribute(data, len, "value", &n);
  if (status == DICTUM_OK && value)
    asking_found(talk->asking, place, value, n);
  else if (status == DICTUM_NOTFOUND)
    asking_absent(talk->asking, place);
  else
    asking_failed(talk->asking, place, status == DICTUM_OK ? DICTUM_RETRY : status, 0, "%s", what);
  return known;
}

static const struct dialect attributes = {
    .ask = put, .frame = find_message, .answer = take, .greet = greet, .greeted = greeted};

/* ---- calls ---------------------------------------------------------------------------------- */

static void describe(const struct proxymap *proxymap, const struct fault *fault, char *out,
                     size_t size) {
  snprintf(out, size, "%s %s: %s", fault->kind == FAULT_CONNECT ? "connect to" : "read reply from",
           connpool_label(proxymap->pool), fault->text);
}

static bool has_nul(const dictum_key *key) {
  return key->n > 0 && memchr(key->p, '\0', key->n);
}

static void run_lookup(struct talk *talk, size_t n) {
  struct asking *asking = talk->asking;
  struct dialogue dialogue = {.pool = talk->proxymap->pool,
                              .dialect = &attributes,
                              .rock = talk,
                              .n = n,
                              .depth = 1,
                              .deadline_ns = asking->call->deadline_ns};
  struct fault fault;
  char text[400];
  if (dialogue_run(&dialogue, &fault))
    return;
  describe(talk->proxymap, &fault, text, sizeof text);
  for (size_t i = dialogue.done; i < n; i++)
    asking_failed(asking, talk->places[i], net_status(&fault), fault.sys_errno, "%s", text);
}

dictum_status proxymap_ask(const struct proxymap *proxymap, struct asking *asking) {
  size_t one, n = 0;
  size_t *places = asking->n == 1 ? &one : reallocarray(NULL, asking->n, sizeof *places);
  if (!places)
    return proxymap->host->fail(asking->err, DICTUM_NOMEM, ENOMEM, "out of memory");
  for (size_t i = 0; i < asking->n; i++) {
    if (has_nul(&asking->keys[i]))
      asking_absent(asking, i);
    else
      places[n++] = i;
  }
  struct talk talk = {.proxymap = proxymap,
                      .request = "lookup",
                      .keys = asking->keys,
                      .asking = asking,
                      .places = places};
  if (n > 0)
    run_lookup(&talk, n);
  if (places != &one)
    free(places);
  return asking_status(asking);
}

/* Puts one request that is no lookup. */
static dictum_status request(struct talk *talk, int64_t deadline_ns, bool once) {
  struct dialogue dialogue = {.pool = talk->proxymap->pool,
                              .dialect = &attributes,
                              .rock = talk,
                              .n = 1,
                              .depth = 1,
                              .once = once,
                              .deadline_ns = deadline_ns};
  struct fault fault;
  char text[400];
  if (dialogue_run(&dialogue, &fault))
    return talk->status;
  describe(talk->proxymap, &fault, text, sizeof text);
  return talk->proxymap->host->fail(talk->err, net_status(&fault), fault.sys_errno, "%s", text);
}

dictum_status proxymap_has(const struct proxymap *proxymap, int64_t deadline_ns,
                           const dictum_key *key, dictum_error *err) {
  struct talk talk = {.proxymap = proxymap, .request = "lookup", .keys = key, .err = err};
  return has_nul(key) ? DICTUM_NOTFOUND : request(&talk, deadline_ns, false);
}

dictum_status proxymap_update(const struct proxymap *proxymap, int64_t deadline_ns,
                              const dictum_rec *rec, dictum_error *err) {
  struct talk talk = {.proxymap = proxymap,
                      .request = "update",
                      .keys = &rec->key,
                      .value = &rec->value,
                      .err = err};
  if (has_nul(&rec->key) || has_nul(&rec->value))
    return proxymap->host->fail(err, DICTUM_INVALID, 0,
                                "a null byte cannot pass through the proxy service");
  return request(&talk, deadline_ns, false);
}

dictum_status proxymap_delete(const struct proxymap *proxymap, int64_t deadline_ns,
                              const dictum_key *key, dictum_error *err) {
  struct talk talk = {.proxymap = proxymap, .request = "delete", .keys = key, .err = err};
  return has_nul(key) ? DICTUM_NOTFOUND : request(&talk, deadline_ns, true);
}

/* ---- life ----------------------------------------------------------------------------------- */

void proxymap_close(struct proxymap *proxymap) {
  if (!proxymap)
    return;
  connpool_free(proxymap->pool);
  free(proxymap->service);
  free(proxymap->table);
  free(proxymap);
}

void proxymap_forget(struct proxymap *proxymap) {
  if (!proxymap)
    return;
  connpool_forget(proxymap->pool);
  proxymap->pool = NULL;
  proxymap_close(proxymap);
}

static unsigned server_flags(uint32_t flags) {
  unsigned all = flag_usual;
  if (flags & DICTUM_OPEN_UTF8)
    all |= flag_utf8;
  if (!(flags & DICTUM_OPEN_NOFOLD))
    all |= flag_fold;
  if (flags & DICTUM_OPEN_NUL)
    all |= flag_one_nul;
  if (flags & DICTUM_OPEN_NO_NUL)
    all |= flag_no_nul;
  return all;
}

static dictum_status make_pool(struct proxymap *proxymap, const dictum_cfg *cfg, const char *path,
                               dictum_error *err) {
  struct endpoint endpoint;
  switch (endpoint_unix(path, &endpoint)) {
  case ENDPOINT_DONE:
    return net_pool(proxymap->host, cfg, &endpoint, &proxymap->pool, err);
  case ENDPOINT_MALFORMED:
    return proxymap->host->fail(err, DICTUM_CONFIG, 0, "path of a socket is too long: %s", path);
  case ENDPOINT_NOMEM:
    break;
  }
  return proxymap->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

dictum_status proxymap_open(const dictum_host *host, const dictum_open_args *args, const char *path,
                            const char *service, struct proxymap **out, bool *is_pattern,
                            dictum_error *err) {
  struct proxymap *proxymap = calloc(1, sizeof *proxymap);
  if (!proxymap)
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  proxymap->host = host;
  proxymap->flags = server_flags(args->flags);
  proxymap->service = strdup(service);
  proxymap->table = strdup(args->name);
  dictum_status status = proxymap->service && proxymap->table
                             ? make_pool(proxymap, args->cfg, path, err)
                             : host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  struct talk talk = {.proxymap = proxymap, .request = "open", .err = err};
  if (status == DICTUM_OK)
    status = request(&talk, clock_now() + (int64_t)5 * 1000000000, false);
  if (status != DICTUM_OK) {
    proxymap_close(proxymap);
    return status;
  }
  *is_pattern = talk.flags & flag_pattern;
  *out = proxymap;
  return DICTUM_OK;
}
