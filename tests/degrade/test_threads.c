/* SPDX-License-Identifier: BSD-2-Clause */
/* test_threads.c - one context and its tables, used by many threads, and across fork(). */
#include "world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { nthreads = 8, rounds = 2000 };

/* What the threads of one test share. They count, and the test judges. */
struct crew {
  struct world *world;
  dictum_table *tables[2];
  atomic_bool stop;
  atomic_uint found, retries, wrong;
  unsigned char *seen; /* by the number that was found */
};

static void start(struct crew *crew, pthread_t threads[nthreads], void *(*work)(void *crew)) {
  for (int i = 0; i < nthreads; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work, crew), 0);
}

static void join(pthread_t threads[nthreads]) {
  for (int i = 0; i < nthreads; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
}

/* Looks "key" up and counts the answer; @p expected: what a found value must be. */
static void ask(struct crew *crew, dictum_table *table, const char *expected, dictum_buf *value) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_lookup(table, "key", 3, value, NULL, &err);
  if (status == DICTUM_OK && strcmp(value->data, expected) == 0)
    atomic_fetch_add(&crew->found, 1);
  else if (status == DICTUM_RETRY && err.what[0] != '\0')
    atomic_fetch_add(&crew->retries, 1);
  else
    atomic_fetch_add(&crew->wrong, 1);
}

/* ---- down and up ----------------------------------------------------------------------------- */

static void *ask_until_stopped(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  while (!atomic_load(&crew->stop))
    ask(crew, crew->tables[0], "yes", &value);
  dictum_buf_free(&value);
  return NULL;
}

static void wait_for_more(atomic_uint *counter, unsigned more) {
  unsigned until = atomic_load(counter) + more;
  while (atomic_load(counter) < until)
    sched_yield();
}

/* The plugin arrives while all ask for it. */
static void plugin_arrives(void **state) {
  struct crew crew = {.world = *state};
  pthread_t threads[nthreads];
  crew.tables[0] = world_open(crew.world, "fake_ok:x", DICTUM_OPEN_DEGRADE);
  start(&crew, threads, ask_until_stopped);
  for (int i = 0; i < 20; i++) {
    wait_for_more(&crew.retries, nthreads);
    world_pass(crew.world, longer_than_any_pause_ms);
  }
  assert_int_equal(atomic_load(&crew.found), 0);
  world_install(crew.world, "fake_ok", "fake_ok");
  while (atomic_load(&crew.found) < rounds) { /* one that asks may have tried just before */
    world_pass(crew.world, longer_than_any_pause_ms);
    sched_yield();
  }
  atomic_store(&crew.stop, true);
  join(threads);
  assert_int_equal(atomic_load(&crew.wrong), 0);
  assert_events(crew.world, 1, 1);
  dictum_close(crew.tables[0]);
}

/* A server goes and comes while all ask it: as often told as it happened. */
static void server_goes_and_comes(void **state) {
  struct crew crew = {.world = *state};
  pthread_t threads[nthreads];
  char path[256], spec[320];
  world_install(crew.world, "fake_moody", "fake_moody");
  world_write(crew.world, "mood", "yes");
  world_path(crew.world, "mood", path);
  snprintf(spec, sizeof spec, "moody:%s", path);
  crew.tables[0] = world_open(crew.world, spec, 0);
  start(&crew, threads, ask_until_stopped);
  for (unsigned i = 1; i <= 10; i++) {
    wait_for_more(&crew.found, nthreads);
    world_write(crew.world, "mood", "retry");
    while (atomic_load(&crew.world->downs) < i)
      sched_yield();
    world_write(crew.world, "mood", "yes");
    while (atomic_load(&crew.world->ups) < i) {
      world_pass(crew.world, longer_than_any_pause_ms);
      sched_yield();
    }
  }
  atomic_store(&crew.stop, true);
  join(threads);
  assert_int_equal(atomic_load(&crew.wrong), 0);
  assert_events(crew.world, 10, 10);
  dictum_close(crew.tables[0]);
}

/* ---- thread models --------------------------------------------------------------------------- */

static void *count(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  for (int i = 0; i < rounds; i++) {
    dictum_status status = dictum_lookup(crew->tables[i % 2], "key", 3, &value, NULL, NULL);
    unsigned long number = status == DICTUM_OK ? strtoul(value.data, NULL, 10) : 0;
    /* No other thread has found this number: a byte of its own. */
    if (number == 0 || number > nthreads * rounds)
      atomic_fetch_add(&crew->wrong, 1);
    else
      crew->seen[number]++;
  }
  dictum_buf_free(&value);
  return NULL;
}

/* Two tables of one type; each lookup must get a number of its own. Runs in a child process, where
 * the plugin has not counted yet. */
