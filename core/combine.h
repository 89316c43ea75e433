/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * combine.h - what combinators share: "kind:{option=value, type:name, {type:name}}".
 *
 * A combinator answers by asking other tables. Its options and its members
 * stand in its name, separated as the pieces of inline tables are; a member
 * whose name has separators in it stands in braces of its own.
 */
#ifndef DICTUM_CORE_COMBINE_H
#define DICTUM_CORE_COMBINE_H

#include <stdbool.h>
#include "ctx.h"
#include "node.h"

/** What every combinator's own struct begins with. */
struct combinator {
  struct node node;
  dictum_ctx *ctx;
  char *spec;
  size_t n;              /**< how many members */
  struct node **members; /**< n of them, then NULL */
};

/** One kind of combinator. */
struct combinator_kind {
  const char *name, *summary;
  const dictum_opt *opts;
  size_t nopts;
  size_t min_members, max_members;
  uint32_t member_flags; /**< DICTUM_OPEN_* for the members, besides the table's own */
  uint32_t writes;       /**< DICTUM_CAP_* of writing that it passes on to its only member */
  bool bare;             /**< its only member stands there without braces: "kind:type:name" */
  size_t size;           /**< of its own struct */
  const struct node_ops *ops;
  /** Makes the rest of it, after its members; @p self is zero there. NULL: there is nothing.
   * When it fails, ops->close follows. */
  dictum_status (*init)(struct combinator *self, const dictum_cfg *cfg, uint32_t flags,
                        dictum_error *err);
};

extern const struct combinator_kind cache_kind, debug_kind, failover_kind, fault_kind, pipemap_kind,
    unionmap_kind;

/** Finds a kind by its name. @return NULL: there is none. */
const struct combinator_kind *combinator_find(const char *name);
/** Gives kind number @p i, or NULL after the last. */
const struct combinator_kind *combinator_at(size_t i);

/** Opens "kind:name". @return as dictum_open() */
dictum_status combinator_open(struct node_opening *opening, const struct combinator_kind *kind,
                              const char *spec, const char *name, uint32_t flags, struct node **out,
                              dictum_error *err);
/** Closes the members and frees @p self: the end of each ops->close. */
void combinator_close(struct combinator *self);

/** Capabilities: what all members can do, and what any of them needs. @p writes: those of writing
 * that are passed on. */
uint32_t combinator_caps(const struct combinator *self, uint32_t writes);

/** Some keys of a call, for a member that is not asked about all of them. */
struct subset {
  size_t n, room;
  size_t *index; /**< of each key in the call */
  dictum_key *raw, *folded;
  dictum_req *reqs; /**< answers */
};
/** Makes room for @p room keys. @return false when memory is out. */
bool subset_init(struct subset *subset, size_t room);
void subset_free(struct subset *subset);
void subset_add(struct subset *subset, const struct node_keys *keys, size_t i);
/** Asks @p member about the keys and gives its answers to @p sink, statuses and flags as well.
 * @p err has the first failure. */
void subset_ask(struct subset *subset, struct node *member, const dictum_call *call,
                dictum_sink *sink, dictum_error *err);

/** Asks @p member about all keys, with its name in @p err. Every key then has a status. */
void member_ask(struct node *member, const dictum_call *call, const struct node_keys *keys,
                dictum_sink *sink, dictum_error *err);

/** The iter_open of a combinator that cannot be listed. */
dictum_status refuse_iter_open(struct node *node, const dictum_call *call, void **iter,
                               dictum_error *err);

/* Methods of a combinator with one member that has nothing of its own to add. */
dictum_status pass_iter_open(struct node *node, const dictum_call *call, void **iter,
                             dictum_error *err);
dictum_status pass_iter_next(struct node *node, void *iter, dictum_rec *rec, dictum_error *err);
void pass_iter_close(struct node *node, void *iter);
dictum_status pass_txn_begin(struct node *node, const dictum_txn_args *args, void **txn,
                             dictum_error *err);
dictum_status pass_put(struct node *node, void *txn, const dictum_rec *rec, uint32_t dup,
                       dictum_error *err);
dictum_status pass_del(struct node *node, void *txn, const char *key, size_t len,
                       dictum_error *err);
uint32_t pass_load_order(const struct node *node);
uint64_t pass_bucket(struct node *node, void *txn, const char *key, size_t len);
dictum_status pass_load(struct node *node, void *txn, dictum_bulk *bulk, dictum_error *err);
dictum_status pass_commit(struct node *node, void *txn, dictum_error *err);
void pass_abort(struct node *node, void *txn);

#endif
