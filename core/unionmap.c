/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unionmap.c - "unionmap:{a, b}": what all members have of a key, with commas between.
 *
 * As in Postfix: values stand in the order of the members, equal ones too; a
 * member that cannot tell fails the whole answer, since an omission would be a
 * wrong answer; an empty value before the others leaves no trace, one behind
 * them a comma.
 */
#include <stdlib.h>

#include "buf.h"
#include "combine.h"
#include "error.h"

/* The answers of one call so far: an own arena and requests for each key, and what joins them. */
struct joining {
  dictum_buf *values; /* of each key */
  bool *failed;       /* some member could not tell; the request has the status */
  size_t n;
};

static bool join(dictum_buf *joined, const char *value, size_t len) {
  if (joined->len > 0 && !buf_append_char(joined, ','))
    return false;
  return buf_append(joined, value, len);
}

/* Asks one member about all keys, those included that have failed: a batch is asked once. */
static dictum_status ask(struct node *member, const dictum_call *call, const struct node_keys *keys,
                         struct joining *joining, dictum_req *reqs, dictum_sink *sink,
                         dictum_error *err) {
  dictum_buf arena = {0};
  dictum_sink answers = {.reqs = reqs, .n = joining->n, .arena = &arena};
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < joining->n; i++)
    reqs[i] = (dictum_req){.key = keys->raw[i].p, .keylen = keys->raw[i].n};
  member_ask(member, call, keys, &answers, &why);
  bool first = why.status != DICTUM_OK;
  for (size_t i = 0; i < joining->n && status == DICTUM_OK; i++) {
    if (reqs[i].status == DICTUM_NOTFOUND || joining->failed[i])
      continue;
    if (reqs[i].status == DICTUM_OK) {
      sink->reqs[i].flags |= reqs[i].flags;
      if (!join(&joining->values[i], arena.data + reqs[i].off, reqs[i].len))
        status = error_nomem(err);
      continue;
    }
    joining->failed[i] = true;
    sink->reqs[i].status = reqs[i].status;
    if (first)
      error_copy(err, &why);
    first = false;
  }
  dictum_buf_free(&arena);
  return status;
}

static dictum_status answer(struct joining *joining, dictum_sink *sink, dictum_error *err) {
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < joining->n && status == DICTUM_OK; i++) {
    const dictum_buf *value = &joining->values[i];
    if (joining->failed[i])
      continue;
    dictum_status found = value->len > 0 ? DICTUM_OK : DICTUM_NOTFOUND;
    status = host_services.emit_at(sink, i, found, value->data, value->len);
    if (status != DICTUM_OK)
      error_nomem(err);
  }
  return status;
}

static dictum_status unionmap_lookup(struct node *node, const dictum_call *call,
                                     const struct node_keys *keys, dictum_sink *sink,
                                     dictum_error *err) {
  const struct combinator *self = (struct combinator *)node;
  struct joining joining = {calloc(sink->n, sizeof *joining.values),
                            calloc(sink->n, sizeof *joining.failed), sink->n};
  dictum_req *reqs = calloc(sink->n, sizeof *reqs);
  dictum_status status = joining.values && joining.failed && reqs ? DICTUM_OK : error_nomem(err);
  dictum_error why = DICTUM_ERROR_INIT;
  for (size_t m = 0; m < self->n && status == DICTUM_OK; m++)
    status = ask(self->members[m], call, keys, &joining, reqs, sink,
                 why.status == DICTUM_OK ? &why : NULL);
  if (status == DICTUM_OK)
    status = answer(&joining, sink, &why);
  if (why.status != DICTUM_OK)
    error_copy(err, &why);
  for (size_t i = 0; joining.values && i < joining.n; i++)
    dictum_buf_free(&joining.values[i]);
  free(joining.values);
  free(joining.failed);
  free(reqs);
  return status;
}

static uint32_t unionmap_caps(const struct node *node) {
  return combinator_caps((const struct combinator *)node, 0) & ~DICTUM_CAP_ITERATE;
}

static void unionmap_close(struct node *node) {
  combinator_close((struct combinator *)node);
}

static const struct node_ops unionmap_ops = {
    .close = unionmap_close,
    .caps = unionmap_caps,
    .lookup = unionmap_lookup,
    .iter_open = refuse_iter_open,
};

const struct combinator_kind unionmap_kind = {
    .name = "unionmap",
    .summary = "what all tables have of a key, with commas between: {type:name, type:name ...}",
    .min_members = 1,
    .max_members = node_most,
    .size = sizeof(struct combinator),
    .ops = &unionmap_ops,
};
