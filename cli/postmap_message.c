/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postmap_message.c - the headers and lines of the message on standard input
 * as keys, with -h and -b: what a message would meet in header_checks(5).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyreader.h"
#include "messages.h"
#include "mime.h"
#include "postmap.h"

/* One message, and the tables that it is shown to. */
struct reading {
  struct postmap *run;
  dictum_table **tables; /* NULL until it is first needed */
  dictum_buf value;
  bool found, failed;
};

static dictum_status fail(struct reading *reading) {
  reading->failed = true;
  return DICTUM_CONFIG;
}

/* @return NOTFOUND also for a key that no table can have. */
static dictum_status ask_table(struct reading *reading, dictum_table *table, const char *key,
                               size_t len) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_lookup(table, key, len, &reading->value, NULL, &err);
  switch (status) {
  case DICTUM_OK:
    postmap_check_value(table, key, len, reading->value.len);
    postmap_print(reading->run, key, len, reading->value.data, reading->value.len);
    reading->found = true;
    return DICTUM_OK;
  case DICTUM_NOTFOUND:
    return DICTUM_NOTFOUND;
  case DICTUM_INVALID:
    postmap_warn_key(table, &err);
    return DICTUM_NOTFOUND;
  default:
    postmap_failed(reading->run, table, "query", &err);
    return fail(reading);
  }
}

/* The first table that has the key answers; later ones are not even opened. */
static dictum_status ask(void *rock, const char *key, size_t len) {
  struct reading *reading = rock;
  for (size_t i = 0; reading->run->operands[i]; i++) {
    dictum_table **table = &reading->tables[i];
    if (!*table && !(*table = postmap_open(reading->run, reading->run->operands[i], 0)))
      return fail(reading);
    dictum_status status = ask_table(reading, *table, key, len);
    if (status != DICTUM_NOTFOUND)
      return status;
  }
  return DICTUM_OK;
}

static size_t limit(const struct postmap *run, const char *name) {
  return strtoul(settings_get(run->settings, name), NULL, 10);
}

static struct mime *open_message(struct reading *reading) {
  const struct postmap *run = reading->run;
  const struct mime_options options = {
      .parts = run->mime,
      .header_size = limit(run, "header_size_limit"),
      .boundary_size = limit(run, "mime_boundary_length_limit"),
      .nesting = limit(run, "mime_nesting_limit"),
  };
  const struct mime_sink sink = {run->header ? ask : NULL, run->body ? ask : NULL, reading};
  return mime_new(&options, &sink);
}

/* Without -b and -m, nothing that follows the headers matters. */
static bool is_enough(const struct reading *reading, const struct mime *mime) {
  const struct postmap *run = reading->run;
  return !run->body && !run->mime && !mime_in_primary_headers(mime);
}

static dictum_status read_message(struct reading *reading, struct keyreader *lines,
                                  struct mime *mime) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_req line;
  size_t n;
  while (!is_enough(reading, mime)) {
    dictum_status status = keyreader_next(lines, &line, 1, &n, &err);
    if (status != DICTUM_OK) {
      message("fatal", "%s", err.what);
      return fail(reading);
    }
    status = n > 0 ? mime_line(mime, line.key, line.keylen) : mime_end(mime);
    if (status != DICTUM_OK || n == 0)
      return status;
  }
  return DICTUM_OK;
}

static dictum_status ask_message(struct reading *reading) {
  struct mime *mime = open_message(reading);
  struct keyreader *lines = keyreader_open(STDIN_FILENO, '\n');
  dictum_status status = mime && lines ? read_message(reading, lines, mime) : DICTUM_NOMEM;
  keyreader_close(lines);
  mime_free(mime);
  return status;
}

int postmap_query_message(struct postmap *run) {
  struct reading reading = {.run = run};
  size_t n = 0;
  while (run->operands[n])
    n++;
  reading.tables = calloc(n, sizeof *reading.tables);
  dictum_status status = reading.tables ? ask_message(&reading) : DICTUM_NOMEM;
  if (status != DICTUM_OK && !reading.failed)
    message("fatal", "out of memory");
  for (size_t i = 0; i < n && reading.tables; i++)
    dictum_close(reading.tables[i]);
  free(reading.tables);
  dictum_buf_free(&reading.value);
  return status == DICTUM_OK && reading.found ? 0 : 1;
}
