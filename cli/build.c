/* SPDX-License-Identifier: BSD-2-Clause */
/* build.c - dictum build: make a table from a text file. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "builder.h"
#include "changes.h"
#include "messages.h"
#include "progress.h"

enum { OPTION_ALIASES = OPTION_OWN, OPTION_DUPLICATES, OPTION_STRICT, OPTION_MODE, OPTION_MEMORY };

static const struct option build_options[] = {
    {"aliases", no_argument, NULL, OPTION_ALIASES},
    {"duplicates", required_argument, NULL, OPTION_DUPLICATES},
    {"strict", no_argument, NULL, OPTION_STRICT},
    {"mode", required_argument, NULL, OPTION_MODE},
    {"memory", required_argument, NULL, OPTION_MEMORY},
    {0}};

struct building {
  struct app *app;
  dictum_dup on_duplicate;
  bool aliases, strict;
  uint32_t mode; /* 0: as the source's */

  /* of the table at hand */
  const char *label; /* the source, as messages call it */
  struct progress progress;
  bool was_read; /* all of the source */
  uint64_t doubtful, read, stored;
};

/* ---- options ----------------------------------------------------------- */

static int set_mode(struct building *building, const char *arg) {
  char *end;
  unsigned long mode = strtoul(arg, &end, 8);
  if (!isdigit((unsigned char)arg[0]) || *end != '\0' || mode == 0 || mode > 0777)
    return app_usage(building->app, "bad --mode \"%s\": give octal digits, such as 0640", arg);
  building->mode = (uint32_t)mode;
  return EXIT_DONE;
}

static int set_memory(struct building *building, const char *arg) {
  if (settings_parse_size(arg, &building->app->build_memory))
    return EXIT_DONE;
  return app_usage(building->app, "bad --memory \"%s\": give bytes, or such as 64K, 256M, 2G", arg);
}

static int own_option(void *rock, int option, const char *arg) {
  struct building *building = rock;
  switch (option) {
  case OPTION_ALIASES:
    building->aliases = true;
    return EXIT_DONE;
  case OPTION_STRICT:
    building->strict = true;
    return EXIT_DONE;
  case OPTION_MODE:
    return set_mode(building, arg);
  case OPTION_MEMORY:
    return set_memory(building, arg);
  }
  if (duplicates_parse(arg, &building->on_duplicate))
    return EXIT_DONE;
  return app_usage(building->app, "bad --duplicates \"%s\": give refuse, replace, ignore or error",
                   arg);
}

/* ---- what the library and the builder tell ----------------------------- */

/* The library tells of a duplicate in the words of postmap(1), which name no line. */
static void tell_duplicate(const struct building *building, const dictum_event *event) {
  static const char phrase[] = "duplicate entry: ";
  const char *found = strstr(event->text, phrase);
  const char *level = building->on_duplicate == DICTUM_DUP_ERROR ? "error" : "warning";
  message(level, "%s, line %" PRIu64 ": duplicate of line %" PRIu64 ": %s", building->label,
          event->line, event->first_line, found ? found + strlen(phrase) : event->text);
}

static bool on_event(void *rock, const dictum_event *event) {
  struct building *building = rock;
  progress_clear(&building->progress);
  if (event->code == DICTUM_CODE_SOURCE_LINE)
    building->doubtful++;
  if (event->code != DICTUM_CODE_DUPLICATE)
    return false;
  tell_duplicate(building, event);
  return true;
}

static void on_warning(void *rock, const char *text) {
  struct building *building = rock;
  progress_clear(&building->progress);
  message("warning", "%s", text);
}

static void on_read(void *rock, uint64_t done, uint64_t total) {
  struct building *building = rock;
  progress_show(&building->progress, "read", done, total, "bytes");
}

static void on_stored(void *rock, uint64_t done, uint64_t total) {
  struct building *building = rock;
  building->stored = total;
  progress_show(&building->progress, "stored", done, total, "entries");
}

static dictum_status check_strictly(const struct building *building, dictum_error *err) {
  if (!building->strict || building->doubtful == 0)
    return DICTUM_OK;
  *err = (dictum_error)DICTUM_ERROR_INIT;
  err->status = DICTUM_INVALID;
  err->code = DICTUM_CODE_SOURCE_LINE;
  snprintf(err->what, sizeof err->what, "%s: %" PRIu64 " doubtful line%s: nothing is changed",
           building->label, building->doubtful, building->doubtful == 1 ? "" : "s");
  return DICTUM_INVALID;
}

/* Between the last entry and the commit. */
static dictum_status finish_source(void *rock, dictum_txn *txn, dictum_error *err) {
  struct building *building = rock;
  building->was_read = true;
  dictum_status status = check_strictly(building, err);
  if (status != DICTUM_OK || !building->aliases)
    return status;
  /* As postalias(1) does. */
  static const dictum_entry end_mark = {"@", 1, "@", 1, 0};
  building->read++;
  return dictum_txn_put(txn, &end_mark, DICTUM_DUP_REPLACE, err);
}

/* ---- one table --------------------------------------------------------- */

static void add_file(struct building *building, const char *spec, json_t *object) {
  dictum_table *table;
  if (dictum_open(building->app->ctx, spec, 0, &table, NULL) != DICTUM_OK)
    return;
  dictum_table_info info = {.size = sizeof info};
  dictum_table_describe(table, &info);
  if (info.file)
    output_add_bytes(object, "file", info.file, strlen(info.file));
  dictum_close(table);
}

