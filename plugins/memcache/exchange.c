/* SPDX-License-Identifier: BSD-2-Clause */
/* exchange.c - one question or order, and what one server answers to it. */
#include "exchange.h"

#include <errno.h>
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
  if (!link->memc || memcache_is_odd_reply(code))
    return outcome;
  outcome.sys_errno = memcached_last_error_errno(link->memc);
  /* The library does not always keep the number of the error behind these two. */
  if (code == MEMCACHED_TIMEOUT)
    outcome.sys_errno = ETIMEDOUT;
  else if (code == MEMCACHED_CONNECTION_FAILURE && !outcome.sys_errno)
    outcome.sys_errno = outcome.connecting ? ECONNREFUSED : ECONNRESET;
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
  dictum_status status = memcache_status(outcome->code);
  /* "Absent" is no failure: it came where only a failure could. */
  if (status == DICTUM_OK || status == DICTUM_NOTFOUND)
    status = DICTUM_RETRY;
  const bool odd = memcache_is_odd_reply(outcome->code);
  const char *before = !odd && outcome->connecting ? "connect to " : "";
  const char *between = odd ? "unexpected memcache server reply: " : "";
  return (terms->alone ? host->fail : host->fail_key)(err, status, odd ? 0 : outcome->sys_errno,
                                                      "%s%s: %s%s", before, server->label, between,
                                                      text);
}

/* A server that is not there, or that takes its time, will not be another one a moment later. */
static bool is_worth_another(const struct terms *terms, const struct outcome *outcome) {
  return terms->retries && !outcome->connecting && outcome->code != MEMCACHED_TIMEOUT &&
         memcache_status(outcome->code) != DICTUM_INVALID;
}

/* ---- questions ------------------------------------------------------------------------------ */

/* The library copies the key of a reply to where 250 bytes have room, without a look at its length.
 * What a server that is none of memcached's may send beyond ends here. */
struct reply {
  memcached_result_st result;
  char spill[512];
};

static size_t digits(size_t number) {
  size_t n = 1;
  for (; number >= 10; number /= 10)
    n++;
  return n;
}

