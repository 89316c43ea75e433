/* SPDX-License-Identifier: BSD-2-Clause */
/* adapt.c - a table type as a node: its methods, and what stands in for those that it lacks. */
#include "adapt.h"

#include <stdlib.h>

#include "error.h"
#include "leaf.h"

/* A request that has no answer yet. */
static const dictum_status unanswered = (dictum_status)-1;

/* An iterator or transaction of the plugin's, good only in the process that began it. */
struct session {
  void *plugins;
  unsigned generation;
};

static struct leaf *leaf_of(struct node *node) {
  return (struct leaf *)node;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* One key. A plugin that says OK must have emitted. */
static dictum_status lookup_one(struct leaf *leaf, void *self, const dictum_call *call,
                                const dictum_key *key, dictum_sink *sink, dictum_error *err) {
  dictum_req *req = &sink->reqs[sink->current];
  req->status = unanswered;
  dictum_status status = leaf_type(leaf)->ops.lookup(self, call, key->p, key->n, sink, err);
  if (status != DICTUM_OK)
    req->status = status;
  else if (req->status == unanswered)
    req->status = error_set(err, DICTUM_CONFIG, 0, "the plugin found the key but gave no value");
  return req->status;
}

static bool is_answer(dictum_status status) {
  return status == DICTUM_OK || status == DICTUM_NOTFOUND;
}

static bool is_this_key_only(const dictum_error *err) {
  return err->flags & DICTUM_ERROR_THIS_KEY;
}

/* Once the table cannot tell, the keys behind get the same answer: waiting for each would only add
 * up the time-outs. What is a matter of one key says nothing about the others. */
static dictum_status lookup_each(struct leaf *leaf, void *self, const dictum_call *call,
                                 const dictum_key *keys, dictum_sink *sink, dictum_error *err) {
  dictum_status first = DICTUM_OK;
  bool away = false;
  for (size_t i = 0; i < sink->n; i++) {
    sink->current = i;
    if (away) {
      sink->reqs[i].status = DICTUM_RETRY;
      continue;
    }
    dictum_error why UNINITIALIZED;
    error_init(&why);
    dictum_status status = lookup_one(leaf, self, call, &keys[i], sink, &why);
    if (is_answer(status))
      continue;
    away = status == DICTUM_RETRY && !is_this_key_only(&why);
    /* A failure of the table is told rather than one of a key. */
    if (is_answer(first) || (is_this_key_only(err) && !is_this_key_only(&why)))
      first = error_copy(err, &why);
  }
  return first;
}

static dictum_status lookup_batch(struct leaf *leaf, void *self, const dictum_call *call,
                                  const dictum_key *keys, dictum_sink *sink, dictum_error *err) {
  for (size_t i = 0; i < sink->n; i++)
    sink->reqs[i].status = unanswered;
  dictum_status status = leaf_type(leaf)->ops.lookup_many(self, call, keys, sink->n, sink, err);
  for (size_t i = 0; i < sink->n; i++)
    if (sink->reqs[i].status == unanswered)
      sink->reqs[i].status = status == DICTUM_OK ? DICTUM_NOTFOUND : status;
  return status;
}

/* The breaker wants the text of a failure even when the caller does not. */
static dictum_error *wanted(dictum_error *err, dictum_error *own) {
  if (err)
    return err;
  error_init(own);
  return own;
}

static dictum_status adapt_lookup(struct node *node, const dictum_call *call,
                                  const struct node_keys *keys, dictum_sink *sink,
                                  dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  dictum_error own UNINITIALIZED;
  void *self;
  err = wanted(err, &own);
  dictum_status status = leaf_enter(leaf, &self, err);
  if (status != DICTUM_OK) {
    for (size_t i = 0; i < sink->n; i++)
      sink->reqs[i].status = status;
    return DICTUM_OK;
  }
  const dictum_type *ops = &leaf_type(leaf)->ops;
  const dictum_key *form = leaf_caps(leaf) & DICTUM_CAP_PATTERN ? keys->raw : keys->folded;
  if (keys->n > 1 && ops->lookup_many)
    status = lookup_batch(leaf, self, call, form, sink, err);
  else
    status = lookup_each(leaf, self, call, form, sink, err);
  leaf_leave(leaf, status, err);
  return DICTUM_OK;
}

/* ---- iterators and transactions ------------------------------------------------------------- */

static dictum_status new_session(void **out, struct session **session, dictum_error *err) {
  *session = malloc(sizeof **session);
  if (!*session)
    return error_nomem(err);
  (*session)->generation = atomic_load(&fork_generation);
  (*session)->plugins = NULL;
  *out = *session;
  return DICTUM_OK;
}

static bool is_ours(const struct session *session) {
  return session->generation == atomic_load_explicit(&fork_generation, memory_order_relaxed);
}

static dictum_status refuse_foreign(dictum_error *err) {
  return error_set(err, DICTUM_INVALID, 0, "begun before fork(): can only be closed");
}

static dictum_status refuse_unsupported(const struct leaf *leaf, const char *operation,
                                        dictum_error *err) {
  return error_set(err, DICTUM_UNSUPPORTED, 0, "%s operation is not supported by type %s",
                   operation, leaf->type_name);
}

static dictum_status adapt_iter_open(struct node *node, const dictum_call *call, void **iter,
                                     dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  dictum_error own UNINITIALIZED;
  void *self;
  err = wanted(err, &own);
  dictum_status status = leaf_enter(leaf, &self, err);
  if (status != DICTUM_OK)
    return status;
  struct session *session;
  status = new_session(iter, &session, err);
  if (status == DICTUM_OK) {
    if (leaf_caps(leaf) & DICTUM_CAP_ITERATE)
      status = leaf_type(leaf)->ops.iter_open(self, call, &session->plugins, err);
    else
      status = refuse_unsupported(leaf, "sequence", err);
    if (status != DICTUM_OK)
      free(session);
  }
  leaf_leave(leaf, status, err);
  return status;
}

static dictum_status adapt_iter_next(struct node *node, void *iter, dictum_rec *rec,
                                     dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  struct session *session = iter;
  if (!is_ours(session))
    return refuse_foreign(err);
  leaf_begin_call(leaf);
  dictum_status status = leaf_type(leaf)->ops.iter_next(session->plugins, rec, err);
  leaf_end_call(leaf);
  return status;
}

static void adapt_iter_close(struct node *node, void *iter) {
  struct leaf *leaf = leaf_of(node);
  struct session *session = iter;
  if (is_ours(session)) {
    leaf_begin_call(leaf);
    leaf_type(leaf)->ops.iter_close(session->plugins);
    leaf_end_call(leaf);
  }
  free(session);
}

static dictum_status begin_txn(struct leaf *leaf, void *self, const dictum_txn_args *args,
                               void **txn, dictum_error *err) {
  const dictum_type *ops = &leaf_type(leaf)->ops;
  const uint32_t needed = args->mode == DICTUM_TXN_REPLACE_ALL
                              ? DICTUM_CAP_REPLACE
                              : DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE;
  if (!(leaf_caps(leaf) & needed))
    return refuse_unsupported(leaf, "update", err);
  struct session *session;
  dictum_status status = new_session(txn, &session, err);
  if (status != DICTUM_OK)
    return status;
  status = ops->txn_begin(self, args, &session->plugins, err);
  if (status != DICTUM_OK)
    free(session);
  return status;
}

static dictum_status adapt_txn_begin(struct node *node, const dictum_txn_args *args, void **txn,
                                     dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  dictum_error own UNINITIALIZED;
  void *self;
  err = wanted(err, &own);
  dictum_status status = leaf_enter(leaf, &self, err);
  if (status != DICTUM_OK)
    return status;
  status = begin_txn(leaf, self, args, txn, err);
  leaf_leave(leaf, status, err);
  return status;
}

static dictum_status adapt_put(struct node *node, void *txn, const dictum_rec *rec, uint32_t dup,
                               dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  struct session *session = txn;
  if (!is_ours(session))
    return refuse_foreign(err);
  const dictum_type *ops = &leaf_type(leaf)->ops;
  if (!ops->put)
    return refuse_unsupported(leaf, "update", err);
  leaf_begin_call(leaf);
  dictum_status status = ops->put(session->plugins, rec, dup, err);
  leaf_end_call(leaf);
  return status;
}

static dictum_status adapt_del(struct node *node, void *txn, const char *key, size_t len,
                               dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  struct session *session = txn;
  if (!is_ours(session))
    return refuse_foreign(err);
  const dictum_type *ops = &leaf_type(leaf)->ops;
  if (!ops->del)
    return refuse_unsupported(leaf, "delete", err);
  leaf_begin_call(leaf);
  dictum_status status = ops->del(session->plugins, key, len, err);
  leaf_end_call(leaf);
  return status;
}

static uint32_t adapt_load_order(const struct node *node) {
  const struct leaf *leaf = (const struct leaf *)node;
  const struct type *type = leaf_type(leaf);
  return type ? type->ops.load_order : DICTUM_ORDER_ANY;
}

static uint64_t adapt_bucket(struct node *node, void *txn, const char *key, size_t len) {
  const dictum_type *ops = &leaf_type(leaf_of(node))->ops;
  const struct session *session = txn;
  return ops->bucket && is_ours(session) ? ops->bucket(session->plugins, key, len) : 0;
}

static dictum_status put_all(const dictum_type *ops, void *txn, dictum_bulk *bulk,
                             dictum_error *err) {
  const dictum_rec *recs;
  size_t n;
  dictum_status status;
  while ((status = bulk->next(bulk, &recs, &n, err)) == DICTUM_OK)
    for (size_t i = 0; i < n; i++) {
      status = ops->put(txn, &recs[i], DICTUM_DUP_REFUSE, err);
      if (status != DICTUM_OK)
        return status;
    }
  return status == DICTUM_END ? DICTUM_OK : status;
}

static dictum_status adapt_load(struct node *node, void *txn, dictum_bulk *bulk,
                                dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  struct session *session = txn;
  if (!is_ours(session))
    return refuse_foreign(err);
  const dictum_type *ops = &leaf_type(leaf)->ops;
  leaf_begin_call(leaf);
  dictum_status status = ops->load ? ops->load(session->plugins, bulk, err)
                                   : put_all(ops, session->plugins, bulk, err);
  leaf_end_call(leaf);
  return status;
}

static dictum_status adapt_commit(struct node *node, void *txn, dictum_error *err) {
  struct leaf *leaf = leaf_of(node);
  struct session *session = txn;
  dictum_status status;
  if (is_ours(session)) {
    leaf_begin_call(leaf);
    status = leaf_type(leaf)->ops.commit(session->plugins, err);
    leaf_end_call(leaf);
  } else {
    status = refuse_foreign(err);
  }
  free(session);
  return status;
}

static void adapt_abort(struct node *node, void *txn) {
  struct leaf *leaf = leaf_of(node);
  struct session *session = txn;
  if (is_ours(session)) {
    leaf_begin_call(leaf);
    leaf_type(leaf)->ops.abort(session->plugins);
    leaf_end_call(leaf);
  }
  free(session);
}

/* ---- life ----------------------------------------------------------------------------------- */

static uint32_t adapt_caps(const struct node *node) {
  return leaf_caps((const struct leaf *)node);
}

static void adapt_describe(const struct node *node, dictum_table_info *info) {
  const struct leaf *leaf = (const struct leaf *)node;
  info->file = atomic_load(&leaf->slot.file);
  info->up = breaker_is_up(&leaf->breaker);
  info->retry_after_ms = info->up ? 0 : breaker_wait_ms(&leaf->breaker, ctx_now_ns(leaf->slot.ctx));
}

static void adapt_inspect(struct node *node, dictum_node_info *info, char *reason, size_t size) {
  struct leaf *leaf = leaf_of(node);
  static const dictum_state states[] = {[BREAKER_UP] = DICTUM_STATE_UP,
                                        [BREAKER_DOWN] = DICTUM_STATE_DOWN,
                                        [BREAKER_PROBING] = DICTUM_STATE_PROBING};
  info->state = states[breaker_look(&leaf->breaker, &info->failures)];
  if (info->state == DICTUM_STATE_UP)
    return;
  info->retry_after_ms = breaker_wait_ms(&leaf->breaker, ctx_now_ns(leaf->slot.ctx));
  info->status = leaf_reason(leaf, reason, size);
}

static void adapt_close(struct node *node) {
  leaf_free(leaf_of(node));
}

static const struct node_ops adapt_ops = {
    .close = adapt_close,
    .caps = adapt_caps,
    .describe = adapt_describe,
    .lookup = adapt_lookup,
    .iter_open = adapt_iter_open,
    .iter_next = adapt_iter_next,
    .iter_close = adapt_iter_close,
    .txn_begin = adapt_txn_begin,
    .put = adapt_put,
    .del = adapt_del,
    .load_order = adapt_load_order,
    .bucket = adapt_bucket,
    .load = adapt_load,
    .commit = adapt_commit,
    .abort = adapt_abort,
    .inspect = adapt_inspect,
};

/* Could this failure pass by itself, or when an operator mends something? */
static bool can_heal(dictum_status status) {
  return status == DICTUM_RETRY || status == DICTUM_CONFIG;
}

dictum_status adapt_open(dictum_ctx *ctx, const char *type, const char *name, const char *spec,
                         uint32_t flags, struct node **out, dictum_error *err) {
  *out = NULL;
  struct leaf *leaf = leaf_new(ctx, type, name, spec, flags);
  if (!leaf)
    return error_nomem(err);
  leaf->node = (struct node){.ops = &adapt_ops, .spec = leaf->spec};
  dictum_status status = leaf_open(leaf, flags & DICTUM_OPEN_DEGRADE, err);
  if (status != DICTUM_OK && !((flags & DICTUM_OPEN_DEGRADE) && can_heal(status))) {
    leaf_free(leaf);
    return status;
  }
  *out = &leaf->node;
  return DICTUM_OK;
}
