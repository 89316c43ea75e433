/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_lookup.c - the way of keys through a cache: memory, the store, the member.
 *
 * Keys that another thread is asking for already are waited for at the end.
 */
#include "cache.h"

#include <stdlib.h>

#include "buf.h"
#include "error.h"

/* A key that memory could not answer. */
struct question {
  size_t i; /* in the call */
  enum cache_find found;
  struct flight *flight;
  bool done;
  bool kept; /* the member's answer is */
};

/* One call. */
struct asking {
  struct cache *cache;
  const dictum_call *call;
  const struct node_keys *keys;
  const dictum_key *form; /* of the keys, under which answers are kept */
  dictum_sink *sink;
  dictum_error *err; /* of the caller's; may be NULL */
  bool failed;       /* err is filled */
  int64_t now_ns;
  uint64_t drops; /* how often something had been dropped when it began */
  struct question *questions;
  size_t n;
};

static bool is_answer(dictum_status status) {
  return status == DICTUM_OK || status == DICTUM_NOTFOUND;
}

/* ---- the store ---------------------------------------------------------------------------- */

static int64_t ttl_of(const struct cache *cache, dictum_status status) {
  return status == DICTUM_OK ? cache->times.ttl : cache->times.negative_ttl;
}

/* Answers from the store if that is fresh. What is older is kept in memory, in case that the member
 * cannot tell. */
static bool answer_from_store(struct asking *asking, struct question *question, dictum_buf *buf) {
  struct cache *cache = asking->cache;
  struct cache_record record = {.key = asking->form[question->i]};
  if (!cache_store_get(cache->store, &record, buf))
    return false;
  const int64_t stored_ns = asking->now_ns - record.age_ns;
  if (record.age_ns >= ttl_of(cache, record.status)) {
    cache_memory_keep(cache->memory, &record.key, record.status, &record.value, stored_ns);
    return false;
  }
  host_services.emit_at(asking->sink, question->i, record.status, record.value.p, record.value.n);
  asking->sink->reqs[question->i].flags = DICTUM_F_CACHED;
  cache_memory_land(cache->memory, &record.key, question->flight, CACHE_FROM_STORE, record.status,
                    &record.value, stored_ns, NULL);
  question->done = true;
  return true;
}

static void ask_store(struct asking *asking) {
  if (!asking->cache->store)
    return;
  dictum_buf buf = {0};
  for (size_t q = 0; q < asking->n; q++)
    if (asking->questions[q].found == CACHE_LEAD)
      answer_from_store(asking, &asking->questions[q], &buf);
  dictum_buf_free(&buf);
}

/* ---- failures ------------------------------------------------------------------------------- */

static void tell_stale(struct asking *asking, const dictum_error *why) {
  struct cache *cache = asking->cache;
  if (atomic_exchange(&cache->stale_told, true))
    return;
  event_send(&cache->base.ctx->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_STALE_SERVED,
             cache->base.spec, "answers are used beyond their time, as %s cannot tell: %s",
             cache_member(cache)->spec, why->what);
}

/* The member could not tell request @p i. Answers it from what is kept, or passes the failure on.
 */
static void fall_back(struct asking *asking, size_t i, dictum_status status,
                      const dictum_error *why) {
  bool may_use = status == DICTUM_RETRY || status == DICTUM_CONFIG;
  enum cache_age age = CACHE_NONE;
  if (may_use)
    age = cache_memory_salvage(asking->cache->memory, &asking->form[i],
                               ctx_now_ns(asking->cache->base.ctx), asking->sink, i);
  if (age == CACHE_STALE)
    tell_stale(asking, why);
  if (age != CACHE_NONE)
    return;
  asking->sink->reqs[i].status = status;
  if (!asking->failed)
    error_copy(asking->err, why);
  asking->failed = true;
}

/* ---- the member ----------------------------------------------------------------------------- */

/* Ends one flight with the member's answer. @return true when it is worth keeping. */
static bool land(struct asking *asking, const struct question *question, const dictum_error *why) {
  struct cache *cache = asking->cache;
  const dictum_req *req = &asking->sink->reqs[question->i];
  const dictum_key *key = &asking->form[question->i];
  const dictum_key value = {buf_at(asking->sink->arena, req->off), req->len};
  /* What a cache below answers beyond its time must not begin a new life here. */
  bool borrowed = req->flags & DICTUM_F_STALE;
  dictum_status status = borrowed ? DICTUM_RETRY : req->status;
  dictum_error beyond = DICTUM_ERROR_INIT;
  if (borrowed)
    error_set(&beyond, DICTUM_RETRY, 0, "%s answers beyond its time", cache_member(cache)->spec);
  bool kept = cache_memory_land(cache->memory, key, question->flight, CACHE_FROM_SOURCE, status,
                                &value, asking->now_ns, borrowed ? &beyond : why);
  if (is_answer(req->status)) {
    if (!borrowed)
      atomic_store_explicit(&cache->stale_told, false, memory_order_relaxed);
  } else {
    fall_back(asking, question->i, req->status, why);
  }
  return kept;
}

/* Keeps the answers that are worth it in the store. */
static void store_answers(struct asking *asking) {
  struct cache *cache = asking->cache;
  struct cache_record *records = calloc(asking->n, sizeof *records);
  size_t n = 0;
  for (size_t q = 0; q < asking->n && records; q++) {
    const struct question *question = &asking->questions[q];
    const dictum_req *req = &asking->sink->reqs[question->i];
    if (question->kept)
      records[n++] = (struct cache_record){
          .key = asking->form[question->i],
          .status = req->status,
          .value = {buf_at(asking->sink->arena, req->off), req->len}};
  }
  if (n > 0)
    cache_put_in_store(cache, records, n, asking->drops);
  free(records);
}