/* Replies come in the order of the keys, and those that are absent are left out. */
static bool find_question(const struct questions *questions, size_t from, size_t until,
                          const memcached_result_st *result, size_t *place) {
  for (size_t i = from; i < until; i++)
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

/* Keeps the value of one key of [*from, until), and moves *@p from behind it. */
static memcached_return_t take_reply(const struct terms *terms, const memcached_result_st *result,
                                     struct questions *questions, size_t *from, size_t until) {
  size_t place, len = memcached_result_length(result);
  if (result->key_length >= MEMCACHED_MAX_KEY ||
      !find_question(questions, *from, until, result, &place) || !is_within(terms, result, len))
    return MEMCACHED_UNKNOWN_READ_FAILURE;
  const size_t off = questions->values->len;
  if (!text_append(questions->values, memcached_result_value(result), len))
    return MEMCACHED_MEMORY_ALLOCATION_FAILURE;
  questions->answers[place] = (struct answer){true, off, len};
  *from = place + 1;
  return MEMCACHED_SUCCESS;
}

/* Reads replies. @return END after the one that says that there are no more; else what is wrong */
static memcached_return_t take_replies(const struct terms *terms, struct link *link,
                                       int64_t until_ns, struct questions *questions,
                                       size_t until) {
  struct reply reply;
  size_t from = questions->done;
  if (!memcached_result_create(link->memc, &reply.result))
    return MEMCACHED_MEMORY_ALLOCATION_FAILURE;
  const memcached_result_st made = reply.result;
  /* While no result has been counted, the library calls every odd reply NOTFOUND. */
  reply.result.count = 1;
  memcached_return_t code = MEMCACHED_SUCCESS;
  while (code == MEMCACHED_SUCCESS) {
    memcache_link_limit(link, until_ns);
    if (!memcached_fetch_result(link->memc, &reply.result, &code))
      break;
    reply.result.options = made.options;
    code = take_reply(terms, &reply.result, questions, &from, until);
  }
  memcached_result_free(&reply.result);
  return code;
}

/* Asks for the keys [done, until) in one command. @return whether they have their answers */
static bool ask(const struct terms *terms, struct link *link, int64_t until_ns,
                struct questions *questions, size_t until, struct outcome *outcome) {
  const size_t from = questions->done;
  for (size_t i = from; i < until; i++)
    questions->answers[i] = (struct answer){0};
  memcache_link_limit(link, until_ns);
  memcached_return_t code = memcached_mget(link->memc, questions->keys + from,
                                           questions->lens + from, until - from);
  *outcome = outcome_of(link, code, false);
  if (code != MEMCACHED_SUCCESS)
    return false;
  code = take_replies(terms, link, until_ns, questions, until);
  *outcome = outcome_of(link, code, true);
  if (code != MEMCACHED_END)
    return false;
  questions->done = until;
  return true;
}

/* The first command on a new connection asks for one key only: when it cannot connect, the library
 * tries again for each key, and tells why for the last. */
static bool try_get(const struct terms *terms, struct link *link, int64_t until_ns,
                    struct questions *questions, struct outcome *outcome) {
  if (link->fresh && questions->n - questions->done > 1) {
    if (!ask(terms, link, until_ns, questions, questions->done + 1, outcome))
      return false;
    link->fresh = false;
  }
  return ask(terms, link, until_ns, questions, questions->n, outcome);
}

dictum_status memcache_get(const struct terms *terms, struct server *server, int64_t until_ns,
                           struct questions *questions, dictum_error *err) {
  for (bool first = true;; first = false) {
    struct link link;
    struct outcome outcome = {memcache_link_take(server, until_ns, &link), 0, false};
    if (outcome.code != MEMCACHED_SUCCESS)
      return fail(terms, server, &outcome, err);
    bool answered = try_get(terms, &link, until_ns, questions, &outcome);
    memcache_link_give(&link, answered);
    if (answered)
      return DICTUM_OK;
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

/* What is at the other end of a new connection? The library ends the process when a set is answered
 * with a number, as an SMTP server does, and takes that for the success of a delete; a get is safe
 * with whatever answers. */
static bool greet(const struct terms *terms, struct link *link, int64_t until_ns,
                  struct outcome *outcome) {
  const char *key = "dictum";
  size_t len = strlen(key);
  struct answer answer;
  struct text value = {0};
  struct questions questions = {
      .keys = &key, .lens = &len, .n = 1, .answers = &answer, .values = &value};
  bool answered = ask(terms, link, until_ns, &questions, 1, outcome);
  text_free(&value);
  return answered;
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

/* Done twice, it does the same, and so does its answer. */
static bool may_be_repeated(const struct order *order) {
  return order->kind == ORDER_SET;
}

/* An order that must not be repeated waits until the connection was seen to be alive. */
static bool try_order(const struct terms *terms, struct link *link, int64_t until_ns,
                      const struct order *order, dictum_status *status, struct outcome *outcome,
                      bool *given) {
  if ((link->fresh || !may_be_repeated(order)) && !greet(terms, link, until_ns, outcome))
    return false;
  *given = true;
  memcache_link_limit(link, until_ns);
  memcached_return_t code = give_order(link->memc, order);
  *outcome = outcome_of(link, code, true);
  return is_answer(order, code, status);
}

dictum_status memcache_order(const struct terms *terms, struct server *server, int64_t until_ns,
                             const struct order *order, dictum_error *err) {
  for (bool first = true;; first = false) {
    struct link link;
    struct outcome outcome = {memcache_link_take(server, until_ns, &link), 0, false};
    if (outcome.code != MEMCACHED_SUCCESS)
      return fail(terms, server, &outcome, err);
    dictum_status status;
    bool given = false;
    bool answered = try_order(terms, &link, until_ns, order, &status, &outcome, &given);
    memcache_link_give(&link, answered);
    if (answered)
      return status;
    if (!first || (given && !may_be_repeated(order)) || !is_worth_another(terms, &outcome))
      return fail(terms, server, &outcome, err);
  }
}
