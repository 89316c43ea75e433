/* SPDX-License-Identifier: BSD-2-Clause */
/* del.c - dictum del: remove entries. */
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "keyreader.h"

enum { batch_size = 256 };

/* Applies what has arrived before it waits for more. */
static void del_input(struct changes *changes) {
  struct app *app = changes->app;
  struct keyreader *reader = keyreader_open(STDIN_FILENO, app->zero ? '\0' : '\n');
  if (!reader) {
    changes->status = app_nomem(app);
    return;
  }
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_req reqs[batch_size];
  size_t n = 0;
  do {
    if (!keyreader_ready(reader)) {
      changes_apply(changes);
      output_flush(&app->out);
    }
    dictum_status status = keyreader_next(reader, reqs, batch_size, &n, &err);
    if (status != DICTUM_OK) {
      app_fail(app, &err);
      changes->status = exit_worse(changes->status,
                                   status == DICTUM_CONFIG ? EX_IOERR : EX_SOFTWARE);
      break;
    }
    for (size_t i = 0; i < n && !changes->failed; i++)
      changes_add(changes, reqs[i].key, reqs[i].keylen, NULL, 0);
  } while (n > 0 && !changes->failed && output_ok(&app->out));
  keyreader_close(reader);
}

static int del(struct app *app, int argc, char **argv) {
  struct changes changes = {.app = app, .kind = CHANGE_DEL};
  int status;
  if (!app_options(app, &argc, &argv, NULL, NULL, &status))
    return status;
  if (argc < 2)
    return app_usage(app, argc == 0 ? "which table?" : "which key?");
  status = app_start(app);
  if (status == EXIT_DONE)
    status = app_open(app, argv[0], DICTUM_OPEN_WRITE, &changes.table);
  if (status != EXIT_DONE)
    return status;
  if (argc == 2 && strcmp(argv[1], "-") == 0)
    del_input(&changes);
  else
    for (int i = 1; i < argc && !changes.failed; i++)
      changes_add(&changes, argv[i], strlen(argv[i]), NULL, 0);
  changes_apply(&changes);
  changes_free(&changes);
  dictum_close(changes.table);
  return changes.status;
}

const struct command del_command = {
    "del",
    "usage: dictum del [OPTION...] TABLE KEY...\n"
    "       dictum del [OPTION...] TABLE -\n"
    "\n"
    "Removes entries from TABLE in place. \"-\" reads keys from standard input.\n"
    "\n"
    "Exit status: 0 all removed, 1 some were not there, 65 a key that is not UTF-8,\n"
    "75 try later, 78 the table or its type cannot do that.\n",
    TAKES_TABLE | TAKES_JSON | TAKES_ZERO, NULL, del};
