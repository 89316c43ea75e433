/* SPDX-License-Identifier: BSD-2-Clause */
/* pass.c - methods of a combinator with one member, for what it has nothing of its own to add to.
 */
#include "combine.h"

#include <string.h>

#include "error.h"

static struct node *member_of(const struct node *node) {
  return node->children[0];
}

dictum_status pass_iter_open(struct node *node, const dictum_call *call, void **iter,
                             dictum_error *err) {
  struct node *member = member_of(node);
  return member->ops->iter_open(member, call, iter, err);
}

dictum_status refuse_iter_open(struct node *node, const dictum_call *call, void **iter,
                               dictum_error *err) {
  (void)call;
  (void)iter;
  return error_set(err, DICTUM_UNSUPPORTED, 0, "sequence operation is not supported by type %.*s",
                   (int)strcspn(node->spec, ":"), node->spec);
}

dictum_status pass_iter_next(struct node *node, void *iter, dictum_rec *rec, dictum_error *err) {
  struct node *member = member_of(node);
  return member->ops->iter_next(member, iter, rec, err);
}

void pass_iter_close(struct node *node, void *iter) {
  struct node *member = member_of(node);
  member->ops->iter_close(member, iter);
}

dictum_status pass_txn_begin(struct node *node, const dictum_txn_args *args, void **txn,
                             dictum_error *err) {
  struct node *member = member_of(node);
  return member->ops->txn_begin(member, args, txn, err);
}

dictum_status pass_put(struct node *node, void *txn, const dictum_rec *rec, uint32_t dup,
                       dictum_error *err) {
  struct node *member = member_of(node);
  return member->ops->put(member, txn, rec, dup, err);
}

dictum_status pass_del(struct node *node, void *txn, const char *key, size_t len,
                       dictum_error *err) {
  struct node *member = member_of(node);
  return member->ops->del(member, txn, key, len, err);
}

uint32_t pass_load_order(const struct node *node) {
  const struct node *member = member_of(node);
  return member->ops->load_order(member);
}

uint64_t pass_bucket(struct node *node, void *txn, const char *key, size_t len) {
  struct node *member = member_of(node);
  return member->ops->bucket(member, txn, key, len);
}

dictum_status pass_load(struct node *node, void *txn, dictum_bulk *bulk, dictum_error *err) {
  struct node *member = member_of(node);
  return member->ops->load(member, txn, bulk, err);
}

dictum_status pass_commit(struct node *node, void *txn, dictum_error *err) {
  struct node *member = member_of(node);
  return member->ops->commit(member, txn, err);
}

void pass_abort(struct node *node, void *txn) {
  struct node *member = member_of(node);
  member->ops->abort(member, txn);
}
