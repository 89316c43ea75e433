/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * failover.c - "failover:{a, b}": the first table that can tell answers.
 *
 * "There is no such key" is an answer. Only a member that cannot tell (RETRY,
 * CONFIG) passes a key on to the next one; when none can, the last one's reason
 * is given. Each member but the last may use up its share of the time that is
 * left, so that one that hangs does not take the others' time.
 */
#include "combine.h"

#include <stdlib.h>
#include <time.h>

#include "error.h"

struct walk {
  struct node *member;
  void *iter;
};

static struct combinator *self_of(struct node *node) {
  return (struct combinator *)node;
}

static bool cannot_tell(dictum_status status) {
  return status == DICTUM_RETRY || status == DICTUM_CONFIG;
}

/* The time that member @p i of @p n may use: an equal share of what is left. */
static dictum_call call_share(const dictum_call *call, size_t i, size_t n) {
  dictum_call share = *call;
  if (call->deadline_ns == 0 || i + 1 >= n)
    return share;
  int64_t now = deadline_now_ns();
  int64_t left = call->deadline_ns - now;
  if (left > 0)
    share.deadline_ns = now + left / (int64_t)(n - i);
  return share;
}

static bool any_cannot_tell(const dictum_sink *sink) {
  for (size_t i = 0; i < sink->n; i++)
    if (cannot_tell(sink->reqs[i].status))
      return true;
  return false;
}

/* Asks member @p m about the keys that none before it could tell. False when memory is out. */
static bool ask_again(const struct combinator *self, size_t m, const dictum_call *call,
                      const struct node_keys *keys, dictum_sink *sink, dictum_error *err) {
  struct subset subset;
  if (!subset_init(&subset, sink->n))
    return false;
  for (size_t i = 0; i < sink->n; i++)
    if (cannot_tell(sink->reqs[i].status))
      subset_add(&subset, keys, i);
  const dictum_call share = call_share(call, m, self->n);
  subset_ask(&subset, self->members[m], &share, sink, err);
  subset_free(&subset);
  return true;
}

static dictum_status failover_lookup(struct node *node, const dictum_call *call,
                                     const struct node_keys *keys, dictum_sink *sink,
                                     dictum_error *err) {
  const struct combinator *self = self_of(node);
  dictum_error why = DICTUM_ERROR_INIT;
  const dictum_call share = call_share(call, 0, self->n);
  member_ask(self->members[0], &share, keys, sink, &why);
  dictum_error final = DICTUM_ERROR_INIT; /* of a key that no other member is asked for */
  for (size_t m = 1; m < self->n && any_cannot_tell(sink); m++) {
    if (!cannot_tell(why.status) && final.status == DICTUM_OK)
      final = why;
    why = (dictum_error)DICTUM_ERROR_INIT;
    if (!ask_again(self, m, call, keys, sink, &why))
      return error_nomem(err);
  }
  if (why.status == DICTUM_OK)
    why = final;
  if (why.status != DICTUM_OK)
    error_copy(err, &why);
  return DICTUM_OK;
}

static dictum_status failover_iter_open(struct node *node, const dictum_call *call, void **iter,
                                        dictum_error *err) {
  const struct combinator *self = self_of(node);
  struct walk *walk = calloc(1, sizeof *walk);
  if (!walk)
    return error_nomem(err);
  dictum_status status = DICTUM_RETRY;
  dictum_error why = DICTUM_ERROR_INIT;
  for (size_t m = 0; m < self->n && cannot_tell(status); m++) {
    why = (dictum_error)DICTUM_ERROR_INIT;
    const dictum_call share = call_share(call, m, self->n);
    walk->member = self->members[m];
    status = walk->member->ops->iter_open(walk->member, &share, &walk->iter, &why);
    error_where(&why, status, walk->member->spec);
  }
  if (status == DICTUM_OK) {
    *iter = walk;
    return DICTUM_OK;
  }
  free(walk);
  return error_copy(err, &why);
}

static dictum_status failover_iter_next(struct node *node, void *iter, dictum_rec *rec,
                                        dictum_error *err) {
  (void)node;
  struct walk *walk = iter;
  return walk->member->ops->iter_next(walk->member, walk->iter, rec, err);
}

static void failover_iter_close(struct node *node, void *iter) {
  (void)node;
  struct walk *walk = iter;
  walk->member->ops->iter_close(walk->member, walk->iter);
  free(walk);
}

static uint32_t failover_caps(const struct node *node) {
  return combinator_caps((const struct combinator *)node, 0);
}

static void failover_close(struct node *node) {
  combinator_close(self_of(node));
}

/* The rest is never asked of a table that cannot be written to. */
static const struct node_ops failover_ops = {
    .close = failover_close,
    .caps = failover_caps,
    .lookup = failover_lookup,
    .iter_open = failover_iter_open,
    .iter_next = failover_iter_next,
    .iter_close = failover_iter_close,
};

const struct combinator_kind failover_kind = {
    .name = "failover",
    .summary = "the first table that can tell answers: {type:name, type:name ...}",
    .min_members = 1,
    .max_members = node_most,
    .member_flags = DICTUM_OPEN_DEGRADE,
    .size = sizeof(struct combinator),
    .ops = &failover_ops,
};
