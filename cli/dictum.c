/* SPDX-License-Identifier: BSD-2-Clause */
/* dictum.c - the program `dictum`: finds the command and runs it. */
#include "command.h"

#include <string.h>

#include "messages.h"

static const struct command *const commands[] = {
    &get_command,    &list_command,  &build_command, &put_command,         &del_command,
    &status_command, &flush_command, &types_command, &test_plugin_command, NULL};

static const struct command program = {
    "",
    "usage: dictum [OPTION...] COMMAND [OPTION...] [OPERAND...]\n"
    "\n"
    "Asks, lists, builds and changes lookup tables named TYPE:NAME.\n"
    "\n"
    "Commands:\n"
    "  get          look keys up\n"
    "  list         print all entries\n"
    "  build        make a table from a text file\n"
    "  put          add or change entries\n"
    "  del          remove entries\n"
    "  status       tell whether a table and its members are well\n"
    "  flush        make caches forget\n"
    "  types        tell which types of table there are\n"
    "  test-plugin  try out a plugin file\n"
    "\n"
    "\"dictum COMMAND --help\" tells more about one of them.\n"
    "\n"
    "Exit status: 0 done or found, 1 not found, 64 wrong usage, 65 bad data,\n"
    "70 out of memory, 74 cannot read or write, 75 try later, 78 configuration.\n",
    TAKES_TABLE | TAKES_VERSION, NULL, NULL};

static const struct command *find(const char *name) {
  for (const struct command *const *command = commands; *command; command++)
    if (strcmp((*command)->name, name) == 0)
      return *command;
  return NULL;
}

static int unknown(const struct app *app, const char *name) {
  const char *names[sizeof commands / sizeof commands[0]] = {NULL};
  for (size_t i = 0; commands[i]; i++)
    names[i] = commands[i]->name;
  const char *meant = suggest(name, names);
  if (meant)
    return app_usage(app, "unknown command \"%s\"; did you mean %s?", name, meant);
  return app_usage(app, "unknown command \"%s\"", name);
}

static int run(struct app *app, int argc, char **argv) {
  int status;
  if (!app_options(app, &argc, &argv, NULL, NULL, &status))
    return status;
  if (argc == 0)
    return app_usage(app, "which command?");
  /* "dictum help [COMMAND]" is "dictum [COMMAND] --help". */
  static char dashed[] = "--help";
  char *help[] = {argv[0], dashed, NULL};
  bool wants_help = strcmp(argv[0], "help") == 0;
  if (wants_help && argc == 1) {
    argc = 2;
    return app_options(app, &argc, &(char **){help}, NULL, NULL, &status) ? EXIT_DONE : status;
  }
  const struct command *command = find(argv[wants_help ? 1 : 0]);
  if (!command)
    return unknown(app, argv[wants_help ? 1 : 0]);
  app->command = command;
  return wants_help ? command->run(app, 2, help) : command->run(app, argc, argv);
}

int dictum_main(int argc, char **argv) {
  messages_program("dictum");
  struct app app = {.command = &program};
  output_init(&app.out);
  int status = run(&app, argc, argv);
  app_stop(&app);
  return exit_worse(status, output_finish(&app.out));
}
