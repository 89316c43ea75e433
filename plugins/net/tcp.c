/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcp.c - the type tcp: "host:port", where a server answers lines as in tcp_table(5).
 *
 * A question is the line "get KEY", an answer a line of three digits, a blank and
 * a text: 2xx found, 5xx absent, 4xx RETRY. In key and text a byte may stand as
 * "%XX". How many questions are under way at once is as with socketmap.c.
 */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The line end counts. */
enum { longest_reply = 4096 };

struct tcp {
  const dictum_host *host;
  dictum_slot *slot;
  struct connpool *pool;
  size_t depth;
};

struct talk {
  const struct tcp *table;
  struct asking *asking;
  struct text value; /* the one being decoded */
};

/* ---- the protocol --------------------------------------------------------------------------- */

static bool put(void *rock, size_t i, struct text *out) {
  static const char digits[] = "0123456789ABCDEF";
  const struct talk *talk = rock;
  const dictum_key *key = &talk->asking->keys[i];
  size_t most;
  if (__builtin_mul_overflow(key->n, 3, &most) || !text_append(out, "get ", 4) ||
      !text_reserve(out, most))
    return false;
  for (size_t j = 0; j < key->n; j++) {
    unsigned char c = (unsigned char)key->p[j];
    if (c > ' ' && c < 0x7f && c != '%') {
      out->data[out->len++] = (char)c;
      continue;
    }
    out->data[out->len++] = '%';
    out->data[out->len++] = digits[c >> 4];
    out->data[out->len++] = digits[c & 15];
  }
  return text_append(out, "\n", 1);
}

static enum frame find_line(void *rock, const char *data, size_t len, size_t *size,
                            const char **why) {
  (void)rock;
  const char *end = memchr(data, '\n', len < longest_reply ? len : longest_reply);
  if (end) {
    *size = (size_t)(end - data) + 1;
    return FRAME_WHOLE;
  }
  *why = "text longer than 4096";
  return len < longest_reply ? FRAME_PART : FRAME_BAD;
}

static int hex(char c) {
  static const char digits[] = "0123456789abcdef";
  const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
  return at ? (int)(at - digits) : -1;
}

enum decoded { DECODED, MALFORMED, NO_MEMORY };

static enum decoded decode(const char *text, size_t len, struct text *out) {
  text_clear(out);
  if (!text_reserve(out, len))
    return NO_MEMORY;
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    if (c == '%') {
      int high = len - i > 2 ? hex(text[i + 1]) : -1, low = high < 0 ? -1 : hex(text[i + 2]);
      if (low < 0)
        return MALFORMED;
      c = (char)(high << 4 | low);
      i += 2;
    }
    out->data[out->len++] = c;
  }
  return DECODED;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool has_status(const char *line, size_t len) {
  return len >= 4 && is_digit(line[0]) && is_digit(line[1]) && is_digit(line[2]) &&
         (line[3] == ' ' || (line[3] >= '\t' && line[3] <= '\r'));
}

static bool fail(struct talk *talk, size_t i, const char *what, const char *line, size_t len) {
  asking_failed(talk->asking, i, DICTUM_RETRY, 0, "read TCP map reply from %s: %s%s%.*s",
                connpool_label(talk->table->pool), what, *what ? ": " : "",
                (int)(len < 100 ? len : 100), line);
  return false;
}

static bool take(void *rock, size_t i, const char *line, size_t size) {
  struct talk *talk = rock;
  const size_t len = size - 1;
  enum decoded decoded = MALFORMED;
  if (has_status(line, len))
    decoded = decode(line + 4, len - 4, &talk->value);
  if (decoded == NO_MEMORY) {
    asking_failed(talk->asking, i, DICTUM_NOMEM, ENOMEM, "out of memory");
    return true;
  }
  if (decoded == MALFORMED)
    return fail(talk, i, "malformed reply", line, len);
  switch (line[0]) {
  case '2':
    asking_found(talk->asking, i, talk->value.data, talk->value.len);
    return true;
  case '5':
    asking_absent(talk->asking, i);
    return true;
  case '4': /* Postfix leaves the server then, and so do we: another process may be in order. */
    return fail(talk, i, "", line, len);
  default:
    return fail(talk, i, "bad status code", line, len);
  }
}

/* As Postfix's warning, where it reads the end of the connection in place of an answer. */
static void describe(const struct tcp *table, const struct fault *fault, char *out, size_t size) {
  const bool ended = fault->kind == FAULT_LOST && fault->sys_errno == 0;
  snprintf(out, size, "%s %s: %s",
           fault->kind == FAULT_CONNECT ? "connect to TCP map" : "read TCP map reply from",
           connpool_label(table->pool), ended ? "unexpected EOF" : fault->text);
}

static void tell_lost(void *rock, const struct fault *fault) {
  const struct talk *talk = rock;
  char text[400];
  describe(talk->table, fault, text, sizeof text);
  talk->table->host->log(talk->table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE, "%s", text);
}

static const struct dialect lines = {
    .ask = put, .frame = find_line, .answer = take, .lost = tell_lost};

/* ---- lookup --------------------------------------------------------------------------------- */

static dictum_status ask(const struct tcp *table, struct asking *asking) {
  struct talk talk = {.table = table, .asking = asking};
  struct dialogue dialogue = {.pool = table->pool,
                              .dialect = &lines,
                              .rock = &talk,
                              .n = asking->n,
                              .depth = table->depth,
                              .deadline_ns = asking->call->deadline_ns};
  struct fault fault;
  if (!dialogue_run(&dialogue, &fault)) {
    char text[400];
    describe(table, &fault, text, sizeof text);
    for (size_t i = dialogue.done; i < asking->n; i++)
      asking_failed(asking, i, net_status(&fault), fault.sys_errno, "%s", text);
  }
  text_free(&talk.value);
  return asking_status(asking);
}

dictum_status tcp_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                         dictum_sink *sink, dictum_error *err) {
  const struct tcp *table = self;
  const dictum_key wanted = {key, len};
  struct asking asking = asking_one(table->host, call, &wanted, sink, err);
  return ask(table, &asking);
}

dictum_status tcp_lookup_many(void *self, const dictum_call *call, const dictum_key *keys, size_t n,
                              dictum_sink *sink, dictum_error *err) {
  const struct tcp *table = self;
  struct asking asking = asking_many(table->host, call, keys, n, sink, err);
  return ask(table, &asking);
}

/* ---- life ----------------------------------------------------------------------------------- */

void tcp_close(void *self) {
  struct tcp *table = self;
  connpool_free(table->pool);
  free(table);
}

void tcp_forget(void *self) {
  struct tcp *table = self;
  connpool_forget(table->pool);
  free(table);
}

dictum_status tcp_open(const dictum_host *host, const dictum_open_args *args, void **self,
                       dictum_error *err) {
  struct endpoint endpoint;
  enum endpoint_answer answer = endpoint_inet(args->name, NULL, &endpoint);
  if (answer == ENDPOINT_MALFORMED)
    return host->fail(err, DICTUM_CONFIG, 0, "tcp: expecting host:port instead of \"%s\"",
                      args->name);
  struct tcp *table = answer == ENDPOINT_DONE ? calloc(1, sizeof *table) : NULL;
  if (!table) {
    endpoint_free(&endpoint);
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  }
  table->host = host;
  table->slot = args->slot;
  table->depth = (size_t)host->opt_int(args->cfg, "tcp_pipeline");
  dictum_status status = net_pool(host, args->cfg, &endpoint, &table->pool, err);
  if (status != DICTUM_OK) {
    tcp_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}
