/* SPDX-License-Identifier: BSD-2-Clause */
/* flush.c - dictum flush: forget what caches keep. */
#include <string.h>

#include "command.h"

struct flushing {
  struct app *app;
  bool all;
};

static int own_option(void *rock, int option, const char *arg) {
  struct flushing *flushing = rock;
  (void)option; /* there is just one */
  (void)arg;
  flushing->all = true;
  return EXIT_DONE;
}

static int flush_one(struct app *app, dictum_table *table, const char *key) {
  dictum_error err = DICTUM_ERROR_INIT;
  size_t len = key ? strlen(key) : 0;
  dictum_status status = dictum_flush(table, key, len, &err);
  if (status == DICTUM_OK) {
    output_status(&app->out, key, len, status);
    return EXIT_DONE;
  }
  output_error(&app->out, key, len, &err);
  return exit_of_key(status);
}

static int flush(struct app *app, int argc, char **argv) {
  struct flushing flushing = {.app = app};
  int status;
  if (!app_options(app, &argc, &argv, own_option, &flushing, &status))
    return status;
  if (argc == 0)
    return app_usage(app, "which table?");
  if (flushing.all == (argc > 1))
    return app_usage(app, flushing.all ? "--all takes no key" : "which key? or --all");
  if (argc > 1 && strcmp(argv[1], "--all") == 0) /* as a key it would be flushed, and all stay */
    return app_usage(app, "--all stands before the table");
  status = app_start(app);
  dictum_table *table = NULL;
  if (status == EXIT_DONE)
    status = app_open(app, argv[0], DICTUM_OPEN_DEGRADE, &table);
  if (status != EXIT_DONE)
    return status;
  if (flushing.all)
    status = flush_one(app, table, NULL);
  for (int i = 1; i < argc; i++)
    status = exit_worse(status, flush_one(app, table, argv[i]));
  dictum_close(table);
  return status;
}

const struct command flush_command = {
    "flush",
    "usage: dictum flush [OPTION...] TABLE KEY...\n"
    "       dictum flush [OPTION...] --all TABLE\n"
    "\n"
    "Makes the caches in TABLE forget a key, or all. Other processes that share a\n"
    "store with them follow within a second or so.\n"
    "\n"
    "Options:\n"
    "      --all           forget all keys\n"
    "\n"
    "Exit status: 0 done, 75 a store may still have it, 78 there is no cache in TABLE.\n",
    TAKES_TABLE | TAKES_JSON,
    (const struct option[]){{"all", no_argument, NULL, OPTION_OWN}, {NULL, 0, NULL, 0}}, flush};
