/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaf.c - a table of one type, between core and its plugin: opening, locking, breaking, forking.
 *
 * On the way of a key through an open table the fork counter, the breaker and
 * the handle are one load each; a lock is taken only for types that ask for it.
 */
#include "leaf.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "options.h"

/* ---- calls: one lock model for each type ---------------------------------------------------- */

static struct forklock *lock_of(struct leaf *leaf, struct type *type) {
  if (type->ops.threads >= DICTUM_THREADS_PARALLEL)
    return NULL;
  return type->ops.threads >= DICTUM_THREADS_PER_HANDLE ? &leaf->call_lock : &type->serial;
}

void leaf_begin_call(struct leaf *leaf) {
  struct forklock *lock = lock_of(leaf, leaf_type(leaf));
  if (!lock)
    return;
  forklock_acquire(lock);
  atomic_store_explicit(&leaf->in_call, true, memory_order_relaxed);
}

void leaf_end_call(struct leaf *leaf) {
  struct forklock *lock = lock_of(leaf, leaf_type(leaf));
  if (!lock)
    return;
  atomic_store_explicit(&leaf->in_call, false, memory_order_relaxed);
  forklock_release(lock);
}

/* ---- opening -------------------------------------------------------------------------------- */

static dictum_status check_writable(const struct leaf *leaf, const struct type *type,
                                    dictum_error *err) {
  const uint32_t any_change = DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE;
  if ((leaf->slot.flags & DICTUM_OPEN_REPLACE) && !(type->ops.caps & DICTUM_CAP_REPLACE))
    return error_set(err, DICTUM_UNSUPPORTED, 0, "tables of type %s cannot be built",
                     leaf->type_name);
  if ((leaf->slot.flags & DICTUM_OPEN_WRITE) && !(type->ops.caps & any_change))
    return error_set(err, DICTUM_UNSUPPORTED, 0, "tables of type %s are read-only",
                     leaf->type_name);
  return DICTUM_OK;
}

/* Finds type and settings, each once. */
static dictum_status prepare(struct leaf *leaf, dictum_error *err) {
  struct type *type = leaf_type(leaf);
  if (!type) {
    dictum_status status = ctx_find_type(leaf->slot.ctx, leaf->type_name, &type, err);
    if (status == DICTUM_OK)
      status = check_writable(leaf, type, err);
    if (status != DICTUM_OK)
      return status;
    atomic_store_explicit(&leaf->type, type, memory_order_release);
  }
  if (leaf->cfg)
    return DICTUM_OK;
  return options_resolve(leaf->slot.ctx, &type->ops, leaf->name, &leaf->cfg, err);
}

static dictum_status try_open(struct leaf *leaf, dictum_error *err) {
  dictum_status status = prepare(leaf, err);
  if (status != DICTUM_OK)
    return status;
  const dictum_open_args args = {.size = sizeof args,
                                 .flags = leaf->slot.flags,
                                 .type = leaf->type_name,
                                 .name = leaf->name,
                                 .cfg = leaf->cfg,
                                 .slot = &leaf->slot};
  void *self = NULL;
  leaf_begin_call(leaf);
  status = leaf_type(leaf)->ops.open(&host_services, &args, &self, err);
  leaf_end_call(leaf);
  if (status == DICTUM_OK)
    atomic_store_explicit(&leaf->self, self, memory_order_release);
  return status;
}

/* The handle is the parent's. Freed when its plugin knows how, and when no thread of the parent
 * was inside it at the moment of the fork. */
static void forget(struct leaf *leaf) {
  void *self = atomic_load(&leaf->self);
  const struct type *type = leaf_type(leaf);
  if (self && type->ops.forget && !atomic_load(&leaf->in_call))
    type->ops.forget(self);
  atomic_store(&leaf->self, NULL);
  atomic_store(&leaf->in_call, false);
}

static void adopt_process(struct leaf *leaf) {
  forklock_acquire(&leaf->open_lock);
  unsigned now = atomic_load(&fork_generation);
  if (atomic_load(&leaf->generation) != now) {
    forget(leaf);
    breaker_init(&leaf->breaker, leaf->slot.ctx->retry_min_ms, leaf->slot.ctx->retry_max_ms);
    atomic_store_explicit(&leaf->generation, now, memory_order_release);
  }
  forklock_release(&leaf->open_lock);
}

/* ---- the breaker ---------------------------------------------------------------------------- */

/* Tables that may come back: others are told about once, by the one who opens them. */
static bool may_heal(const struct leaf *leaf) {
  return (leaf->slot.flags & DICTUM_OPEN_DEGRADE) || (leaf_caps(leaf) & DICTUM_CAP_NETWORK);
}

static void report(struct leaf *leaf, dictum_status status, const dictum_error *why,
                   enum breaker_fault fault) {
  if (!may_heal(leaf))
    return;
  const struct event_sink *events = &leaf->slot.ctx->events;
  if (status != DICTUM_RETRY && status != DICTUM_CONFIG) {
    if (breaker_success(&leaf->breaker))
      event_send(events, DICTUM_LEVEL_INFO, DICTUM_CODE_TABLE_UP, leaf->slot.spec, "%s is back",
                 leaf->slot.spec);
    return;
  }
  if (breaker_failure(&leaf->breaker, fault, ctx_now_ns(leaf->slot.ctx)))
    event_send(events, DICTUM_LEVEL_ERROR, DICTUM_CODE_TABLE_DOWN, leaf->slot.spec,
               "%s is unavailable. %s", leaf->slot.spec, why ? why->what : "");
}