static bool model_is_kept(void *rock) {
  struct crew *crew = rock;
  pthread_t threads[nthreads];
  crew->seen = calloc(nthreads * rounds + 1, 1);
  for (int i = 0; i < nthreads; i++)
    if (pthread_create(&threads[i], NULL, count, crew) != 0)
      return false;
  for (int i = 0; i < nthreads; i++)
    pthread_join(threads[i], NULL);
  for (unsigned i = 1; i <= nthreads * rounds; i++)
    if (crew->seen[i] != 1)
      return false;
  dictum_close(crew->tables[0]);
  dictum_close(crew->tables[1]);
  free(crew->seen);
  return atomic_load(&crew->wrong) == 0;
}

static void check_model(struct world *world, const char *type) {
  struct crew crew = {.world = world};
  char spec[64];
  world_install(world, "fake_count", "fake_count");
  for (int i = 0; i < 2; i++) {
    snprintf(spec, sizeof spec, "%s:%d", type, i);
    crew.tables[i] = world_open(world, spec, 0);
  }
  assert_child(model_is_kept, &crew);
  dictum_close(crew.tables[0]);
  dictum_close(crew.tables[1]);
}

static void serial(void **state) {
  check_model(*state, "count_serial");
}

static void per_handle(void **state) {
  check_model(*state, "count_per_handle");
}

static void parallel(void **state) {
  check_model(*state, "count_parallel");
}

static void between_two_models_the_stricter(void **state) {
  check_model(*state, "count_150");
  check_model(*state, "count_0");
}

/* ---- opening --------------------------------------------------------------------------------- */

static void *open_and_close(void *rock) {
  struct crew *crew = rock;
  static const char *const specs[] = {"fake_ok:x", "short_second:x", "future_second:x",
                                      "static:yes", "nosuch:x"};
  dictum_buf value = {0};
  for (int i = 0; i < 100; i++) {
    dictum_table *table;
    dictum_status status = dictum_open(crew->world->ctx, specs[i % 5], 0, &table, NULL);
    if (status != (i % 5 == 4 ? DICTUM_CONFIG : DICTUM_OK))
      atomic_fetch_add(&crew->wrong, 1);
    else if (table)
      ask(crew, table, i % 5 == 1 || i % 5 == 2 ? "second" : "yes", &value);
    dictum_close(table);
  }
  dictum_buf_free(&value);
  return NULL;
}

static void plugins_are_loaded_by_all_at_once(void **state) {
  struct crew crew = {.world = *state};
  pthread_t threads[nthreads];
  world_install(crew.world, "fake_ok", "fake_ok");
  world_install(crew.world, "fake_short_struct", "fake_short_struct");
  world_install(crew.world, "fake_future_struct", "fake_future_struct");
  start(&crew, threads, open_and_close);
  join(threads);
  assert_int_equal(atomic_load(&crew.wrong), 0);
  assert_int_equal(atomic_load(&crew.found), nthreads * 80);
}

static void *own_context(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  for (int i = 0; i < 100; i++) {
    dictum_ctx *ctx;
    dictum_table *table;
    if (dictum_ctx_new(&ctx, NULL, NULL) == DICTUM_OK &&
        dictum_open(ctx, "static:yes", 0, &table, NULL) == DICTUM_OK) {
      ask(crew, table, "yes", &value);
      dictum_close(table);
    }
    dictum_ctx_free(ctx);
  }
  dictum_buf_free(&value);
  return NULL;
}

