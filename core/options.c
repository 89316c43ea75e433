/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - the settings of one table: declared by its type, given by the host, checked here. */
#include "options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "params.h"

struct setting {
  const char *name; /* the plugin's constant */
  char *text;
  int64_t number;
};

struct dictum_cfg {
  size_t n;
  struct setting settings[];
};

const char *option_kind_name(dictum_opt_kind kind) {
  switch (kind) {
  case DICTUM_OPT_STR:
    return "str";
  case DICTUM_OPT_INT:
    return "int";
  case DICTUM_OPT_BOOL:
    return "bool";
  case DICTUM_OPT_TIME:
    return "time";
  case DICTUM_OPT_BYTES:
    return "bytes";
  }
  return "unknown";
}

static bool parse_number(const char *text, const char **rest, int64_t *out) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || errno != 0)
    return false;
  *rest = end;
  *out = value;
  return true;
}

static bool parse_time_ms(const char *text, int64_t *out) {
  static const struct {
    char unit;
    int64_t ms;
  } units[] = {{'s', 1000},     {'m', 60000},     {'h', 3600000},
               {'d', 86400000}, {'w', 604800000}, {'\0', 1000}};
  const char *rest;
  if (!parse_number(text, &rest, out) || *out < 0 || (rest[0] != '\0' && rest[1] != '\0'))
    return false;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (*rest == units[i].unit)
      return !__builtin_mul_overflow(*out, units[i].ms, out);
  return false;
}

static bool parse_bool(const char *text, int64_t *out) {
  *out = strcasecmp(text, "yes") == 0;
  return *out == 1 || strcasecmp(text, "no") == 0;
}

/* Where the settings of one table come from. */
struct settings_place {
  char *const *given; /* "name=value" each; NULL: not from there */
  size_t ngiven;
  const dictum_ctx *ctx; /* for main.cf */
  dictum_params *file;   /* the table's own file, or NULL: main.cf */
  const char *label;     /* what messages begin with: "FILE: " or "" */
  const char *prefix;    /* what main.cf has before each name: "NAME_" or "" */
  char text[256];
};

static dictum_status refuse(const struct settings_place *place, const dictum_opt *opt,
                            const char *kind, const char *text, dictum_error *err) {
  return error_code(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "%sbad %s configuration: %s%s = %s",
                    place->label, kind, place->prefix, opt->name, text);
}

static dictum_status refuse_range(const struct settings_place *place, const dictum_opt *opt,
                                  int64_t value, dictum_error *err) {
  bool low = value < opt->min;
  return error_code(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                    "%sinvalid %s%s parameter value %lld %s %lld", place->label, place->prefix,
                    opt->name, (long long)value, low ? "<" : ">",
                    (long long)(low ? opt->min : opt->max));
}

static dictum_status check_length(const struct settings_place *place, const dictum_opt *opt,
                                  const char *text, dictum_error *err) {
  size_t len = strlen(text);
  if (opt->min <= 0 || len >= (size_t)opt->min)
    return DICTUM_OK;
  return error_code(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                    "%sbad string length %zu < %lld: %s%s = %s", place->label, len,
                    (long long)opt->min, place->prefix, opt->name, text);
}

static dictum_status parse(const struct settings_place *place, const dictum_opt *opt,
                           struct setting *setting, dictum_error *err) {
  const char *rest = "";
  switch (opt->kind) {
  case DICTUM_OPT_STR:
    return check_length(place, opt, setting->text, err);
  case DICTUM_OPT_BOOL:
    return parse_bool(setting->text, &setting->number)
               ? DICTUM_OK
               : refuse(place, opt, "boolean", setting->text, err);
  case DICTUM_OPT_TIME:
    if (!parse_time_ms(setting->text, &setting->number))
      return refuse(place, opt, "time", setting->text, err);
    break;
  case DICTUM_OPT_INT:
  case DICTUM_OPT_BYTES:
    if (!parse_number(setting->text, &rest, &setting->number) || *rest != '\0')
      return refuse(place, opt, "numerical", setting->text, err);
    break;
  }
  bool ranged = opt->min != 0 || opt->max != 0;
  if (ranged && (setting->number < opt->min || (opt->max && setting->number > opt->max)))
    return refuse_range(place, opt, setting->number, err);
  return DICTUM_OK;
}

/* Is @p pair "NAME=..."? */
static bool is_named(const char *pair, const char *name) {
  size_t len = strlen(name);
  return strncmp(pair, name, len) == 0 && pair[len] == '=';
}

/* The last of a name counts. */
static const char *find_given(const struct settings_place *place, const char *name) {
  for (size_t i = place->ngiven; i > 0; i--)
    if (is_named(place->given[i - 1], name))
      return place->given[i - 1] + strlen(name) + 1;
  return NULL;
}

