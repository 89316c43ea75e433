/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_count.c - tables that count what is asked of them, one type for each
 * thread model. The value is "N", the how-manieth lookup of the module this is,
 * or "crowded" when more threads are inside than the type allows. The keys
 * "opens", "closes" and "forgets" tell how often those methods were called;
 * "deadline" answers the deadline of the call, in nanoseconds.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "fake.h"

static atomic_long opens, closes, forgets, lookups;

/* One for each thread model: all tables of a type together, and each table by itself. */
struct counting {
  struct fake fake; /* first: what fake_open() allocates is moved here */
  atomic_int inside;
};
static atomic_int inside_serial;

static dictum_status open_counting(const dictum_host *host, const dictum_open_args *args,
                                   void **self, dictum_error *err) {
  struct counting *table = calloc(1, sizeof *table);
  (void)args;
  if (!table)
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  table->fake.host = host;
  atomic_fetch_add(&opens, 1);
  *self = table;
  return DICTUM_OK;
}

static void close_counting(void *self) {
  atomic_fetch_add(&closes, 1);
  free(self);
}

static void forget_counting(void *self) {
  atomic_fetch_add(&forgets, 1);
  free(self);
}

static dictum_status say_number(const struct fake *fake, dictum_sink *sink, long long number) {
  char text[32];
  snprintf(text, sizeof text, "%lld", number);
  return fake_say(fake, sink, text);
}

static int is(const char *key, size_t len, const char *word) {
  return len == strlen(word) && memcmp(key, word, len) == 0;
}

static dictum_status answer(struct counting *table, const dictum_call *call, const char *key,
                            size_t len, dictum_sink *sink) {
  if (is(key, len, "opens"))
    return say_number(&table->fake, sink, atomic_load(&opens));
  if (is(key, len, "closes"))
    return say_number(&table->fake, sink, atomic_load(&closes));
  if (is(key, len, "forgets"))
    return say_number(&table->fake, sink, atomic_load(&forgets));
  if (is(key, len, "deadline"))
    return say_number(&table->fake, sink, call->deadline_ns);
  return say_number(&table->fake, sink, atomic_fetch_add(&lookups, 1) + 1);
}

/* Gives others a chance to come in, and tells when one did. */
static dictum_status answer_alone(struct counting *table, atomic_int *inside,
                                  const dictum_call *call, const char *key, size_t len,
                                  dictum_sink *sink) {
  int crowded = atomic_fetch_add(inside, 1) != 0;
  for (int i = 0; i < 3; i++)
    sched_yield();
  dictum_status status = crowded ? fake_say(&table->fake, sink, "crowded")
                                 : answer(table, call, key, len, sink);
  atomic_fetch_sub(inside, 1);
  return status;
}

static dictum_status lookup_serial(void *self, const dictum_call *call, const char *key, size_t len,
                                   dictum_sink *sink, dictum_error *err) {
  (void)err;
  return answer_alone(self, &inside_serial, call, key, len, sink);
}

static dictum_status lookup_per_handle(void *self, const dictum_call *call, const char *key,
                                       size_t len, dictum_sink *sink, dictum_error *err) {
  struct counting *table = self;
  (void)err;
  return answer_alone(table, &table->inside, call, key, len, sink);
}

static dictum_status lookup_parallel(void *self, const dictum_call *call, const char *key,
                                     size_t len, dictum_sink *sink, dictum_error *err) {
  (void)err;
  return answer(self, call, key, len, sink);
}

#define COUNTING(type, model, method)                                                              \
  {                                                                                                \
    .name = type, .summary = "counts", .caps = DICTUM_CAP_MAY_WAIT, .threads = model,              \
    .open = open_counting, .close = close_counting, .forget = forget_counting, .lookup = method    \
  }

static const dictum_type types[] = {
    COUNTING("count_serial", DICTUM_THREADS_SERIAL, lookup_serial),
    COUNTING("count_per_handle", DICTUM_THREADS_PER_HANDLE, lookup_per_handle),
    COUNTING("count_parallel", DICTUM_THREADS_PARALLEL, lookup_parallel),
    /* Between the numbers that there are, and below the least: the more careful one holds. */
    COUNTING("count_150", 150, lookup_serial),
    COUNTING("count_0", 0, lookup_serial),
};

DICTUM_PLUGIN_DEFINE(fake_count, "fake_count", "1", types);