static void contexts_do_not_meet(void **state) {
  struct crew crew = {.world = *state};
  pthread_t threads[nthreads];
  start(&crew, threads, own_context);
  join(threads);
  assert_int_equal(atomic_load(&crew.found), nthreads * 100);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static long number_of(dictum_table *table, const char *key) {
  dictum_buf value = {0};
  long number = -1;
  if (dictum_lookup(table, key, strlen(key), &value, NULL, NULL) == DICTUM_OK)
    number = strtol(value.data, NULL, 10);
  dictum_buf_free(&value);
  return number;
}

/* The parent's handle is forgotten, once, and a new one opened. */
static bool child_has_its_own(void *rock) {
  dictum_table *table = rock;
  bool right = number_of(table, "opens") == 2 && number_of(table, "forgets") == 1 &&
               number_of(table, "opens") == 2 && number_of(table, "closes") == 0;
  dictum_close(table);
  return right;
}

/* Runs in a child process, where the plugin has not counted yet. */
static bool fork_in_peace(void *rock) {
  struct world *world = rock;
  dictum_table *table = world_open(world, "count_serial:x", 0);
  bool right = number_of(table, "opens") == 1;
  assert_child(child_has_its_own, table);
  right &= number_of(table, "opens") == 1 && number_of(table, "forgets") == 0;
  dictum_close(table);
  return right;
}

static void child_opens_its_own(void **state) {
  world_install(*state, "fake_count", "fake_count");
  assert_child(fork_in_peace, *state);
}

static bool child_closes_unused(void *rock) {
  dictum_close(rock);
  return true;
}

static void child_may_close_what_it_did_not_use(void **state) {
  world_install(*state, "fake_count", "fake_count");
  dictum_table *table = world_open(*state, "count_parallel:x", 0);
  assert_child(child_closes_unused, table);
  assert_status(table, DICTUM_OK);
  dictum_close(table);
}

static bool child_sees_it_heal(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  ask(crew, crew->tables[0], "yes", &value);
  world_install(crew->world, "fake_ok", "fake_ok");
  world_pass(crew->world, longer_than_any_pause_ms);
  ask(crew, crew->tables[0], "yes", &value);
  dictum_buf_free(&value);
  return atomic_load(&crew->retries) == 1 && atomic_load(&crew->found) == 1;
}

static void table_that_is_down_heals_in_the_child(void **state) {
  struct crew crew = {.world = *state};
  crew.tables[0] = world_open(crew.world, "fake_ok:x", DICTUM_OPEN_DEGRADE);
  assert_child(child_sees_it_heal, &crew);
  world_pass(crew.world, longer_than_any_pause_ms);
  assert_answer(crew.tables[0], "yes");
  dictum_close(crew.tables[0]);
}

static void *hammer(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  while (!atomic_load(&crew->stop))
    for (int i = 0; i < 2; i++) {
      dictum_table *table;
      dictum_status status = dictum_lookup(crew->tables[i], "key", 3, &value, NULL, NULL);
      atomic_fetch_add(status == DICTUM_OK ? &crew->found : &crew->wrong, 1);
      status = dictum_open(crew->world->ctx, "count_serial:y", 0, &table, NULL);
      atomic_fetch_add(status == DICTUM_OK ? &crew->found : &crew->wrong, 1);
      dictum_close(table);
    }
  dictum_buf_free(&value);
  return NULL;
}

static bool child_of_many_threads(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  bool right = true;
  for (int i = 0; i < 2; i++)
    right &= dictum_lookup(crew->tables[i], "key", 3, &value, NULL, NULL) == DICTUM_OK;
  dictum_table *table;
  right &= dictum_open(crew->world->ctx, "count_per_handle:z", 0, &table, NULL) == DICTUM_OK;
  right &= table && dictum_lookup(table, "key", 3, &value, NULL, NULL) == DICTUM_OK;
  dictum_close(table);
  dictum_close(crew->tables[0]);
  dictum_close(crew->tables[1]);
  dictum_buf_free(&value);
  return right;
}

/* Whatever locks the parent's threads hold at that moment. */
static void child_of_a_parent_with_threads(void **state) {
  struct crew crew = {.world = *state};
  pthread_t threads[nthreads];
  world_install(crew.world, "fake_count", "fake_count");
  crew.tables[0] = world_open(crew.world, "count_serial:x", 0);
  crew.tables[1] = world_open(crew.world, "count_per_handle:x", 0);
  start(&crew, threads, hammer);
  for (int i = 0; i < 50; i++) {
    wait_for_more(&crew.found, 1);
    assert_child(child_of_many_threads, &crew);
  }
  atomic_store(&crew.stop, true);
  join(threads);
  assert_int_equal(atomic_load(&crew.wrong), 0);
  dictum_close(crew.tables[0]);
  dictum_close(crew.tables[1]);
}

/* ---- deadlines ------------------------------------------------------------------------------- */

static long long monotonic_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void calls_have_deadlines(void **state) {
  struct world *world = *state;
  world_install(world, "fake_count", "fake_count");
  dictum_table *table = world_open(world, "count_parallel:x", 0);
  static const uint32_t limits_ms[] = {0, 1, 250, 3600000};
  for (size_t i = 0; i < 4; i++) {
    long long limit_ns = (limits_ms[i] ? limits_ms[i] : 5000) * 1000000LL;
    dictum_set_timeout(table, limits_ms[i]);
    long long before = monotonic_now();
    long long deadline = number_of(table, "deadline");
    assert_true(deadline >= before + limit_ns && deadline <= monotonic_now() + limit_ns);
  }
  dictum_set_timeout(table, DICTUM_NO_TIMEOUT);
  assert_int_equal(number_of(table, "deadline"), 0);
  dictum_close(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_WORLD(plugin_arrives),
      IN_WORLD(server_goes_and_comes),
      IN_WORLD(serial),
      IN_WORLD(per_handle),
      IN_WORLD(parallel),
      IN_WORLD(between_two_models_the_stricter),
      IN_WORLD(plugins_are_loaded_by_all_at_once),
      IN_WORLD(contexts_do_not_meet),
      IN_WORLD(child_opens_its_own),
      IN_WORLD(child_may_close_what_it_did_not_use),
      IN_WORLD(table_that_is_down_heals_in_the_child),
      IN_WORLD(child_of_a_parent_with_threads),
      IN_WORLD(calls_have_deadlines),
  };
  return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