/* @return the text of a setting, or NULL when nothing defines it. */
static const char *find_text(struct settings_place *place, const dictum_opt *opt) {
  if (place->given)
    return find_given(place, opt->name);
  if (place->file) {
    const struct param *param = params_find(place->file, opt->name, strlen(opt->name));
    return param ? param->value : NULL;
  }
  if (!place->ctx->param)
    return NULL;
  if (!*place->prefix)
    return place->ctx->param(place->ctx->param_rock, opt->name);
  int len = snprintf(place->text, sizeof place->text, "%s%s", place->prefix, opt->name);
  return len > 0 && (size_t)len < sizeof place->text
             ? place->ctx->param(place->ctx->param_rock, place->text)
             : NULL;
}

static dictum_status resolve_all(struct settings_place *place, const dictum_opt *opts, size_t nopts,
                                 dictum_cfg *cfg, dictum_error *err) {
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < nopts && status == DICTUM_OK; i++) {
    const dictum_opt *opt = &opts[i];
    const char *text = find_text(place, opt);
    struct setting *setting = &cfg->settings[cfg->n++];
    setting->name = opt->name;
    setting->text = strdup(text ? text : opt->fallback);
    status = setting->text ? parse(place, opt, setting, err) : error_nomem(err);
  }
  return status;
}

/* The rule by which Postfix tells a file from a prefix, for all types that have settings. */
static bool names_file(const char *name) {
  return name[0] == '/' || name[0] == '.';
}

static dictum_status read_file(struct settings_place *place, const char *name, dictum_error *err) {
  const dictum_ctx_opts opts = {.size = sizeof opts,
                                .event = place->ctx->events.callback,
                                .event_rock = place->ctx->events.rock};
  return dictum_params_read(name, &opts, &place->file, err);
}

/* @p label has room for @p name and more. */
static dictum_status find_place(struct settings_place *place, const dictum_type *type,
                                const char *name, char *label, dictum_error *err) {
  place->label = place->prefix = "";
  if (!(type->caps & DICTUM_CAP_SETTINGS))
    return DICTUM_OK;
  bool in_file = names_file(name);
  strcpy(stpcpy(label, name), in_file ? ": " : "_");
  if (in_file)
    place->label = label;
  else
    place->prefix = label;
  return in_file ? read_file(place, name, err) : DICTUM_OK;
}

dictum_status options_resolve(const dictum_ctx *ctx, const dictum_type *type, const char *name,
                              dictum_cfg **out, dictum_error *err) {
  *out = NULL;
  dictum_cfg *cfg = calloc(1, sizeof *cfg + type->nopts * sizeof cfg->settings[0]);
  char *label = malloc(strlen(name) + sizeof ": ");
  struct settings_place place = {.ctx = ctx};
  dictum_status status = cfg && label ? find_place(&place, type, name, label, err)
                                      : error_nomem(err);
  if (status == DICTUM_OK)
    status = resolve_all(&place, type->opts, type->nopts, cfg, err);
  dictum_params_free(place.file);
  free(label);
  if (status != DICTUM_OK) {
    options_free(cfg);
    return status;
  }
  *out = cfg;
  return DICTUM_OK;
}

static dictum_status refuse_unknown(const dictum_opt *opts, size_t nopts, const char *label,
                                    const char *pair, dictum_error *err) {
  char known[256] = "";
  for (size_t i = 0; i < nopts; i++) {
    size_t used = strlen(known);
    snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", opts[i].name);
  }
  return error_code(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "%sunknown option \"%.100s\"; %s%s",
                    label, pair, nopts ? "known are: " : "there are none", known);
}

static bool is_known(const dictum_opt *opts, size_t nopts, const char *pair) {
  for (size_t i = 0; i < nopts; i++)
    if (is_named(pair, opts[i].name))
      return true;
  return false;
}

dictum_status options_parse(const dictum_opt *opts, size_t nopts, const char *label,
                            char *const *given, size_t ngiven, dictum_cfg **out,
                            dictum_error *err) {
  *out = NULL;
  for (size_t i = 0; i < ngiven; i++)
    if (!is_known(opts, nopts, given[i]))
      return refuse_unknown(opts, nopts, label, given[i], err);
  static char *const none[] = {NULL};
  struct settings_place place = {
      .given = ngiven ? given : none, .ngiven = ngiven, .label = label, .prefix = ""};
  dictum_cfg *cfg = calloc(1, sizeof *cfg + nopts * sizeof cfg->settings[0]);
  if (!cfg)
    return error_nomem(err);
  dictum_status status = resolve_all(&place, opts, nopts, cfg, err);
  if (status == DICTUM_OK)
    *out = cfg;
  else
    options_free(cfg);
  return status;
}

void options_free(dictum_cfg *cfg) {
  if (!cfg)
    return;
  for (size_t i = 0; i < cfg->n; i++)
    free(cfg->settings[i].text);
  free(cfg);
}

static const struct setting *find(const dictum_cfg *cfg, const char *name) {
  for (size_t i = 0; cfg && i < cfg->n; i++)
    if (strcmp(cfg->settings[i].name, name) == 0)
      return &cfg->settings[i];
  return NULL;
}

const char *options_str(const dictum_cfg *cfg, const char *name) {
  const struct setting *setting = find(cfg, name);
  return setting ? setting->text : "";
}

int64_t options_int(const dictum_cfg *cfg, const char *name) {
  const struct setting *setting = find(cfg, name);
  return setting ? setting->number : 0;
}
