/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node.h - the inner interface: everything that can be asked is a node.
 *
 * A leaf (adapt.c) puts a table type behind this interface; a combinator is a
 * node over other nodes and knows every method, which is why this interface
 * promises nothing to the outside. Callers never know which they hold.
 */
#ifndef DICTUM_CORE_NODE_H
#define DICTUM_CORE_NODE_H

#include "host.h"
#include "include/dictum_plugin.h"

/** The keys of one call, checked and folded once. Each leaf takes the form that it wants. */
struct node_keys {
  const dictum_key *raw;    /**< as asked, for tables that match patterns */
  const dictum_key *folded; /**< the same array when nothing was folded */
  size_t n;
};

struct node;

/** Only `close`, `caps` and `lookup` are never NULL. Meaning and statuses as in dictum_type. */
struct node_ops {
  void (*close)(struct node *node);
  uint32_t (*caps)(const struct node *node);
  /** Fills what is known beyond type, name and caps. */
  void (*describe)(const struct node *node, dictum_table_info *info);
  /** Answers each key into @p sink; other than OK: no key was answered. */
  dictum_status (*lookup)(struct node *node, const dictum_call *call, const struct node_keys *keys,
                          dictum_sink *sink, dictum_error *err);
  dictum_status (*iter_open)(struct node *node, const dictum_call *call, void **iter,
                             dictum_error *err);
  dictum_status (*iter_next)(struct node *node, void *iter, dictum_rec *rec, dictum_error *err);
  void (*iter_close)(struct node *node, void *iter);
  dictum_status (*txn_begin)(struct node *node, const dictum_txn_args *args, void **txn,
                             dictum_error *err);
  dictum_status (*put)(struct node *node, void *txn, const dictum_rec *rec, uint32_t dup,
                       dictum_error *err);
  dictum_status (*del)(struct node *node, void *txn, const char *key, size_t len,
                       dictum_error *err);
  /** In which order load() wants the records, and the bucket when it is ORDER_BUCKET. */
  uint32_t (*load_order)(const struct node *node);
  uint64_t (*bucket)(struct node *node, void *txn, const char *key, size_t len);
  dictum_status (*load)(struct node *node, void *txn, dictum_bulk *bulk, dictum_error *err);
  dictum_status (*commit)(struct node *node, void *txn, dictum_error *err);
  void (*abort)(struct node *node, void *txn);
  /** Fills what is known of this node alone: dictum_inspect(). A reason is written to @p reason. */
  void (*inspect)(struct node *node, dictum_node_info *info, char *reason, size_t size);
  /** Drops what is kept of @p key in either form, or of all keys when it is NULL. NULL: nothing is
   * kept here. */
  dictum_status (*flush)(struct node *node, const struct node_keys *key, dictum_error *err);
};

struct node {
  const struct node_ops *ops;
  const char *spec;       /**< "type:name" */
  struct node **children; /**< NULL-terminated, or NULL for a leaf */
};

/** Beside DICTUM_CAP_*, inside: some table below looks at keys as they were asked. */
#define NODE_CAP_SOME_PATTERN 0x80000000u

/** How many tables one spec may name, and how deep. */
enum { node_most = 256, node_deepest = 32 };

/** One spec while it is opened. */
struct node_opening {
  dictum_ctx *ctx;
  unsigned depth, count;
};

/** Opens a table of whatever kind @p spec names.
 * @param flags  DICTUM_OPEN_*
 * @return as dictum_open() */
dictum_status node_open(struct node_opening *opening, const char *spec, uint32_t flags,
                        struct node **out, dictum_error *err);
/** Closes a node with all below it. NULL is fine. */
void node_close(struct node *node);

#endif
