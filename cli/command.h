/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.h - what the commands of dictum(1) share: the options that every
 * command takes, the context and tables that those options ask for, and the
 * exit status.
 */
#ifndef DICTUM_CLI_COMMAND_H
#define DICTUM_CLI_COMMAND_H

#include <dictum.h>
#include <getopt.h>
#include <stdbool.h>
#include <sysexits.h>

#include "output.h"
#include "settings.h"

/** Exit status, besides those of <sysexits.h>. */
enum { EXIT_DONE = 0, EXIT_ABSENT = 1 };

struct app;

/** A command: `dictum NAME`. */
struct command {
  const char *name;             /**< "" for the program itself */
  const char *help;             /**< usage lines, then what it does and its own options */
  unsigned takes;               /**< TAKES_*: groups of shared options */
  const struct option *options; /**< its own long options, to a zero entry; NULL: none */
  /** Called with what follows the command's name. @return the exit status. */
  int (*run)(struct app *app, int argc, char **argv);
};
#define TAKES_TABLE 0x1u   /**< --timeout, --degrade, --fold, --nul, --utf8 and their opposites */
#define TAKES_JSON 0x2u    /**< --json */
#define TAKES_ZERO 0x4u    /**< -0, --null */
#define TAKES_VERSION 0x8u /**< --version: only the program itself */

extern const struct command get_command, build_command, put_command, del_command, list_command,
    status_command, flush_command, types_command, test_plugin_command;

/** The program `dictum`. @return the exit status. */
int dictum_main(int argc, char **argv);

/** Values of a command's own options start here. */
enum { OPTION_OWN = 1024 };

/** One run of the program. */
struct app {
  const struct command *command;
  const char *config_dir;
  uint32_t timeout_ms;
  uint64_t build_memory; /**< 0: as the environment or the library says */
  uint32_t open_flags;   /**< DICTUM_OPEN_* that the command line asks for */
  enum { UTF8_BY_SETTINGS, UTF8_ON, UTF8_OFF } utf8;
  int verbose;
  bool zero; /**< records of standard input end in NUL bytes */
  struct output out;
  /** Hears events before they are printed, and answers true to keep one to itself. */
  bool (*event)(void *rock, const dictum_event *event);
  void (*progress)(void *rock, uint64_t done, uint64_t total);
  void *rock; /**< for both */
  struct settings *settings;
  dictum_ctx *ctx;
};

/** Parses the options of the running command and leaves only operands in @p argv. @p own is
 * called for each of the command's own options and answers EXIT_DONE or EX_USAGE; may be NULL.
 * @return true to go on; false when all is said, with the exit status. */
bool app_options(struct app *app, int *argc, char ***argv,
                 int (*own)(void *rock, int option, const char *arg), void *rock, int *status);
/** Says what is wrong with the command line. @return EX_USAGE. */
int app_usage(const struct app *app, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Reads settings and makes the context. @return EXIT_DONE, or the status of a told failure. */
int app_start(struct app *app);
/** Releases what app_start() made. */
void app_stop(struct app *app);
/** True when keys and values must be UTF-8. After app_start(). */
bool app_utf8(const struct app *app);
/** The flags of each table that this run opens. After app_start(). */
uint32_t app_open_flags(const struct app *app);
/** Makes "type:name" of an operand without a colon. @return NULL when memory is out; else to be
 * released with free(). */
char *app_spec(struct app *app, const char *operand);
/** Opens the table that an operand names, with @p flags besides the usual ones.
 * @return EXIT_DONE, or the status of a told failure. */
int app_open(struct app *app, const char *operand, uint32_t flags, dictum_table **out);

/** Tells a failure that is not about one key. @return its exit status. */
int app_fail(struct app *app, const dictum_error *err);
/** The same for a failure that the library has no part in. */
int app_error(struct app *app, dictum_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** Tells that memory is out. @return EX_SOFTWARE. */
int app_nomem(struct app *app);

/** The exit status that goes with the answer for one key. */
int exit_of_key(dictum_status status);
/** The exit status of two things done, which is that of the more serious one. */
int exit_worse(int a, int b);

/** Returns the one of @p names (ended by NULL) that @p word may have been meant to be, or NULL. */
const char *suggest(const char *word, const char *const *names);

#endif
