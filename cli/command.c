/* SPDX-License-Identifier: BSD-2-Clause */
/* command.c - what the commands of dictum(1) share. */
#include "command.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"

enum {
  OPTION_FLAG = 256,
  OPTION_TIMEOUT,
  OPTION_UTF8,
  OPTION_NO_UTF8,
  OPTION_JSON,
  OPTION_VERSION
};

/* group 0: every command takes it. set, unset: what it does to app.open_flags. */
static const struct shared_option {
  struct option option;
  unsigned group;
  uint32_t set, unset;
} shared_options[] = {
    {{"config", required_argument, NULL, 'c'}, 0, 0, 0},
    {{"help", no_argument, NULL, 'h'}, 0, 0, 0},
    {{"verbose", no_argument, NULL, 'v'}, 0, 0, 0},
    {{"timeout", required_argument, NULL, OPTION_TIMEOUT}, TAKES_TABLE, 0, 0},
    {{"degrade", no_argument, NULL, OPTION_FLAG}, TAKES_TABLE, DICTUM_OPEN_DEGRADE, 0},
    {{"fold", no_argument, NULL, OPTION_FLAG}, TAKES_TABLE, 0, DICTUM_OPEN_NOFOLD},
    {{"no-fold", no_argument, NULL, OPTION_FLAG}, TAKES_TABLE, DICTUM_OPEN_NOFOLD, 0},
    {{"nul", no_argument, NULL, OPTION_FLAG}, TAKES_TABLE, DICTUM_OPEN_NUL, DICTUM_OPEN_NO_NUL},
    {{"no-nul", no_argument, NULL, OPTION_FLAG}, TAKES_TABLE, DICTUM_OPEN_NO_NUL, DICTUM_OPEN_NUL},
    {{"utf8", no_argument, NULL, OPTION_UTF8}, TAKES_TABLE, 0, 0},
    {{"no-utf8", no_argument, NULL, OPTION_NO_UTF8}, TAKES_TABLE, 0, 0},
    {{"json", no_argument, NULL, OPTION_JSON}, TAKES_JSON, 0, 0},
    {{"null", no_argument, NULL, '0'}, TAKES_ZERO, 0, 0},
    {{"version", no_argument, NULL, OPTION_VERSION}, TAKES_VERSION, 0, 0},
};
enum { shared_count = sizeof shared_options / sizeof shared_options[0], own_count_max = 16 };

/* The command's own options, then the shared ones that it takes. @p which tells of each of @p all
 * which shared option it is. */
static void collect_options(const struct command *command, struct option *all,
                            const struct shared_option **which) {
  const struct option *own = command->options;
  size_t n = 0;
  for (; own && own->name && n < own_count_max; own++) {
    which[n] = NULL;
    all[n++] = *own;
  }
  for (size_t i = 0; i < shared_count; i++)
    if (shared_options[i].group == 0 || (shared_options[i].group & command->takes)) {
      which[n] = &shared_options[i];
      all[n++] = shared_options[i].option;
    }
  all[n] = (struct option){0};
}

int app_usage(const struct app *app, const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  const char *name = app->command->name;
  if (*name)
    message(NULL, "%s: %s (try \"dictum %s --help\")", name, text, name);
  else
    message(NULL, "%s (try \"dictum --help\")", text);
  return EX_USAGE;
}

/* ---- values of options ------------------------------------------------- */

/* "500ms", "5s", "2m", "1h", bare seconds, or "none". False for anything else. */
static bool parse_duration(const char *text, uint32_t *ms) {
  static const struct {
    const char *name;
    uint32_t ms;
  } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  if (strcmp(text, "none") == 0) {
    *ms = DICTUM_NO_TIMEOUT;
    return true;
  }
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 9)
    return false;
  unsigned long number = strtoul(text, NULL, 10);
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (strcmp(text + digits, units[i].name) == 0)
      /* 0 would mean the default, and the largest number none. */
      return number > 0 && !__builtin_mul_overflow(number, units[i].ms, ms) &&
             *ms != DICTUM_NO_TIMEOUT;
  return false;
}

static int say_unknown(const struct app *app, const struct option *all, const char *arg) {
  const char *names[shared_count + own_count_max + 1];
  size_t n = 0;
  for (; all[n].name; n++)
    names[n] = all[n].name;
  names[n] = NULL;
  const char *meant = suggest(arg + strspn(arg, "-"), names);
  if (meant)
    return app_usage(app, "unknown option %s; did you mean --%s?", arg, meant);
  return app_usage(app, "unknown option %s", arg);
}

