/* SPDX-License-Identifier: BSD-2-Clause */
/* options.c - the settings of one table: declared by its type, given by the host, checked here. */
#include "options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "error.h"

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

static dictum_status refuse_range(const dictum_opt *opt, int64_t value, dictum_error *err) {
  bool low = value < opt->min;
  return error_code(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                    "invalid %s parameter value %lld %s %lld", opt->name, (long long)value,
                    low ? "<" : ">", (long long)(low ? opt->min : opt->max));
}

static dictum_status parse(const dictum_opt *opt, struct setting *setting, dictum_error *err) {
  const char *rest = "";
  const char *what = "numerical";
  bool good = true;
  switch (opt->kind) {
  case DICTUM_OPT_STR:
    return DICTUM_OK;
  case DICTUM_OPT_BOOL:
    what = "boolean";
    good = parse_bool(setting->text, &setting->number);
    break;
  case DICTUM_OPT_TIME:
    what = "time";
    good = parse_time_ms(setting->text, &setting->number);
    break;
  case DICTUM_OPT_INT:
  case DICTUM_OPT_BYTES:
    good = parse_number(setting->text, &rest, &setting->number) && *rest == '\0';
    break;
  }
  if (!good)
    return error_code(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "bad %s configuration: %s = %s",
                      what, opt->name, setting->text);
  bool ranged = opt->kind != DICTUM_OPT_BOOL && (opt->min != 0 || opt->max != 0);
  if (ranged && (setting->number < opt->min || (opt->max && setting->number > opt->max)))
    return refuse_range(opt, setting->number, err);
  return DICTUM_OK;
}

dictum_status options_resolve(const dictum_ctx *ctx, const dictum_type *type, dictum_cfg **out,
                              dictum_error *err) {
  *out = NULL;
  dictum_cfg *cfg = calloc(1, sizeof *cfg + type->nopts * sizeof cfg->settings[0]);
  if (!cfg)
    return error_nomem(err);
  for (size_t i = 0; i < type->nopts; i++) {
    const dictum_opt *opt = &type->opts[i];
    const char *text = ctx->param ? ctx->param(ctx->param_rock, opt->name) : NULL;
    struct setting *setting = &cfg->settings[cfg->n++];
    setting->name = opt->name;
    setting->text = strdup(text ? text : opt->fallback);
    dictum_status status = setting->text ? parse(opt, setting, err) : error_nomem(err);
    if (status != DICTUM_OK) {
      options_free(cfg);
      return status;
    }
  }
  *out = cfg;
  return DICTUM_OK;
}

void options_free(dictum_cfg *cfg) {
  if (!cfg)
    return;
  for (size_t i = 0; i < cfg->n; i++)
    free(cfg->settings[i].text);
  free(cfg);
}

static const struct setting *find(const dictum_cfg *cfg, const char *name) {
  for (size_t i = 0; i < cfg->n; i++)
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
