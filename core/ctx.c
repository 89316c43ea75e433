/* SPDX-License-Identifier: BSD-2-Clause */
/* ctx.c - the context: policy, known types, loaded plugins. */
#include "ctx.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builtin.h"
#include "error.h"
#include "load.h"

enum { default_timeout_ms = 5000, default_retry_min_ms = 500, default_retry_max_ms = 60000 };
enum { default_build_memory = 256 << 20 };

static const dictum_registry compiled_in = {PACKAGE_REGISTRY_FILE, PACKAGE_PLUGIN_DIR, 0};

const dictum_registry *dictum_default_registry(void) {
  return &compiled_in;
}

const char *dictum_version(void) {
  return PACKAGE_VERSION;
}

int64_t deadline_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t ctx_now_ns(const dictum_ctx *ctx) {
  return ctx->clock ? ctx->clock(ctx->clock_rock) : deadline_now_ns();
}

int64_t ctx_deadline_ns(const dictum_ctx *ctx, uint32_t timeout_ms) {
  if (timeout_ms == 0)
    timeout_ms = ctx->timeout_ms;
  return timeout_ms == DICTUM_NO_TIMEOUT ? 0 : deadline_now_ns() + (int64_t)timeout_ms * 1000000;
}

/* ---- types -------------------------------------------------------------------------------- */

/* A capability without its methods is no capability. */
static uint32_t honest_caps(const dictum_type *type) {
  uint32_t caps = type->caps;
  if (!type->iter_open || !type->iter_next || !type->iter_close)
    caps &= ~DICTUM_CAP_ITERATE;
  if (!type->txn_begin || !type->commit || !type->abort)
    caps &= ~(DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE);
  if (!type->put)
    caps &= ~DICTUM_CAP_UPDATE;
  if (!type->del)
    caps &= ~DICTUM_CAP_DELETE;
  if (!type->put && !type->load)
    caps &= ~DICTUM_CAP_REPLACE;
  return caps;
}

/* Copies as much of a type as both sides know, and appends it. */
static bool add_type(dictum_ctx *ctx, const void *ops, size_t size, const char *module,
                     const dictum_plugin *plugin) {
  struct type *type = calloc(1, sizeof *type);
  if (!type)
    return false;
  memcpy(&type->ops, ops, size < sizeof type->ops ? size : sizeof type->ops);
  type->ops.caps = honest_caps(&type->ops);
  type->module = module ? strdup(module) : NULL;
  if (module && !type->module) {
    free(type);
    return false;
  }
  type->package = plugin ? plugin->package : NULL;
  type->version = plugin ? plugin->version : NULL;
  forklock_init(&type->serial);
  struct type **end = &ctx->types;
  while (*end)
    end = &(*end)->next;
  *end = type;
  return true;
}

static struct type *known_type(const dictum_ctx *ctx, const char *name) {
  for (struct type *type = ctx->types; type; type = type->next)
    if (strcmp(type->ops.name, name) == 0)
      return type;
  return NULL;
}

/* The first of a name stays: the library's own cannot be replaced. */
static bool add_plugin(dictum_ctx *ctx, const dictum_plugin *plugin, const char *module) {
  const char *at = (const char *)plugin->types;
  for (uint32_t i = 0; i < plugin->ntypes; i++, at += plugin->type_size) {
    const dictum_type *type = (const void *)at;
    if (!type->name || !type->open || !type->close || !type->lookup || known_type(ctx, type->name))
      continue;
    if (!add_type(ctx, at, plugin->type_size, module, plugin))
      return false;
  }
  return true;
}

static void add_preopened(void *rock, const dictum_plugin *plugin) {
  add_plugin(rock, plugin, NULL);
}

/* Appends a name to a list of them, as far as there is room. */
static void list_type(char *list, size_t size, const char *name) {
  size_t used = strlen(list);
  text_format(list + used, size - used, "%s%s", used ? " " : "", name);
}

static dictum_status refuse_unknown(const dictum_ctx *ctx, const char *name, dictum_error *err) {
  char known[256] = "";
  const char *listed;
  for (const struct type *type = ctx->types; type; type = type->next)
    list_type(known, sizeof known, type->ops.name);
  for (size_t cursor = 0; (listed = registry_next_type(ctx->registries, &cursor)) != NULL;)
    if (!known_type(ctx, listed))
      list_type(known, sizeof known, listed);
  return error_code(err, DICTUM_CONFIG, DICTUM_CODE_TYPE_UNKNOWN, 0,
                    "unsupported dictionary type: %s (known: %s): install the package dictum-%s",
                    name, known, name);
}

static void find_preopened_locked(dictum_ctx *ctx) {
  if (ctx->preopened)
    return;
  ctx->preopened = true;
  load_preopened(add_preopened, ctx);
}

void ctx_find_preopened(dictum_ctx *ctx) {
  forklock_acquire(&ctx->lock);
  find_preopened_locked(ctx);
  forklock_release(&ctx->lock);
}