/* @p arg is the word at fault, but not for a letter: that may be one of several in a word. */
static int say_wrong(const struct app *app, const struct option *all, int opt, const char *arg) {
  if (opt == ':')
    return app_usage(app, "option %s needs a value", arg);
  if (optopt == 0)
    return say_unknown(app, all, arg);
  for (; all->name; all++)
    if (all->val == optopt)
      return app_usage(app, "option --%s takes no value", all->name);
  return app_usage(app, "unknown option -%c", optopt);
}

static void print_help(const struct command *command) {
  printf("%s\n"
         "Shared options:\n"
         "  -c, --config DIR    folder of main.cf [$MAIL_CONFIG, else Postfix's own]\n"
         "  -v, --verbose       say more\n"
         "  -h, --help          this text\n",
         command->help);
  if (command->takes & TAKES_VERSION)
    puts("      --version       the version");
  if (command->takes & TAKES_JSON)
    puts("      --json          one JSON object a line for every outcome");
  if (command->takes & TAKES_ZERO)
    puts("  -0, --null          NUL bytes instead of tabs and newlines");
  if (command->takes & TAKES_TABLE)
    puts("      --timeout TIME  limit of one call: 500ms, 5s, 2m, none [5s]\n"
         "      --degrade       a table that cannot be opened yet answers \"try later\"\n"
         "      --fold, --no-fold\n"
         "                      keys lose, keep their case [--fold]\n"
         "      --nul, --no-nul records in files end, do not end in a NUL byte [either]\n"
         "      --utf8, --no-utf8\n"
         "                      keys and values must, need not be UTF-8 [as main.cf says]");
}

/* @return false when the program is over, with its status. */
static bool take_shared(struct app *app, const struct shared_option *shared, int *status) {
  app->open_flags = (app->open_flags | shared->set) & ~shared->unset;
  switch (shared->option.val) {
  case 'c':
    app->config_dir = optarg;
    return true;
  case 'v':
    app->verbose++;
    return true;
  case '0':
    app->zero = true;
    if (app->out.format != OUTPUT_JSON)
      app->out.format = OUTPUT_NUL;
    return true;
  case OPTION_JSON:
    app->out.format = OUTPUT_JSON;
    return true;
  case OPTION_UTF8:
    app->utf8 = UTF8_ON;
    return true;
  case OPTION_NO_UTF8:
    app->utf8 = UTF8_OFF;
    return true;
  case OPTION_TIMEOUT:
    if (parse_duration(optarg, &app->timeout_ms))
      return true;
    *status = app_usage(app, "bad duration \"%s\": give 500ms, 5s, 2m or none", optarg);
    return false;
  case OPTION_VERSION:
    printf("dictum %s\n", dictum_version());
    *status = EXIT_DONE;
    return false;
  case 'h':
    print_help(app->command);
    *status = EXIT_DONE;
    return false;
  }
  return true;
}

static const struct shared_option *find_letter(int letter) {
  for (size_t i = 0; i < shared_count; i++)
    if (shared_options[i].option.val == letter)
      return &shared_options[i];
  return NULL;
}

bool app_options(struct app *app, int *argc, char ***argv,
                 int (*own)(void *rock, int option, const char *arg), void *rock, int *status) {
  struct option all[shared_count + own_count_max + 1];
  const struct shared_option *which[shared_count + own_count_max];
  collect_options(app->command, all, which);
  const char *letters = app->command->takes & TAKES_ZERO ? "+:c:hv0" : "+:c:hv";
  optind = 0; /* start afresh */
  opterr = 0;
  int index = -1;
  for (int opt; (opt = getopt_long(*argc, *argv, letters, all, &index)) != -1; index = -1) {
    if (opt == '?' || opt == ':') {
      *status = say_wrong(app, all, opt, (*argv)[optind - 1]);
      return false;
    }
    if (opt >= OPTION_OWN) {
      *status = own(rock, opt, optarg);
      if (*status != EXIT_DONE)
        return false;
      continue;
    }
    const struct shared_option *taken = index >= 0 ? which[index] : find_letter(opt);
    if (taken && !take_shared(app, taken, status))
      return false;
  }
  *argc -= optind;
  *argv += optind;
  return true;
}

/* ---- context and tables ------------------------------------------------ */