static void summarise(struct building *building, const char *spec) {
  struct app *app = building->app;
  uint64_t duplicates = building->read - building->stored;
  if (app->verbose > 0)
    message(NULL, "%s: %" PRIu64 " entries, %" PRIu64 " duplicates, %" PRIu64 " doubtful lines",
            spec, building->stored, duplicates, building->doubtful);
  if (app->out.format != OUTPUT_JSON)
    return;
  json_t *object = json_object();
  output_add_bytes(object, "table", spec, strlen(spec));
  json_object_set_new(object, "status", json_string("ok"));
  json_object_set_new(object, "entries", json_integer((json_int_t)building->stored));
  json_object_set_new(object, "duplicates", json_integer((json_int_t)duplicates));
  json_object_set_new(object, "skipped", json_integer((json_int_t)building->doubtful));
  add_file(building, spec, object);
  output_json(&app->out, object);
}

static int fail(struct building *building, const dictum_error *err) {
  struct app *app = building->app;
  if (err->line > 0 && app->out.format != OUTPUT_JSON) {
    message(NULL, "%s, line %" PRIu64 ": %s", building->label, err->line, err->what);
    return exit_of_key(err->status);
  }
  int status = app_fail(app, err);
  /* What is not acceptable before there was any entry is the table's name. */
  bool of_data = building->was_read || err->line > 0;
  return err->status == DICTUM_INVALID && !of_data ? EX_CONFIG : status;
}

/* @p source is a path; NULL: standard input. */
static int build_table(struct building *building, const char *spec, const char *source) {
  struct app *app = building->app;
  bool utf8 = app_utf8(app);
  building->label = source ? source : "stdin";
  building->was_read = false;
  building->doubtful = building->read = building->stored = 0;
  const struct build build = {
      .ctx = app->ctx,
      .spec = spec,
      .source = source,
      .mode = DICTUM_TXN_REPLACE_ALL,
      .dup = building->on_duplicate,
      .source_flags = (building->aliases ? DICTUM_SOURCE_ALIASES : 0) |
                      (utf8 ? DICTUM_SOURCE_UTF8 : 0),
      .open_flags = app_open_flags(app),
      .file_mode = building->mode,
      .extra = finish_source,
      .warning = on_warning,
      .progress = on_read,
      .rock = building,
  };
  dictum_error err = DICTUM_ERROR_INIT;
  progress_start(&building->progress, spec);
  struct build_result result;
  dictum_status status = build_run(&build, &result, &err);
  progress_clear(&building->progress);
  if (status != DICTUM_OK)
    return fail(building, &err);
  building->read += result.entries;
  summarise(building, spec);
  return EXIT_DONE;
}

static int build_operand(struct building *building, const char *operand, const char *source) {
  char *spec = app_spec(building->app, operand);
  if (!spec)
    return app_nomem(building->app);
  if (!source)
    source = strchr(spec, ':') + 1; /* NAME is its source */
  int status = *source == '\0'
                   ? app_error(building->app, DICTUM_CONFIG, "which source for %s?", spec)
                   : build_table(building, spec, strcmp(source, "-") == 0 ? NULL : source);
  free(spec);
  return status;
}

/* ---- the command ------------------------------------------------------- */

static bool has_type(const char *operand) {
  size_t len = strspn(operand, "abcdefghijklmnopqrstuvwxyz0123456789_");
  return len > 0 && operand[len] == ':';
}

static int build(struct app *app, int argc, char **argv) {
  struct building building = {.app = app};
  int status;
  if (!app_options(app, &argc, &argv, own_option, &building, &status))
    return status;
  if (argc == 0)
    return app_usage(app, "which table?");
  const char *source = argc == 2 && !has_type(argv[1]) ? argv[1] : NULL;
  for (int i = 1; i < argc && !source; i++)
    if (!has_type(argv[i]))
      return app_usage(app, "expected TYPE:NAME instead of \"%s\"", argv[i]);
  app->event = on_event;
  app->progress = on_stored;
  app->rock = &building;
  status = app_start(app);
  if (status != EXIT_DONE)
    return status;
  for (int i = 0; i < (source ? 1 : argc); i++)
    status = exit_worse(status, build_operand(&building, argv[i], source));
  return status;
}

const struct command build_command = {
    "build",
    "usage: dictum build [OPTION...] TABLE [SOURCE]\n"
    "       dictum build [OPTION...] TABLE TYPE:NAME...\n"
    "\n"
    "Makes TABLE, TYPE:NAME, from the text file NAME or SOURCE, in the format of\n"
    "postmap(1); \"-\" is standard input. Readers see the old table until the new one\n"
    "is complete; after any failure they keep it.\n"
    "\n"
    "Options:\n"
    "      --aliases       the text is in the format of aliases(5)\n"
    "      --duplicates HOW  of equal keys keep the first and warn (refuse), keep the\n"
    "                      last (replace), keep the first (ignore), or fail (error)\n"
    "                      [refuse]\n"
    "      --strict        fail when any line is doubtful\n"
    "      --mode MODE     permission bits of a new file [from the source's]\n"
    "      --memory SIZE   work in this much memory, and for the rest in temporary files\n"
    "                      beside the table [256M]\n"
    "\n"
    "Exit status: 0 done, 65 duplicates or doubtful lines that were to be errors, or\n"
    "an entry that the table cannot hold, 75 try later, 78 a file, folder or type\n"
    "cannot be used.\n",
    TAKES_TABLE | TAKES_JSON, build_options, build};
