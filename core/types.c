/* SPDX-License-Identifier: BSD-2-Clause */
/* types.c - telling which table types there are, and why some cannot be used. */
#include <stdlib.h>
#include <string.h>

#include "combine.h"
#include "ctx.h"
#include "error.h"
#include "load.h"
#include "options.h"

/* Names of all types, known or only listed; each once. */
struct names {
  char **list;
  size_t n;
};

static void free_names(struct names *names) {
  for (size_t i = 0; i < names->n; i++)
    free(names->list[i]);
  free(names->list);
}

static bool add_name(struct names *names, const char *name) {
  for (size_t i = 0; i < names->n; i++)
    if (strcmp(names->list[i], name) == 0)
      return true;
  char **list = reallocarray(names->list, names->n + 1, sizeof *list);
  if (!list)
    return false;
  names->list = list;
  list[names->n] = strdup(name);
  return list[names->n] && ++names->n;
}

static bool collect_names(const dictum_ctx *ctx, struct names *names) {
  for (const struct type *type = ctx->types; type; type = type->next)
    if (!add_name(names, type->ops.name))
      return false;
  for (size_t i = 0; combinator_at(i); i++)
    if (!add_name(names, combinator_at(i)->name))
      return false;
  const char *name;
  for (size_t cursor = 0; (name = registry_next_type(ctx->registries, &cursor)) != NULL;)
    if (!add_name(names, name))
      return false;
  return true;
}

static int by_name(const void *a, const void *b) {
  const char *const *left = a, *const *right = b;
  return strcmp(*left, *right);
}

static dictum_opt_info *describe_options(const dictum_opt *opts, size_t nopts) {
  dictum_opt_info *infos = calloc(nopts ? nopts : 1, sizeof *infos);
  for (size_t i = 0; infos && i < nopts; i++)
    infos[i] = (dictum_opt_info){opts[i].name, option_kind_name(opts[i].kind), opts[i].fallback,
                                 opts[i].help};
  return infos;
}

static void fill_usable(const struct type *type, dictum_type_info *info) {
  info->summary = type->ops.summary;
  info->suffix = type->ops.suffix;
  info->module = type->module;
  info->package = type->package;
  info->version = type->version;
  info->caps = type->ops.caps;
  info->nopts = type->ops.nopts;
}

/* @return what it declares, or NULL with a reason in @p info. */
static const dictum_opt *fill(dictum_ctx *ctx, dictum_type_info *info, dictum_error *reason) {
  static const dictum_opt none[1];
  const struct combinator_kind *kind = combinator_find(info->name);
  if (kind) {
    info->summary = kind->summary;
    info->nopts = kind->nopts;
    return kind->nopts ? kind->opts : none;
  }
  struct type *type;
  info->status = ctx_find_type(ctx, info->name, &type, reason);
  if (info->status != DICTUM_OK) {
    info->reason = reason->what;
    return NULL;
  }
  fill_usable(type, info);
  return type->ops.nopts ? type->ops.opts : none;
}

static dictum_status tell(dictum_ctx *ctx, const char *name,
                          int (*each)(void *rock, const dictum_type_info *type), void *rock,
                          int *stop, dictum_error *err) {
  dictum_error reason = DICTUM_ERROR_INIT;
  dictum_type_info info = {.size = sizeof info, .name = name};
  dictum_opt_info *opts = NULL;
  const dictum_opt *declared = fill(ctx, &info, &reason);
  if (declared) {
    opts = describe_options(declared, info.nopts);
    if (!opts)
      return error_nomem(err);
    info.opts = opts;
  }
  *stop = each(rock, &info);
  free(opts);
  return DICTUM_OK;
}

dictum_status dictum_types(dictum_ctx *ctx, int (*each)(void *rock, const dictum_type_info *type),
                           void *rock, dictum_error *err) {
  dictum_status status = dictum_check_registries(ctx, err);
  if (status != DICTUM_OK)
    return status;
  ctx_find_preopened(ctx);
  struct names names = {0};
  forklock_acquire(&ctx->lock);
  bool complete = collect_names(ctx, &names);
  forklock_release(&ctx->lock);
  status = complete ? DICTUM_OK : error_nomem(err);
  if (names.n > 0)
    qsort(names.list, names.n, sizeof *names.list, by_name);
  int stop = 0;
  for (size_t i = 0; status == DICTUM_OK && !stop && i < names.n; i++)
    status = tell(ctx, names.list[i], each, rock, &stop, err);
  free_names(&names);
  return status;
}