/* Answers stay where they are in memory only once all have landed. */
static void land_all(struct asking *asking, const dictum_error *why) {
  bool any = false;
  for (size_t q = 0; q < asking->n; q++) {
    struct question *question = &asking->questions[q];
    if (question->done || question->found == CACHE_JOIN)
      continue;
    question->kept = land(asking, question, why);
    any |= question->kept;
  }
  if (any && asking->cache->store)
    store_answers(asking);
}

/* Asks the member about some of the questions. False when memory is out. */
static bool ask_member(struct asking *asking, bool (*which)(const struct question *),
                       dictum_error *why) {
  struct subset subset;
  if (!subset_init(&subset, asking->n))
    return false;
  for (size_t q = 0; q < asking->n; q++)
    if (which(&asking->questions[q]))
      subset_add(&subset, asking->keys, asking->questions[q].i);
  if (subset.n > 0)
    subset_ask(&subset, cache_member(asking->cache), asking->call, asking->sink, why);
  subset_free(&subset);
  return true;
}

static bool is_ours(const struct question *question) {
  return !question->done && question->found != CACHE_JOIN;
}

static bool is_left(const struct question *question) {
  return !question->done;
}

static void set_all(struct asking *asking, dictum_status status) {
  for (size_t q = 0; q < asking->n; q++)
    if (is_ours(&asking->questions[q]))
      asking->sink->reqs[asking->questions[q].i].status = status;
}

static void ask_ours(struct asking *asking) {
  dictum_error why = DICTUM_ERROR_INIT;
  if (!ask_member(asking, is_ours, &why)) {
    error_nomem(&why);
    set_all(asking, DICTUM_NOMEM);
  }
  land_all(asking, &why);
  for (size_t q = 0; q < asking->n; q++)
    if (asking->questions[q].found != CACHE_JOIN)
      asking->questions[q].done = true;
}

/* ---- questions of other threads ------------------------------------------------------------- */

static void join(struct asking *asking, struct question *question) {
  struct cache *cache = asking->cache;
  const dictum_key *key = &asking->form[question->i];
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = cache_memory_join(cache->memory, key, question->flight,
                                           asking->call->deadline_ns, &why);
  if (!is_answer(status)) {
    fall_back(asking, question->i, status, &why);
    question->done = true;
    return;
  }
  /* An answer that was too large, or was dropped at once, must be asked for again. */
  question->done = cache_memory_salvage(cache->memory, key, ctx_now_ns(cache->base.ctx),
                                        asking->sink, question->i) == CACHE_FRESH;
  if (!question->done)
    asking->sink->reqs[question->i].flags = 0;
}

/* Only after our own have landed, so that two batches never wait for each other. */
static void join_others(struct asking *asking) {
  bool left = false;
  for (size_t q = 0; q < asking->n; q++)
    if (asking->questions[q].found == CACHE_JOIN) {
      join(asking, &asking->questions[q]);
      left |= !asking->questions[q].done;
    }
  if (!left)
    return;
  dictum_error why = DICTUM_ERROR_INIT;
  bool asked = ask_member(asking, is_left, &why);
  for (size_t q = 0; q < asking->n; q++) {
    const struct question *question = &asking->questions[q];
    dictum_req *req = &asking->sink->reqs[question->i];
    if (question->done)
      continue;
    if (!asked)
      req->status = error_nomem(&why);
    if (!is_answer(req->status))
      fall_back(asking, question->i, req->status, &why);
  }
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* Looks all keys up in memory and makes questions of the rest. False when memory is out: then
 * nothing is under way. */
static bool ask_memory(struct asking *asking) {
  for (size_t i = 0; i < asking->sink->n; i++) {
    struct question question = {.i = i};
    question.found = cache_memory_find(asking->cache->memory, &asking->form[i], asking->now_ns,
                                       asking->sink, i, &question.flight);
    if (question.found == CACHE_HIT)
      continue;
    if (!asking->questions)
      asking->questions = calloc(asking->sink->n - i, sizeof *asking->questions);
    if (asking->questions) {
      asking->questions[asking->n++] = question;
      continue;
    }
    dictum_error why = DICTUM_ERROR_INIT;
    error_nomem(&why);
    if (question.found == CACHE_JOIN)
      cache_memory_join(asking->cache->memory, &asking->form[i], question.flight, 1, NULL);
    else
      cache_memory_land(asking->cache->memory, &asking->form[i], question.flight, CACHE_FROM_SOURCE,
                        DICTUM_NOMEM, NULL, asking->now_ns, &why);
    return false;
  }
  return true;
}

dictum_status cache_lookup(struct node *node, const dictum_call *call, const struct node_keys *keys,
                           dictum_sink *sink, dictum_error *err) {
  struct cache *cache = (struct cache *)node;
  struct asking asking = {.cache = cache,
                          .call = call,
                          .keys = keys,
                          .form = cache_form(cache, keys),
                          .sink = sink,
                          .err = err,
                          .now_ns = ctx_now_ns(cache->base.ctx),
                          .drops = atomic_load(&cache->drops)};
  cache_tick(cache, asking.now_ns);
  if (!ask_memory(&asking))
    return error_nomem(err);
  if (asking.n == 0)
    return DICTUM_OK;
  ask_store(&asking);
  ask_ours(&asking);
  join_others(&asking);
  free(asking.questions);
  return DICTUM_OK;
}