static void on_event(void *rock, const dictum_event *event) {
  const struct app *app = rock;
  if (app->event && app->event(app->rock, event))
    return;
  if (event->level >= DICTUM_LEVEL_ERROR)
    message("error", "%s", event->text);
  else if (event->level >= DICTUM_LEVEL_WARNING)
    message("warning", "%s", event->text);
  else if (app->verbose > 0 || event->code == DICTUM_CODE_ACCESS)
    message(NULL, "%s", event->text);
}

static void on_progress(void *rock, uint64_t done, uint64_t total) {
  const struct app *app = rock;
  if (app->progress)
    app->progress(app->rock, done, total);
}

int app_start(struct app *app) {
  dictum_error err = DICTUM_ERROR_INIT;
  if (settings_read(app->config_dir, false, on_event, app, &app->settings, &err) != DICTUM_OK)
    return app_fail(app, &err);
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.event = on_event;
  opts.event_rock = app;
  opts.progress = on_progress;
  opts.progress_rock = app;
  opts.timeout_ms = app->timeout_ms;
  messages_utf8(app_utf8(app));
  settings_context(app->settings, &opts);
  if (app->build_memory)
    opts.build_memory = app->build_memory;
  if (dictum_ctx_new(&app->ctx, &opts, &err) != DICTUM_OK)
    return app_fail(app, &err);
  return EXIT_DONE;
}

void app_stop(struct app *app) {
  dictum_ctx_free(app->ctx);
  settings_free(app->settings);
  app->ctx = NULL;
  app->settings = NULL;
}

bool app_utf8(const struct app *app) {
  if (app->utf8 != UTF8_BY_SETTINGS)
    return app->utf8 == UTF8_ON;
  return !settings_have_file(app->settings) || settings_bool(app->settings, "smtputf8_enable");
}

uint32_t app_open_flags(const struct app *app) {
  return app->open_flags | (app_utf8(app) ? DICTUM_OPEN_UTF8 : 0);
}

char *app_spec(struct app *app, const char *operand) {
  if (strchr(operand, ':'))
    return strdup(operand);
  const char *type = settings_get(app->settings, "default_database_type");
  char *spec;
  if (asprintf(&spec, "%s:%s", type && *type ? type : "hash", operand) < 0)
    return NULL;
  return spec;
}

int app_open(struct app *app, const char *operand, uint32_t flags, dictum_table **out) {
  *out = NULL;
  char *spec = app_spec(app, operand);
  if (!spec)
    return app_nomem(app);
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_open(app->ctx, spec, flags | app_open_flags(app), out, &err);
  free(spec);
  if (status == DICTUM_OK)
    return EXIT_DONE;
  app_fail(app, &err);
  /* The spec itself is as much configuration as what it names. */
  return status == DICTUM_INVALID ? EX_CONFIG : exit_of_key(status);
}

int app_fail(struct app *app, const dictum_error *err) {
  output_error(&app->out, NULL, 0, err);
  return exit_of_key(err->status);
}

int app_error(struct app *app, dictum_status status, const char *fmt, ...) {
  dictum_error err = DICTUM_ERROR_INIT;
  err.status = status;
  va_list args;
  va_start(args, fmt);
  vsnprintf(err.what, sizeof err.what, fmt, args);
  va_end(args);
  return app_fail(app, &err);
}

int app_nomem(struct app *app) {
  return app_error(app, DICTUM_NOMEM, "out of memory");
}

/* ---- exit status ------------------------------------------------------- */

int exit_of_key(dictum_status status) {
  switch (status) {
  case DICTUM_OK:
  case DICTUM_END:
    return EXIT_DONE;
  case DICTUM_NOTFOUND:
    return EXIT_ABSENT;
  case DICTUM_RETRY:
  case DICTUM_UNCERTAIN:
    return EX_TEMPFAIL;
  case DICTUM_CONFIG:
  case DICTUM_UNSUPPORTED:
    return EX_CONFIG;
  case DICTUM_INVALID:
  case DICTUM_EXISTS:
    return EX_DATAERR;
  case DICTUM_NOMEM:
    return EX_SOFTWARE;
  }
  return EX_SOFTWARE;
}

int exit_worse(int a, int b) {
  /* What time heals comes before what an operator must mend. */
  static const int ranks[] = {EXIT_DONE, EXIT_ABSENT, EX_DATAERR, EX_TEMPFAIL, EX_CONFIG, EX_IOERR};
  for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
    if (a == ranks[i])
      return b;
    if (b == ranks[i])
      return a;
  }
  return a;
}
