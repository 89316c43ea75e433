/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * leaf.h - a table of one type, between core and its plugin: opening, locking, breaking, forking.
 *
 * A leaf holds at most one handle of its plugin. It has none while the plugin
 * or the table is missing (opened with DEGRADE) and gets one when the breaker
 * lets a caller try. After fork() the handle belongs to the parent: the child
 * forgets it and opens its own.
 */
#ifndef DICTUM_CORE_LEAF_H
#define DICTUM_CORE_LEAF_H

#include <stdbool.h>
#include "breaker.h"
#include "ctx.h"
#include "forklock.h"
#include "node.h"
#include "slot.h"

struct leaf {
  struct node node;
  struct dictum_slot slot;
  char *spec, *type_name, *name;
  struct breaker breaker;
  _Atomic(void *) self;        /* the plugin's handle, or NULL */
  atomic_uint generation;      /* of the process that opened it */
  struct forklock open_lock;   /* guards what follows, and setting self */
  _Atomic(struct type *) type; /* set once, before self */
  dictum_cfg *cfg;
  struct forklock reason_lock; /* guards what follows */
  dictum_error reason;         /* why there is no handle */
  struct forklock call_lock;   /* held around calls when the type is PER_HANDLE */
  atomic_bool in_call;         /* some thread holds the lock that calls need */
};

static inline struct type *leaf_type(const struct leaf *leaf) {
  return atomic_load_explicit(&leaf->type, memory_order_acquire);
}

/** What the table can do: what it said of itself, or else what its type can. */
static inline uint32_t leaf_caps(const struct leaf *leaf) {
  uint32_t noted = atomic_load_explicit(&leaf->slot.caps, memory_order_acquire);
  if (noted)
    return noted & ~SLOT_CAPS_NOTED;
  const struct type *type = leaf_type(leaf);
  return type ? type->ops.caps : 0;
}

/** Makes a leaf that is not open. NULL when memory is out. */
struct leaf *leaf_new(dictum_ctx *ctx, const char *type, const char *name, const char *spec,
                      uint32_t flags);
void leaf_free(struct leaf *leaf);

/** Opens the handle unless there is one.
 * @param stays  the table is there even if that fails: others are told about it, too
 * @return as dictum_open(), RETRY for CONFIG with DEGRADE. */
dictum_status leaf_open(struct leaf *leaf, bool stays, dictum_error *err);

/** Gives the handle for one call of the plugin. After OK, leaf_leave() must follow. */
dictum_status leaf_enter(struct leaf *leaf, void **self, dictum_error *err);
/** Ends what leaf_enter() began; @p why has the text when @p status is a failure. */
void leaf_leave(struct leaf *leaf, dictum_status status, const dictum_error *why);

/** Why the table is out of service: copies the text and returns the status. */
dictum_status leaf_reason(struct leaf *leaf, char *text, size_t size);

/** Takes and drops the lock that the type wants around a call of its iterators and transactions,
 * which neither count for the breaker nor need the handle. */
void leaf_begin_call(struct leaf *leaf);
void leaf_end_call(struct leaf *leaf);

#endif
