/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange.c - one question or order, and what one server answers to it. */
#include "exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "status.h"

/* ---- failures ------------------------------------------------------------------------------- */

/* How far an attempt came, and how it ended. */
struct outcome {
  memcached_return_t code;
  int sys_errno;
  bool connecting; /* on a new connection, nothing had been sent before */
};

static struct outcome outcome_of(const struct link *link, memcached_return_t code, bool sent) {
  struct outcome outcome = {code, 0, link->fresh && !sent};
  if (!link->memc || status_is_odd_reply(code))
    return outcome;
  outcome.sys_errno = memcached_last_error_errno(link->memc);
  if (code == MEMCACHED_TIMEOUT)
    outcome.sys_errno = ETIMEDOUT;
  return outcome;
}

static const char *text_of(const struct outcome *outcome, char *buf, size_t size) {
  return outcome->sys_errno ? strerror_r(outcome->sys_errno, buf, size)
                            : memcached_strerror(NULL, outcome->code);
}

static dictum_status fail(const struct terms *terms, const struct server *server,
                          const struct outcome *outcome, dictum_error *err) {
  const dictum_host *host = terms->host;
  char buf[128];
  const char *text = text_of(outcome, buf, sizeof buf);
  dictum_status status = status_of(outcome->code);
  /* "Absent" is no failure: it came where only a failure could. */
  if (status == DICTUM_OK || status == DICTUM_NOTFOUND)
    status = DICTUM_RETRY;
  if (status_is_odd_reply(outcome->code))
    return host->fail(err, status, 0, "%s: unexpected memcache server reply: %s", server->label,
                      text);
  if (outcome->connecting)
    return host->fail(err, status, outcome->sys_errno, "connect to %s: %s", server->label, text);
  return host->fail(err, status, outcome->sys_errno, "%s: %s", server->label, text);
}

/* A server that is not there, or that takes its time, will not be another one a moment later. */
static bool is_worth_another(const struct terms *terms, const struct outcome *outcome) {
  return terms->retries && !outcome->connecting && outcome->code != MEMCACHED_TIMEOUT;
}

/* ---- questions ------------------------------------------------------------------------------ */

/* The library copies the key of a reply to where 250 bytes have room, without a look at its length.
 * What a server that is none of memcached's may send beyond ends here. */
struct reply {
  memcached_result_st result;
  char spill[512];
};

static size_t digits(uint64_t number) {
  return (size_t)snprintf(NULL, 0, "%llu", (unsigned long long)number);
}

/* Replies come in the order of the keys, and those that are absent are left out. */
static bool find_question(const struct questions *questions, const memcached_result_st *result,
                          size_t *place) {
  for (size_t i = questions->done; i < questions->n; i++)
    if (questions->lens[i] == result->key_length &&
        memcmp(questions->keys[i], result->item_key, result->key_length) == 0) {
      *place = i;
      return true;
    }
  return false;
}

static bool is_within(const struct terms *terms, const memcached_result_st *result, size_t len) {
  size_t line = sizeof "VALUE   " - 1 + result->key_length + digits(result->item_flags) +
                digits(len);
  return len <= terms->value_max && line <= terms->line_max;
}

static dictum_status take_reply(const struct terms *terms, const memcached_result_st *result,
                                struct questions *questions, memcached_return_t *code) {
  size_t place, len = memcached_result_length(result);
  *code = MEMCACHED_UNKNOWN_READ_FAILURE;
  if (result->key_length >= MEMCACHED_MAX_KEY || !find_question(questions, result, &place) ||
      !is_within(terms, result, len))
    return DICTUM_RETRY;
  questions->done = place + 1;
  *code = MEMCACHED_SUCCESS;
  const char *value = memcached_result_value(result);
  return questions->found(questions->rock, place, value ? value : "", len);
}

