/* SPDX-License-Identifier: BSD-2-Clause */
/* test_plugin.c - dictum test-plugin: does a plugin file keep the promises of dictum-plugin(7)? */
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conformance.h"

struct trial {
  struct tap *tap;
  const char *path;
  char *const *specs;
  size_t nspecs;
  bool *belongs; /* of each spec: its type is of this plugin */
  unsigned ntypes;
};

static bool is_of_type(const char *spec, const char *type) {
  size_t len = strlen(type);
  return strncmp(spec, type, len) == 0 && spec[len] == ':';
}

static const char *fault_of(const dictum_type_info *type) {
  if (type->status != DICTUM_OK)
    return type->reason ? type->reason : "unusable";
  if (!type->summary || *type->summary == '\0')
    return "it has no summary";
  if (!type->package || !type->version)
    return "its plugin has no name or version";
  for (size_t i = 0; i < type->nopts; i++)
    if (!type->opts[i].name || !type->opts[i].fallback || !type->opts[i].help)
      return "a setting lacks its name, default or help";
  return NULL;
}

static int each_type(void *rock, const dictum_type_info *type) {
  struct trial *trial = rock;
  if (!type->module || strcmp(type->module, trial->path) != 0)
    return 0;
  trial->ntypes++;
  for (size_t i = 0; i < trial->nspecs; i++)
    if (is_of_type(trial->specs[i], type->name))
      trial->belongs[i] = true;
  char what[128];
  snprintf(what, sizeof what, "type %s is complete", type->name);
  const char *fault = fault_of(type);
  tap_result(trial->tap, !fault, what, fault);
  return 0;
}

static int run_trial(struct app *app, struct trial *trial) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_load_plugin(app->ctx, trial->path, &err);
  tap_result(trial->tap, status == DICTUM_OK, "the file loads",
             status == DICTUM_OK ? NULL : err.what);
  if (status != DICTUM_OK)
    return exit_of_key(status);
  status = dictum_types(app->ctx, each_type, trial, &err);
  tap_result(trial->tap, status == DICTUM_OK && trial->ntypes > 0, "it brings types of its own",
             status == DICTUM_OK ? NULL : err.what);
  for (size_t i = 0; i < trial->nspecs; i++) {
    if (trial->belongs[i])
      conformance_run(app->ctx, trial->specs[i], trial->tap);
    else
      tap_result(trial->tap, false, trial->specs[i], "this is not of a type of the plugin");
  }
  return trial->tap->failed > 0 ? EXIT_ABSENT : EXIT_DONE;
}

static int test_plugin(struct app *app, int argc, char **argv) {
  int status;
  if (!app_options(app, &argc, &argv, NULL, NULL, &status))
    return status;
  if (argc == 0)
    return app_usage(app, "which plugin file?");
  struct tap tap = {.stream = app->out.stream};
  struct trial trial = {.tap = &tap, .specs = argv + 1, .nspecs = (size_t)argc - 1};
  char *path = realpath(argv[0], NULL);
  trial.path = path ? path : argv[0];
  trial.belongs = calloc((size_t)argc, sizeof *trial.belongs);
  status = trial.belongs ? app_start(app) : app_nomem(app);
  if (status == EXIT_DONE) {
    status = run_trial(app, &trial);
    tap_end(&tap);
  }
  free(trial.belongs);
  free(path);
  return status;
}

const struct command test_plugin_command = {
    "test-plugin",
    "usage: dictum test-plugin [OPTION...] FILE [TABLE...]\n"
    "\n"
    "Loads the plugin FILE and checks its types. For each TABLE, TYPE:NAME, which is\n"
    "a scratch table whose content is lost, tries out everything that the interface\n"
    "promises. Prints the Test Anything Protocol.\n"
    "\n"
    "Exit status: 0 all is well, 1 a check failed, 78 the file cannot be loaded.\n",
    0, NULL, test_plugin};
