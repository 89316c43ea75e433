/* SPDX-License-Identifier: BSD-2-Clause */
/* put.c - dictum put: add or change entries. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "keyreader.h"

enum { OPTION_DUPLICATES = OPTION_OWN };

static const struct option put_options[] = {
    {"duplicates", required_argument, NULL, OPTION_DUPLICATES}, {0}};

static int own_option(void *rock, int option, const char *arg) {
  struct changes *changes = rock;
  (void)option; /* there is just one */
  if (duplicates_parse(arg, &changes->duplicates))
    return EXIT_DONE;
  return app_usage(changes->app, "bad --duplicates \"%s\": give refuse, replace, ignore or error",
                   arg);
}

static void stop(struct changes *changes, int status) {
  changes->status = exit_worse(changes->status, status);
  changes->failed = true;
}

/* Standard input in the format of postmap(1). */
static void put_lines(struct changes *changes) {
  struct app *app = changes->app;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_source *source;
  uint32_t flags = app_utf8(app) ? DICTUM_SOURCE_UTF8 : 0;
  if (dictum_source_open(app->ctx, STDIN_FILENO, "stdin", flags, &source, &err) != DICTUM_OK) {
    stop(changes, app_fail(app, &err));
    return;
  }
  dictum_entry entry;
  dictum_status status;
  while ((status = dictum_source_next(source, &entry, &err)) == DICTUM_OK)
    if (!changes_add(changes, entry.key, entry.keylen, entry.value, entry.valuelen))
      break;
  if (status != DICTUM_OK && status != DICTUM_END) {
    app_fail(app, &err);
    stop(changes, status == DICTUM_CONFIG ? EX_IOERR : EX_SOFTWARE);
  }
  dictum_source_close(source);
}

/* Standard input as key NUL value NUL. */
static void put_records(struct changes *changes) {
  struct keyreader *reader = keyreader_open(STDIN_FILENO, '\0');
  if (!reader) {
    stop(changes, app_nomem(changes->app));
    return;
  }
  dictum_error err = DICTUM_ERROR_INIT;
  char *key = NULL; /* waits for its value; records live only until the next read */
  size_t keylen = 0;
  dictum_req record;
  size_t n = 1;
  while (!changes->failed) {
    dictum_status status = keyreader_next(reader, &record, 1, &n, &err);
    if (status != DICTUM_OK) {
      app_fail(changes->app, &err);
      stop(changes, status == DICTUM_CONFIG ? EX_IOERR : EX_SOFTWARE);
    }
    if (status != DICTUM_OK || n == 0)
      break;
    if (key) {
      changes_add(changes, key, keylen, record.key, record.keylen);
      free(key);
      key = NULL;
      continue;
    }
    keylen = record.keylen;
    key = malloc(keylen + 1);
    if (!key)
      stop(changes, app_nomem(changes->app));
    else if (keylen > 0)
      memcpy(key, record.key, keylen);
  }
  if (key && !changes->failed) {
    app_error(changes->app, DICTUM_INVALID, "stdin: the last key has no value");
    changes->status = exit_worse(changes->status, EX_DATAERR);
  }
  free(key);
  keyreader_close(reader);
}

static int put(struct app *app, int argc, char **argv) {
  struct changes changes = {.app = app, .kind = CHANGE_PUT, .duplicates = DICTUM_DUP_REPLACE};
  int status;
  if (!app_options(app, &argc, &argv, own_option, &changes, &status))
    return status;
  bool from_input = argc == 2 && strcmp(argv[1], "-") == 0;
  if (argc != 3 && !from_input)
    return app_usage(app, "expected TABLE KEY VALUE, or TABLE -");
  status = app_start(app);
  if (status == EXIT_DONE)
    status = app_open(app, argv[0], DICTUM_OPEN_WRITE | DICTUM_OPEN_CREATE, &changes.table);
  if (status != EXIT_DONE)
    return status;
  if (!from_input)
    changes_add(&changes, argv[1], strlen(argv[1]), argv[2], strlen(argv[2]));
  else if (app->zero)
    put_records(&changes);
  else
    put_lines(&changes);
  changes_apply(&changes);
  changes_free(&changes);
  dictum_close(changes.table);
  return changes.status;
}

const struct command put_command = {
    "put",
    "usage: dictum put [OPTION...] TABLE KEY VALUE\n"
    "       dictum put [OPTION...] TABLE -\n"
    "\n"
    "Adds entries to TABLE in place, or changes those that are there; makes the\n"
    "table if there is none. \"-\" reads entries from standard input, in the format\n"
    "of postmap(1), or with -0 as key NUL value NUL.\n"
    "\n"
    "Options:\n"
    "      --duplicates HOW  for a key that is there already: replace its value,\n"
    "                      refuse with a warning, ignore, or error [replace]\n"
    "\n"
    "Exit status: 0 done, 65 an entry that the table cannot hold, 75 try later,\n"
    "78 the table or its type cannot do that.\n",
    TAKES_TABLE | TAKES_JSON | TAKES_ZERO, put_options, put};
