/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipemap.c - "pipemap:{a, b}": what one member finds is the key for the next.
 *
 * As in Postfix: a key that some member does not have is not found; one that
 * some member cannot tell fails. Each member but the first gets keys that were
 * values, which are checked and folded like any other key.
 */
#include <stdlib.h>

#include "buf.h"
#include "combine.h"
#include "error.h"
#include "event.h"
#include "fold.h"
#include "table.h"

struct pipemap {
  struct combinator base;
  uint32_t flags; /* DICTUM_OPEN_* */
};

/* The keys of one call that have come to one member. */
struct stage {
  struct subset at;
  dictum_buf text; /* keys that were values: each as it came, then folded */
};

static void stage_free(struct stage *stage) {
  subset_free(&stage->at);
  dictum_buf_free(&stage->text);
}

/* Makes a key of a value. Only the lengths are noted, as the text still grows.
 * @return false when memory is out */
static bool add_key(const struct pipemap *pipe, struct stage *stage, size_t i, const char *value,
                    size_t len, dictum_sink *sink, dictum_error *err) {
  struct key_scratch scratch;
  scratch.large = (dictum_buf){0};
  dictum_key folded;
  dictum_status status = DICTUM_OK;
  if ((pipe->flags & DICTUM_OPEN_UTF8) && !utf8_valid(value, len))
    status = error_code(err, DICTUM_CONFIG, DICTUM_CODE_NON_UTF8, 0, "non-UTF-8 value \"%.*s\"",
                        (int)(len < 100 ? len : 100), value);
  if (status == DICTUM_OK)
    status = key_prepare(pipe->flags, true, value, len, &scratch, &folded, err);
  if (status == DICTUM_OK &&
      (!buf_append(&stage->text, value, len) || !buf_append(&stage->text, folded.p, folded.n)))
    status = error_nomem(err);
  if (status == DICTUM_OK) {
    const size_t at = stage->at.n++;
    stage->at.index[at] = i;
    stage->at.raw[at].n = len;
    stage->at.folded[at].n = folded.n;
  } else {
    sink->reqs[i].status = status;
  }
  dictum_buf_free(&scratch.large);
  return status != DICTUM_NOMEM;
}

static void point_keys(struct stage *stage) {
  const char *text = stage->text.data;
  for (size_t i = 0; i < stage->at.n; i++) {
    dictum_key *raw = &stage->at.raw[i], *folded = &stage->at.folded[i];
    raw->p = text;
    folded->p = text + raw->n;
    text = folded->p + folded->n;
    stage->at.reqs[i] = (dictum_req){.key = raw->p, .keylen = raw->n};
  }
}

/* The values of @p from become the keys of @p to; what has no value has its answer. */
static bool hand_over(const struct pipemap *pipe, const struct subset *from,
                      const dictum_buf *arena, struct stage *to, dictum_sink *sink,
                      dictum_error *err) {
  for (size_t i = 0; i < from->n; i++) {
    const dictum_req *req = &from->reqs[i];
    sink->reqs[from->index[i]].flags |= req->flags;
    if (req->status != DICTUM_OK)
      sink->reqs[from->index[i]].status = req->status;
    else if (!add_key(pipe, to, from->index[i], arena->data + req->off, req->len, sink, err))
      return false;
  }
  point_keys(to);
  return true;
}

static bool answer(const struct subset *last, const dictum_buf *arena, dictum_sink *sink) {
  bool good = true;
  for (size_t i = 0; i < last->n; i++) {
    const dictum_req *req = &last->reqs[i];
    sink->reqs[last->index[i]].flags |= req->flags;
    good &= host_services.emit_at(sink, last->index[i], req->status, buf_at(arena, req->off),
                                  req->len) == DICTUM_OK;
  }
  return good;
}

/* Asks one member and leads the keys on. False when memory is out. */
static bool pass(const struct pipemap *pipe, size_t member, const dictum_call *call,
                 struct stage *stage, dictum_sink *sink, dictum_error *err) {
  dictum_buf arena = {0};
  const struct node_keys keys = {stage->at.raw, stage->at.folded, stage->at.n};
  dictum_sink answers = {.reqs = stage->at.reqs, .n = stage->at.n, .arena = &arena};
  struct stage next = {0};
  dictum_error *why = err->status == DICTUM_OK ? err : NULL;
  member_ask(pipe->base.members[member], call, &keys, &answers, why);
  bool good;
  if (member + 1 == pipe->base.n)
    good = answer(&stage->at, &arena, sink);
  else
    good = subset_init(&next.at, stage->at.n) &&
           hand_over(pipe, &stage->at, &arena, &next, sink, why);
  stage_free(stage);
  *stage = next;
  dictum_buf_free(&arena);
  return good;
}

static dictum_status pipemap_lookup(struct node *node, const dictum_call *call,
                                    const struct node_keys *keys, dictum_sink *sink,
                                    dictum_error *err) {
  const struct pipemap *pipe = (const struct pipemap *)node;
  struct stage stage = {0};
  dictum_error why = DICTUM_ERROR_INIT;
  bool good = subset_init(&stage.at, sink->n);
  for (size_t i = 0; good && i < sink->n; i++)
    subset_add(&stage.at, keys, i);
  for (size_t m = 0; good && m < pipe->base.n && stage.at.n > 0; m++)
    good = pass(pipe, m, call, &stage, sink, &why);
  stage_free(&stage);
  if (!good)
    return error_nomem(err);
  if (why.status != DICTUM_OK)
    error_copy(err, &why);
  return DICTUM_OK;
}

static uint32_t pipemap_caps(const struct node *node) {
  return combinator_caps((const struct combinator *)node, 0) & ~DICTUM_CAP_ITERATE;
}

static void pipemap_close(struct node *node) {
  combinator_close((struct combinator *)node);
}

static dictum_status pipemap_init(struct combinator *base, const dictum_cfg *cfg, uint32_t flags,
                                  dictum_error *err) {
  (void)cfg;
  (void)err;
  ((struct pipemap *)base)->flags = flags;
  return DICTUM_OK;
}

static const struct node_ops pipemap_ops = {
    .close = pipemap_close,
    .caps = pipemap_caps,
    .lookup = pipemap_lookup,
    .iter_open = refuse_iter_open,
};

const struct combinator_kind pipemap_kind = {
    .name = "pipemap",
    .summary = "what one table finds is the key for the next: {type:name, type:name ...}",
    .min_members = 1,
    .max_members = node_most,
    .size = sizeof(struct pipemap),
    .ops = &pipemap_ops,
    .init = pipemap_init,
};
