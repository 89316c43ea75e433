/* SPDX-License-Identifier: BSD-2-Clause */
/* types.c - dictum types: which types of table there are, and why one cannot be used. */
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum { OPTION_OPTIONS = OPTION_OWN };

static const struct option types_options[] = {{"options", required_argument, NULL, OPTION_OPTIONS},
                                              {0}};

struct listing {
  struct app *app;
  const char *wanted; /* show only the options of this type; NULL: list all */
  bool found;
  int status;
};

static const struct {
  uint32_t cap;
  const char *name;
} cap_names[] = {{DICTUM_CAP_ITERATE, "list"},     {DICTUM_CAP_UPDATE, "put"},
                 {DICTUM_CAP_DELETE, "del"},       {DICTUM_CAP_REPLACE, "build"},
                 {DICTUM_CAP_PATTERN, "pattern"},  {DICTUM_CAP_NETWORK, "network"},
                 {DICTUM_CAP_FILE, "file"},        {DICTUM_CAP_MAY_WAIT, "wait"},
                 {DICTUM_CAP_SETTINGS, "settings"}};
enum { ncaps = sizeof cap_names / sizeof cap_names[0] };

static const char *or_empty(const char *text) {
  return text ? text : "";
}

/* ---- for people -------------------------------------------------------- */

static void print_caps(uint32_t caps) {
  char text[96] = "get";
  for (size_t i = 0; i < ncaps; i++)
    if (caps & cap_names[i].cap && cap_names[i].cap != DICTUM_CAP_MAY_WAIT)
      strcat(strcat(text, " "), cap_names[i].name);
  printf("%-31s", text);
}

static void print_type(const dictum_type_info *type) {
  printf("%-10s ", type->name);
  if (type->status != DICTUM_OK) {
    printf("unusable: %s\n", or_empty(type->reason));
    return;
  }
  print_caps(type->caps);
  printf(" %s", type->summary);
  if (type->package)
    printf(" (%s %s%s%s)", type->package, or_empty(type->version), type->module ? ", " : "",
           or_empty(type->module));
  putchar('\n');
}

static void print_options(const dictum_type_info *type) {
  for (size_t i = 0; i < type->nopts; i++)
    printf("%s (%s, default \"%s\"): %s\n", type->opts[i].name, type->opts[i].kind,
           type->opts[i].fallback, type->opts[i].help);
}

/* ---- JSON -------------------------------------------------------------- */

static void add_text(json_t *object, const char *name, const char *text) {
  if (text)
    output_add_bytes(object, name, text, strlen(text));
}

static json_t *caps_json(uint32_t caps) {
  json_t *array = json_array();
  for (size_t i = 0; i < ncaps; i++)
    if (caps & cap_names[i].cap)
      json_array_append_new(array, json_string(cap_names[i].name));
  return array;
}

static json_t *options_json(const dictum_type_info *type) {
  json_t *array = json_array();
  for (size_t i = 0; i < type->nopts; i++) {
    json_t *object = json_object();
    add_text(object, "name", type->opts[i].name);
    add_text(object, "kind", type->opts[i].kind);
    add_text(object, "default", type->opts[i].fallback);
    add_text(object, "help", type->opts[i].help);
    json_array_append_new(array, object);
  }
  return array;
}

static json_t *type_json(const dictum_type_info *type) {
  json_t *object = json_object();
  add_text(object, "type", type->name);
  add_text(object, "status", dictum_status_name(type->status));
  add_text(object, "error", type->reason);
  add_text(object, "summary", type->summary);
  add_text(object, "suffix", type->suffix);
  add_text(object, "module", type->module);
  add_text(object, "package", type->package);
  add_text(object, "version", type->version);
  json_object_set_new(object, "capabilities", caps_json(type->caps));
  json_object_set_new(object, "options", options_json(type));
  return object;
}

/* ---- the command ------------------------------------------------------- */

static int each_type(void *rock, const dictum_type_info *type) {
  struct listing *listing = rock;
  struct output *out = &listing->app->out;
  if (listing->wanted && strcmp(listing->wanted, type->name) != 0)
    return 0;
  listing->found = true;
  if (listing->wanted)
    listing->status = exit_of_key(type->status);
  if (out->format == OUTPUT_JSON)
    output_json(out, type_json(type));
  else if (!listing->wanted)
    print_type(type);
  else if (type->status == DICTUM_OK)
    print_options(type);
  else
    app_error(listing->app, type->status, "%s: %s", type->name, or_empty(type->reason));
  return listing->wanted ? 1 : 0;
}

static int own_option(void *rock, int option, const char *arg) {
  struct listing *listing = rock;
  (void)option; /* there is just one */
  listing->wanted = arg;
  return EXIT_DONE;
}

static int types(struct app *app, int argc, char **argv) {
  struct listing listing = {.app = app};
  int status;
  if (!app_options(app, &argc, &argv, own_option, &listing, &status))
    return status;
  if (argc > 0)
    return app_usage(app, "takes no operand");
  status = app_start(app);
  if (status != EXIT_DONE)
    return status;
  dictum_error err = DICTUM_ERROR_INIT;
  if (dictum_types(app->ctx, each_type, &listing, &err) != DICTUM_OK)
    return app_fail(app, &err);
  if (listing.wanted && !listing.found)
    return app_error(app, DICTUM_CONFIG, "there is no type \"%s\"", listing.wanted);
  return listing.status;
}

const struct command types_command = {
    "types",
    "usage: dictum types [OPTION...]\n"
    "\n"
    "Tells of each type of table what it can do and which plugin brings it, and of a\n"
    "plugin that cannot be used the reason.\n"
    "\n"
    "Options:\n"
    "      --options TYPE  only the settings of main.cf that this type understands\n"
    "\n"
    "Exit status: 0 done, 78 a registry cannot be read, or TYPE is not there.\n",
    TAKES_JSON, types_options, types};
