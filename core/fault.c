/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.c - "fault:{retry=10, type:name}": a table that fails on purpose, for drills and tests.
 *
 * Each key of a lookup is hit by chance, or not at all while the trigger file is
 * absent. The chance comes from a counter and a seed: with a seed of one's own a
 * run can be had again.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "combine.h"
#include "error.h"
#include "keyhash.h"
#include "options.h"

struct fault {
  struct combinator base;
  uint64_t retry, config, notfound; /* percent */
  int64_t delay_ns;
  char *trigger; /* a file, or NULL: always */
  uint64_t seed;
  atomic_uint_least64_t counter;
};

static struct fault *self_of(struct node *node) {
  return (struct fault *)node;
}

static bool is_triggered(const struct fault *fault) {
  return !fault->trigger || access(fault->trigger, F_OK) == 0;
}

/* @return OK: this key is spared. */
static dictum_status draw(struct fault *fault) {
  const uint64_t turn = atomic_fetch_add_explicit(&fault->counter, 1, memory_order_relaxed);
  const uint64_t lot = keyhash((const char *)&turn, sizeof turn, fault->seed) % 100;
  if (lot < fault->retry)
    return DICTUM_RETRY;
  if (lot < fault->retry + fault->config)
    return DICTUM_CONFIG;
  if (lot < fault->retry + fault->config + fault->notfound)
    return DICTUM_NOTFOUND;
  return DICTUM_OK;
}

/* Not longer than the deadline. @return false when that came first. */
static bool dawdle(const struct fault *fault, const dictum_call *call) {
  if (fault->delay_ns == 0)
    return true;
  int64_t until = deadline_now_ns() + fault->delay_ns;
  bool in_time = call->deadline_ns == 0 || until <= call->deadline_ns;
  if (!in_time)
    until = call->deadline_ns;
  const struct timespec time = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
    continue;
  return in_time;
}

static void strike(dictum_req *req, dictum_status status, dictum_error *why) {
  req->status = status;
  if (status != DICTUM_NOTFOUND && why->status == DICTUM_OK)
    error_set(why, status, 0, "a fault on purpose");
}

static dictum_status ask_spared(struct fault *fault, const dictum_call *call,
                                const struct node_keys *keys, dictum_sink *sink,
                                dictum_error *err) {
  struct subset spared;
  dictum_error why = DICTUM_ERROR_INIT;
  bool in_time = dawdle(fault, call);
  if (!subset_init(&spared, sink->n))
    return error_nomem(err);
  for (size_t i = 0; i < sink->n; i++) {
    dictum_status status = in_time ? draw(fault) : DICTUM_RETRY;
    if (status == DICTUM_OK)
      subset_add(&spared, keys, i);
    else
      strike(&sink->reqs[i], status, &why);
  }
  if (spared.n > 0)
    subset_ask(&spared, fault->base.members[0], call, sink, &why);
  subset_free(&spared);
  if (why.status != DICTUM_OK)
    error_copy(err, &why);
  return DICTUM_OK;
}

static dictum_status fault_lookup(struct node *node, const dictum_call *call,
                                  const struct node_keys *keys, dictum_sink *sink,
                                  dictum_error *err) {
  struct fault *fault = self_of(node);
  struct node *member = fault->base.members[0];
  return is_triggered(fault) ? ask_spared(fault, call, keys, sink, err)
                             : member->ops->lookup(member, call, keys, sink, err);
}

static uint32_t fault_caps(const struct node *node) {
  const struct fault *fault = (const struct fault *)node;
  uint32_t caps = combinator_caps(&fault->base,
                                  DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE);
  return fault->delay_ns > 0 ? caps | DICTUM_CAP_MAY_WAIT : caps;
}

static void fault_close(struct node *node) {
  struct fault *fault = self_of(node);
  free(fault->trigger);
  combinator_close(&fault->base);
}

static const dictum_opt fault_opts[] = {
    {"retry", DICTUM_OPT_INT, "0", 0, 100, "percent of keys that are answered \"try later\""},
    {"config", DICTUM_OPT_INT, "0", 0, 100, "percent that are answered \"misconfigured\""},
    {"notfound", DICTUM_OPT_INT, "0", 0, 100, "percent that are answered \"no such key\""},
    {"delay_ms", DICTUM_OPT_INT, "0", 0, 3600000, "milliseconds that each lookup takes longer"},
    {"trigger", DICTUM_OPT_STR, "", 0, 0, "only while this file exists"},
    {"seed", DICTUM_OPT_INT, "0", 0, 0, "for the same faults again; 0: never the same"},
};

static dictum_status fault_init(struct combinator *base, const dictum_cfg *cfg, uint32_t flags,
                                dictum_error *err) {
  (void)flags;
  struct fault *fault = (struct fault *)base;
  fault->retry = (uint64_t)options_int(cfg, "retry");
  fault->config = (uint64_t)options_int(cfg, "config");
  fault->notfound = (uint64_t)options_int(cfg, "notfound");
  fault->delay_ns = options_int(cfg, "delay_ms") * 1000000;
  fault->seed = (uint64_t)options_int(cfg, "seed");
  if (fault->seed == 0)
    fault->seed = keyhash_seed();
  if (fault->retry + fault->config + fault->notfound > 100)
    return error_set(err, DICTUM_INVALID, 0, "fault: the percentages add up to more than 100");
  const char *trigger = options_str(cfg, "trigger");
  if (*trigger && !(fault->trigger = strdup(trigger)))
    return error_nomem(err);
  return DICTUM_OK;
}

static const struct node_ops fault_ops = {
    .close = fault_close,
    .caps = fault_caps,
    .lookup = fault_lookup,
    .iter_open = pass_iter_open,
    .iter_next = pass_iter_next,
    .iter_close = pass_iter_close,
    .txn_begin = pass_txn_begin,
    .put = pass_put,
    .del = pass_del,
    .load_order = pass_load_order,
    .bucket = pass_bucket,
    .load = pass_load,
    .commit = pass_commit,
    .abort = pass_abort,
};

const struct combinator_kind fault_kind = {
    .name = "fault",
    .summary = "fails on purpose, for drills and tests: {retry=10, type:name}",
    .opts = fault_opts,
    .nopts = sizeof fault_opts / sizeof *fault_opts,
    .min_members = 1,
    .max_members = 1,
    .writes = DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE,
    .size = sizeof(struct fault),
    .ops = &fault_ops,
    .init = fault_init,
};