static dictum_status find_type_locked(dictum_ctx *ctx, const char *name, struct type **out,
                                      dictum_error *err) {
  *out = known_type(ctx, name);
  if (*out)
    return DICTUM_OK;
  find_preopened_locked(ctx);
  *out = known_type(ctx, name);
  if (*out)
    return DICTUM_OK;
  const char *path;
  uint32_t flags;
  dictum_status status = registry_find(ctx->registries, &ctx->events, name, &path, &flags, err);
  if (status == DICTUM_NOTFOUND)
    return refuse_unknown(ctx, name, err);
  if (status == DICTUM_OK && (flags & DICTUM_REGISTRY_POSTFIX))
    return load_refuse_postfix(path, name, err);
  const dictum_plugin *plugin;
  if (status == DICTUM_OK)
    status = load_module(path, name, &plugin, err);
  if (status != DICTUM_OK)
    return status;
  if (!add_plugin(ctx, plugin, path))
    return error_nomem(err);
  *out = known_type(ctx, name);
  if (*out)
    return DICTUM_OK;
  return error_code(err, DICTUM_CONFIG, DICTUM_CODE_PLUGIN_BROKEN, 0,
                    "unsupported dictionary type: %s (%s: it has no such type): correct "
                    "dynamicmaps.cf",
                    name, path);
}

dictum_status ctx_find_type(dictum_ctx *ctx, const char *name, struct type **out,
                            dictum_error *err) {
  forklock_acquire(&ctx->lock);
  dictum_status status = find_type_locked(ctx, name, out, err);
  forklock_release(&ctx->lock);
  return status;
}

dictum_status dictum_load_plugin(dictum_ctx *ctx, const char *path, dictum_error *err) {
  const dictum_plugin *plugin;
  dictum_status status = load_module(path, NULL, &plugin, err);
  if (status != DICTUM_OK)
    return status;
  forklock_acquire(&ctx->lock);
  bool added = add_plugin(ctx, plugin, path);
  forklock_release(&ctx->lock);
  return added ? DICTUM_OK : error_nomem(err);
}

dictum_status dictum_check_registries(dictum_ctx *ctx, dictum_error *err) {
  forklock_acquire(&ctx->lock);
  dictum_status status = registry_read(ctx->registries, &ctx->events, err);
  forklock_release(&ctx->lock);
  return status;
}

/* ---- life --------------------------------------------------------------------------------- */

static const dictum_type *const builtin_types[] = {&static_type,  &inline_type,  &texthash_type,
                                                   &environ_type, &fail_type,    &randmap_type,
                                                   &unix_type,    &internal_type};

/* As much of the caller's options as both sides know; what it does not know is zero. */
static dictum_ctx_opts complete_opts(const dictum_ctx_opts *given) {
  dictum_ctx_opts opts = {0};
  if (given)
    memcpy(&opts, given, given->size < sizeof opts ? given->size : sizeof opts);
  if (opts.nregistries == 0) {
    opts.registries = &compiled_in;
    opts.nregistries = 1;
  }
  if (opts.timeout_ms == 0)
    opts.timeout_ms = default_timeout_ms;
  if (opts.retry_min_ms == 0)
    opts.retry_min_ms = default_retry_min_ms;
  if (opts.retry_max_ms == 0)
    opts.retry_max_ms = default_retry_max_ms;
  if (opts.build_memory == 0)
    opts.build_memory = default_build_memory;
  return opts;
}

static const char *relative_path(const dictum_ctx_opts *opts) {
  for (size_t i = 0; i < opts->nregistries; i++) {
    if (opts->registries[i].maps_file[0] != '/')
      return opts->registries[i].maps_file;
    if (opts->registries[i].plugin_dir[0] != '/')
      return opts->registries[i].plugin_dir;
  }
  return NULL;
}

dictum_status dictum_ctx_new(dictum_ctx **out, const dictum_ctx_opts *given, dictum_error *err) {
  *out = NULL;
  const dictum_ctx_opts opts = complete_opts(given);
  const char *relative = relative_path(&opts);
  if (relative)
    return error_set(err, DICTUM_INVALID, 0, "not an absolute path: %s", relative);
  dictum_ctx *ctx = calloc(1, sizeof *ctx);
  if (!ctx || !fork_watch()) {
    free(ctx);
    return error_nomem(err);
  }
  ctx->events = (struct event_sink){opts.event, opts.event_rock};
  ctx->param = opts.param;
  ctx->param_rock = opts.param_rock;
  ctx->progress = opts.progress;
  ctx->progress_rock = opts.progress_rock;
  ctx->clock = opts.clock;
  ctx->clock_rock = opts.clock_rock;
  ctx->timeout_ms = opts.timeout_ms;
  ctx->retry_min_ms = opts.retry_min_ms;
  ctx->retry_max_ms = opts.retry_max_ms;
  ctx->build_memory = opts.build_memory;
  forklock_init(&ctx->lock);
  ctx->registries = registry_set_new(opts.registries, opts.nregistries);
  bool complete = ctx->registries != NULL;
  for (size_t i = 0; complete && i < sizeof builtin_types / sizeof builtin_types[0]; i++)
    complete = add_type(ctx, builtin_types[i], sizeof *builtin_types[i], NULL, NULL);
  if (!complete) {
    dictum_ctx_free(ctx);
    return error_nomem(err);
  }
  *out = ctx;
  return DICTUM_OK;
}

void dictum_ctx_free(dictum_ctx *ctx) {
  if (!ctx)
    return;
  for (struct type *type = ctx->types, *next; type; type = next) {
    next = type->next;
    forklock_destroy(&type->serial);
    free(type->module);
    free(type);
  }
  registry_set_free(ctx->registries);
  forklock_destroy(&ctx->lock);
  free(ctx);
}
