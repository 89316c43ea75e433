/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug.c - "debug:type:name": a table whose uses are told by events, code ACCESS.
 *
 * It takes no braces, as in Postfix. Nothing else changes.
 */
#include "combine.h"
#include "error.h"
#include "event.h"

enum { shown_size = 1000 };

static int shown(size_t len) {
  return (int)(len < shown_size ? len : shown_size);
}

static struct node *member_of(struct node *node) {
  return node->children[0];
}

static const struct event_sink *events_of(struct node *node) {
  return &((struct combinator *)node)->ctx->events;
}

/* What Postfix calls these answers. */
static const char *answer_name(dictum_status status) {
  switch (status) {
  case DICTUM_OK:
    return "success";
  case DICTUM_NOTFOUND:
    return "not_found";
  default:
    return "error";
  }
}

static void tell_lookup(struct node *node, const dictum_key *key, const dictum_req *req,
                        const dictum_buf *arena) {
  const char *spec = member_of(node)->spec;
  bool found = req->status == DICTUM_OK;
  const char *value = found ? arena->data + req->off : answer_name(req->status);
  const int len = found ? shown(req->len) : shown_size;
  event_send(events_of(node), DICTUM_LEVEL_INFO, DICTUM_CODE_ACCESS, node->spec,
             "%s lookup: \"%.*s\" = \"%.*s\"", spec, shown(key->n), key->p, len, value);
}

static dictum_status debug_lookup(struct node *node, const dictum_call *call,
                                  const struct node_keys *keys, dictum_sink *sink,
                                  dictum_error *err) {
  struct node *member = member_of(node);
  dictum_status status = member->ops->lookup(member, call, keys, sink, err);
  for (size_t i = 0; status == DICTUM_OK && i < sink->n; i++)
    tell_lookup(node, &keys->raw[i], &sink->reqs[i], sink->arena);
  return status;
}

static dictum_status debug_iter_next(struct node *node, void *iter, dictum_rec *rec,
                                     dictum_error *err) {
  const char *spec = member_of(node)->spec;
  dictum_status status = pass_iter_next(node, iter, rec, err);
  if (status == DICTUM_OK)
    event_send(events_of(node), DICTUM_LEVEL_INFO, DICTUM_CODE_ACCESS, node->spec,
               "%s sequence: \"%.*s\" = \"%.*s\"", spec, shown(rec->key.n), rec->key.p,
               shown(rec->value.n), rec->value.p);
  else
    event_send(events_of(node), DICTUM_LEVEL_INFO, DICTUM_CODE_ACCESS, node->spec,
               "%s sequence: %s", spec, status == DICTUM_END ? "not_found" : "error");
  return status;
}

static dictum_status debug_put(struct node *node, void *txn, const dictum_rec *rec, uint32_t dup,
                               dictum_error *err) {
  dictum_status status = pass_put(node, txn, rec, dup, err);
  event_send(events_of(node), DICTUM_LEVEL_INFO, DICTUM_CODE_ACCESS, node->spec,
             "%s update: \"%.*s\" = \"%.*s\": %s", member_of(node)->spec, shown(rec->key.n),
             rec->key.p, shown(rec->value.n), rec->value.p, answer_name(status));
  return status;
}

static dictum_status debug_del(struct node *node, void *txn, const char *key, size_t len,
                               dictum_error *err) {
  dictum_status status = pass_del(node, txn, key, len, err);
  event_send(events_of(node), DICTUM_LEVEL_INFO, DICTUM_CODE_ACCESS, node->spec,
             "%s delete: \"%.*s\": %s", member_of(node)->spec, shown(len), key,
             answer_name(status));
  return status;
}

static uint32_t debug_caps(const struct node *node) {
  return combinator_caps((const struct combinator *)node, DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE);
}

static void debug_close(struct node *node) {
  combinator_close((struct combinator *)node);
}

static const struct node_ops debug_ops = {
    .close = debug_close,
    .caps = debug_caps,
    .lookup = debug_lookup,
    .iter_open = pass_iter_open,
    .iter_next = debug_iter_next,
    .iter_close = pass_iter_close,
    .txn_begin = pass_txn_begin,
    .put = debug_put,
    .del = debug_del,
    .load_order = pass_load_order,
    .bucket = pass_bucket,
    .load = pass_load,
    .commit = pass_commit,
    .abort = pass_abort,
};

const struct combinator_kind debug_kind = {
    .name = "debug",
    .summary = "tells of each use of a table: debug:type:name",
    .min_members = 1,
    .max_members = 1,
    .writes = DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE,
    .bare = true,
    .size = sizeof(struct combinator),
    .ops = &debug_ops,
};