/* Reads replies up to the one that says that there are no more. */
static dictum_status take_replies(const struct terms *terms, struct link *link, int64_t until_ns,
                                  struct questions *questions, memcached_return_t *code) {
  struct reply reply;
  if (!memcached_result_create(link->memc, &reply.result)) {
    *code = MEMCACHED_MEMORY_ALLOCATION_FAILURE;
    return DICTUM_RETRY;
  }
  const memcached_result_st made = reply.result;
  /* While no result has been counted, the library calls every odd reply NOTFOUND. */
  reply.result.count = 1;
  dictum_status status = DICTUM_OK;
  while (status == DICTUM_OK) {
    link_limit(link, until_ns);
    if (!memcached_fetch_result(link->memc, &reply.result, code))
      break;
    reply.result.options = made.options;
    status = take_reply(terms, &reply.result, questions, code);
  }
  memcached_result_free(&reply.result);
  if (status == DICTUM_OK && *code != MEMCACHED_END)
    return DICTUM_RETRY;
  return status;
}

/* @return OK; what found() answered; RETRY with an outcome to tell of */
static dictum_status try_get(const struct terms *terms, struct link *link, int64_t until_ns,
                             struct questions *questions, struct outcome *outcome) {
  const size_t from = questions->done;
  link_limit(link, until_ns);
  memcached_return_t code = memcached_mget(link->memc, questions->keys + from,
                                           questions->lens + from, questions->n - from);
  *outcome = outcome_of(link, code, false);
  if (code != MEMCACHED_SUCCESS)
    return DICTUM_RETRY;
  dictum_status status = take_replies(terms, link, until_ns, questions, &code);
  *outcome = outcome_of(link, code, true);
  if (status == DICTUM_OK)
    questions->done = questions->n;
  return status;
}

dictum_status exchange_get(const struct terms *terms, struct server *server, int64_t until_ns,
                           struct questions *questions, dictum_error *err) {
  for (bool first = true;; first = false) {
    struct link link;
    struct outcome outcome = {link_take(server, until_ns, &link), 0, false};
    if (outcome.code != MEMCACHED_SUCCESS)
      return fail(terms, server, &outcome, err);
    dictum_status status = try_get(terms, &link, until_ns, questions, &outcome);
    link_give(&link, status == DICTUM_OK);
    if (status == DICTUM_OK || outcome.code == MEMCACHED_SUCCESS) /* ... as found() wants it */
      return status;
    if (!first || !is_worth_another(terms, &outcome))
      return fail(terms, server, &outcome, err);
  }
}

/* ---- orders --------------------------------------------------------------------------------- */

static memcached_return_t give_order(memcached_st *memc, const struct order *order) {
  const dictum_key *key = &order->key, *value = &order->value;
  switch (order->kind) {
  case ORDER_SET:
    return memcached_set(memc, key->p, key->n, value->p, value->n, (time_t)order->ttl,
                         order->flags);
  case ORDER_ADD:
    return memcached_add(memc, key->p, key->n, value->p, value->n, (time_t)order->ttl,
                         order->flags);
  case ORDER_DELETE:
    return memcached_delete(memc, key->p, key->n, 0);
  }
  return MEMCACHED_INVALID_ARGUMENTS;
}

/* The answers after which a connection is as good as before, as statuses. */
static bool is_answer(const struct order *order, memcached_return_t code, dictum_status *status) {
  if (code == MEMCACHED_SUCCESS)
    *status = DICTUM_OK;
  else if (code == MEMCACHED_NOTFOUND && order->kind == ORDER_DELETE)
    *status = DICTUM_NOTFOUND;
  else if (code == MEMCACHED_NOTSTORED && order->kind == ORDER_ADD)
    *status = DICTUM_EXISTS;
  else
    return false;
  return true;
}

dictum_status exchange_order(const struct terms *terms, struct server *server, int64_t until_ns,
                             const struct order *order, dictum_error *err) {
  for (bool first = true;; first = false) {
    struct link link;
    struct outcome outcome = {link_take(server, until_ns, &link), 0, false};
    if (outcome.code != MEMCACHED_SUCCESS)
      return fail(terms, server, &outcome, err);
    link_limit(&link, until_ns);
    memcached_return_t code = give_order(link.memc, order);
    dictum_status status;
    bool answered = is_answer(order, code, &status);
    outcome = outcome_of(&link, code, false);
    link_give(&link, answered);
    if (answered)
      return status;
    if (!first || !is_worth_another(terms, &outcome))
      return fail(terms, server, &outcome, err);
  }
}
