/* SPDX-License-Identifier: BSD-2-Clause */
/* list.c - dictum list: all entries of a table. */
#include "command.h"

static dictum_status print_entries(struct app *app, dictum_iter *iter, dictum_error *err) {
  dictum_entry entry;
  dictum_status status;
  while ((status = dictum_iter_next(iter, &entry, err)) == DICTUM_OK && output_ok(&app->out))
    output_found(&app->out, entry.key, entry.keylen, entry.value, entry.valuelen, 0);
  return status;
}

static int list(struct app *app, int argc, char **argv) {
  int status;
  if (!app_options(app, &argc, &argv, NULL, NULL, &status))
    return status;
  if (argc != 1)
    return app_usage(app, argc == 0 ? "which table?" : "one table at a time");
  status = app_start(app);
  dictum_table *table = NULL;
  if (status == EXIT_DONE)
    status = app_open(app, argv[0], 0, &table);
  if (status != EXIT_DONE)
    return status;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_iter *iter;
  dictum_status answer = dictum_iter_open(table, &iter, &err);
  if (answer == DICTUM_OK)
    answer = print_entries(app, iter, &err);
  if (answer != DICTUM_OK && answer != DICTUM_END)
    status = app_fail(app, &err);
  dictum_iter_close(iter);
  dictum_close(table);
  return status;
}

const struct command list_command = {
    "list",
    "usage: dictum list [OPTION...] TABLE\n"
    "\n"
    "Prints KEY<TAB>VALUE for every entry of TABLE, in the table's own order.\n"
    "\n"
    "Exit status: 0 done, 75 try later, 78 the table or its type cannot do that.\n",
    TAKES_TABLE | TAKES_JSON | TAKES_ZERO, NULL, list};