/* Under a lock of its own: others must not wait while somebody opens the table. */
static void set_reason(struct leaf *leaf, const dictum_error *why) {
  forklock_acquire(&leaf->reason_lock);
  leaf->reason = *why;
  forklock_release(&leaf->reason_lock);
}

/* Every way in needs the text, even when the caller does not want it. */
static dictum_status answer_down(struct leaf *leaf, uint32_t wait_ms, dictum_error *err) {
  forklock_acquire(&leaf->reason_lock);
  dictum_error reason = leaf->reason;
  forklock_release(&leaf->reason_lock);
  error_code(err, DICTUM_RETRY, reason.code, reason.sys_errno, "%s", reason.what);
  if (err && err->size >= sizeof *err)
    err->retry_after_ms = wait_ms;
  return DICTUM_RETRY;
}

dictum_status leaf_reason(struct leaf *leaf, char *text, size_t size) {
  forklock_acquire(&leaf->reason_lock);
  dictum_status status = leaf->reason.status;
  text_format(text, size, "%s", leaf->reason.what);
  forklock_release(&leaf->reason_lock);
  return status;
}

dictum_status leaf_open(struct leaf *leaf, bool stays, dictum_error *err) {
  dictum_status status = DICTUM_OK;
  dictum_error reason = DICTUM_ERROR_INIT;
  forklock_acquire(&leaf->open_lock);
  if (!atomic_load(&leaf->self)) {
    status = try_open(leaf, &reason);
    /* An old reason stays good for those who are told to wait until this one has reported. */
    if (status != DICTUM_OK)
      set_reason(leaf, &reason);
  }
  forklock_release(&leaf->open_lock);
  if (status == DICTUM_OK)
    return DICTUM_OK;
  if (stays)
    report(leaf, status, &reason, BREAKER_AT_ONCE);
  if ((leaf->slot.flags & DICTUM_OPEN_DEGRADE) && status == DICTUM_CONFIG)
    status = DICTUM_RETRY;
  error_code(err, status, reason.code, reason.sys_errno, "%s", reason.what);
  if (err && err->size >= sizeof *err && !breaker_is_up(&leaf->breaker))
    err->retry_after_ms = breaker_wait_ms(&leaf->breaker, ctx_now_ns(leaf->slot.ctx));
  return status;
}

dictum_status leaf_enter(struct leaf *leaf, void **self, dictum_error *err) {
  if (atomic_load_explicit(&leaf->generation, memory_order_acquire) !=
      atomic_load_explicit(&fork_generation, memory_order_relaxed))
    adopt_process(leaf);
  uint32_t wait_ms;
  if (!breaker_is_up(&leaf->breaker) &&
      breaker_ask(&leaf->breaker, ctx_now_ns(leaf->slot.ctx), &wait_ms) == BREAKER_WAIT)
    return answer_down(leaf, wait_ms, err);
  *self = atomic_load_explicit(&leaf->self, memory_order_acquire);
  if (!*self) {
    dictum_status status = leaf_open(leaf, true, err);
    if (status != DICTUM_OK)
      return status;
    *self = atomic_load_explicit(&leaf->self, memory_order_acquire);
  }
  leaf_begin_call(leaf);
  return DICTUM_OK;
}

void leaf_leave(struct leaf *leaf, dictum_status status, const dictum_error *why) {
  leaf_end_call(leaf);
  bool failed = status == DICTUM_RETRY || status == DICTUM_CONFIG;
  if (failed && why && (why->flags & DICTUM_ERROR_THIS_KEY)) {
    /* The table itself gave this answer. */
    failed = false;
    status = DICTUM_OK;
  }
  if (!failed && breaker_is_up(&leaf->breaker)) {
    breaker_success(&leaf->breaker);
    return;
  }
  if (failed && may_heal(leaf) && why)
    set_reason(leaf, why);
  report(leaf, status, why, status == DICTUM_CONFIG ? BREAKER_LASTING : BREAKER_COUNTED);
}

/* ---- life ----------------------------------------------------------------------------------- */

void leaf_free(struct leaf *leaf) {
  void *self = atomic_load(&leaf->self);
  if (self && atomic_load(&leaf->generation) == atomic_load(&fork_generation)) {
    leaf_begin_call(leaf);
    leaf_type(leaf)->ops.close(self);
    leaf_end_call(leaf);
  } else if (self) {
    forget(leaf);
  }
  options_free(leaf->cfg);
  forklock_destroy(&leaf->open_lock);
  forklock_destroy(&leaf->reason_lock);
  forklock_destroy(&leaf->call_lock);
  free(atomic_load(&leaf->slot.file));
  free(leaf->spec);
  free(leaf->type_name);
  free(leaf->name);
  free(leaf);
}

struct leaf *leaf_new(dictum_ctx *ctx, const char *type, const char *name, const char *spec,
                      uint32_t flags) {
  struct leaf *leaf = calloc(1, sizeof *leaf);
  if (!leaf)
    return NULL;
  leaf->slot.ctx = ctx;
  leaf->slot.flags = flags;
  leaf->reason = (dictum_error)DICTUM_ERROR_INIT;
  breaker_init(&leaf->breaker, ctx->retry_min_ms, ctx->retry_max_ms);
  atomic_init(&leaf->generation, atomic_load(&fork_generation));
  forklock_init(&leaf->open_lock);
  forklock_init(&leaf->reason_lock);
  forklock_init(&leaf->call_lock);
  leaf->slot.spec = leaf->spec = strdup(spec);
  leaf->type_name = strdup(type);
  leaf->name = strdup(name);
  if (leaf->spec && leaf->type_name && leaf->name)
    return leaf;
  leaf_free(leaf);
  return NULL;
}
