/* SPDX-License-Identifier: BSD-2-Clause */
/* ctx.h - the context: policy, known types, loaded plugins. */
#ifndef DICTUM_CORE_CTX_H
#define DICTUM_CORE_CTX_H

#include "event.h"
#include "forklock.h"
#include "include/dictum_plugin.h"
#include "registry.h"

/** One usable type: from the library or from a loaded plugin. Lives as long as the context. */
struct type {
  dictum_type ops;        /**< our full-sized copy; missing methods are NULL */
  char *module;           /**< plugin file, or NULL */
  const char *package;    /**< of the plugin, or NULL */
  const char *version;    /**< of the plugin, or NULL */
  struct forklock serial; /**< held around every call when ops.threads is SERIAL */
  struct type *next;
};

struct dictum_ctx {
  struct event_sink events;
  const char *(*param)(void *rock, const char *name);
  void *param_rock;
  void (*progress)(void *rock, uint64_t done, uint64_t total);
  void *progress_rock;
  int64_t (*clock)(void *rock); /**< NULL: CLOCK_MONOTONIC */
  void *clock_rock;
  uint32_t timeout_ms, retry_min_ms, retry_max_ms;
  uint64_t build_memory;
  struct registry_set *registries;
  struct forklock lock; /**< guards registries and types */
  struct type *types;   /**< in the order in which they are found */
  bool preopened;       /**< the program's own modules are among them */
};

/** Time of the context's own clock, which pauses are made of. */
int64_t ctx_now_ns(const dictum_ctx *ctx);

/** The time of the clock that deadlines are made of: CLOCK_MONOTONIC, whatever the context's. */
int64_t deadline_now_ns(void);
/** The deadline of a call that begins now; 0 for none. */
int64_t ctx_deadline_ns(const dictum_ctx *ctx, uint32_t timeout_ms);

/** Finds the type @p name, loading its plugin if need be.
 * @return OK; CONFIG with TYPE_UNKNOWN, PLUGIN_* or REGISTRY; NOMEM. */
dictum_status ctx_find_type(dictum_ctx *ctx, const char *name, struct type **out,
                            dictum_error *err);

/** Adds the types of the modules that the program carries inside itself. */
void ctx_find_preopened(dictum_ctx *ctx);

#endif
