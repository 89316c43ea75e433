/* SPDX-License-Identifier: BSD-2-Clause */
/* test_cache.c - answers that are used again: for how long, when they are stale, and by whom. */
#include "world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Opens "cache:{OPTIONS, moody:<a file that holds the mood>}". */
static dictum_table *open_cache(struct world *world, const char *options) {
  char path[256], spec[512];
  world_install(world, "fake_moody", "fake_moody");
  world_path(world, "mood", path);
  snprintf(spec, sizeof spec, "cache:{%s, moody:%s}", options, path);
  return world_open(world, spec, 0);
}

static void be(struct world *world, const char *mood) {
  world_write(world, "mood", mood);
}

/* How many lookups have reached the table itself: a key that is never cached tells. */
static long lookups(struct world *world) {
  char path[256], spec[300];
  world_path(world, "mood", path);
  snprintf(spec, sizeof spec, "moody:%s", path);
  dictum_table *table = world_open(world, spec, 0);
  dictum_buf value = {0};
  assert_int_equal(dictum_lookup(table, "lookups", 7, &value, NULL, NULL), DICTUM_OK);
  long n = strtol(value.data, NULL, 10);
  dictum_buf_free(&value);
  dictum_close(table);
  return n;
}

static uint32_t flags_of(dictum_table *table) {
  dictum_buf value = {0};
  uint32_t flags = 0;
  assert_int_equal(dictum_lookup(table, "key", 3, &value, &flags, NULL), DICTUM_OK);
  dictum_buf_free(&value);
  return flags;
}

static int take_first(void *rock, const dictum_node_info *node) {
  *(dictum_node_info *)rock = *node;
  return 1;
}

static dictum_node_info counts(dictum_table *table) {
  dictum_node_info node = {0};
  assert_int_equal(dictum_inspect(table, 0, take_first, &node, NULL), DICTUM_OK);
  assert_int_equal(node.is_cache, 1);
  return node;
}

/* ---- lifetimes ------------------------------------------------------------------------------ */

static void answer_lives_for_its_time(void **state) {
  struct world *world = *state;
  be(world, "old");
  dictum_table *table = open_cache(world, "ttl=60s");
  assert_int_equal(flags_of(table), 0);
  be(world, "new");
  assert_answer(table, "old");
  assert_int_equal(flags_of(table), DICTUM_F_CACHED);
  world_pass(world, 59000);
  assert_answer(table, "old");
  world_pass(world, 1000);
  assert_answer(table, "new");
  const dictum_node_info seen = counts(table);
  assert_int_equal(seen.hits, 3);
  assert_int_equal(seen.misses, 2);
  assert_int_equal(seen.entries, 1);
  dictum_close(table);
}

static void absence_has_its_own_time(void **state) {
  struct world *world = *state;
  be(world, "absent");
  dictum_table *table = open_cache(world, "ttl=60s negative_ttl=10s");
  assert_status(table, DICTUM_NOTFOUND);
  be(world, "there");
  world_pass(world, 9000);
  assert_status(table, DICTUM_NOTFOUND);
  assert_int_equal(counts(table).negative_hits, 1);
  world_pass(world, 1000);
  assert_answer(table, "there");
  dictum_close(table);
}

static void failures_are_not_kept(void **state) {
  struct world *world = *state;
  dictum_table *table = open_cache(world, "ttl=60s");
  be(world, "retry");
  assert_status(table, DICTUM_RETRY);
  be(world, "invalid");
  assert_status(table, DICTUM_INVALID);
  be(world, "config");
  assert_status(table, DICTUM_CONFIG);
  be(world, "fine");
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "fine");
  assert_int_equal(counts(table).entries, 1);
  dictum_close(table);
}

static void zero_keeps_nothing_fresh(void **state) {
  struct world *world = *state;
  be(world, "one");
  dictum_table *table = open_cache(world, "ttl=0 stale_ok=1h");
  assert_answer(table, "one");
  be(world, "two");
  assert_answer(table, "two");
  be(world, "retry");
  assert_answer(table, "two");
  assert_int_equal(flags_of(table), DICTUM_F_CACHED | DICTUM_F_STALE);
  dictum_close(table);
}

/* ---- stale answers -------------------------------------------------------------------------- */

static void stale_only_when_allowed(void **state) {
  struct world *world = *state;
  be(world, "old");
  dictum_table *table = open_cache(world, "ttl=60s");
  assert_answer(table, "old");
  be(world, "retry");
  world_pass(world, 61000);
  assert_status(table, DICTUM_RETRY);
  dictum_close(table);
}

static void stale_for_a_while(void **state) {
  struct world *world = *state;
  be(world, "old");
  dictum_table *table = open_cache(world, "ttl=60s stale_ok=1h");
  assert_answer(table, "old");
  be(world, "retry");
  assert_int_equal(flags_of(table), DICTUM_F_CACHED);
  world_pass(world, 61000);
  for (int i = 0; i < 10; i++) {
    assert_answer(table, "old");
    assert_int_equal(flags_of(table), DICTUM_F_CACHED | DICTUM_F_STALE);
  }
  assert_int_equal(counts(table).stale, 20);
  assert_events(world, 1, 0);
  assert_int_equal(atomic_load(&world->others), 1); /* STALE_SERVED, once */
  be(world, "new");
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "new");
  assert_events(world, 1, 1);
  be(world, "retry");
  world_pass(world, 61000);
  assert_answer(table, "new");
  assert_int_equal(atomic_load(&world->others), 2);
  world_pass(world, 3600 * 1000);
  assert_status(table, DICTUM_RETRY);
  dictum_close(table);
}

/* A stale "no such user" bounces mail. */
static void absence_is_stale_only_when_told(void **state) {
  struct world *world = *state;
  be(world, "absent");
  dictum_table *table = open_cache(world, "negative_ttl=10s stale_ok=1h");
  dictum_table *other = open_cache(world, "negative_ttl=10s stale_ok=1h stale_negative=1h");
  assert_status(table, DICTUM_NOTFOUND);
  assert_status(other, DICTUM_NOTFOUND);
  be(world, "retry");
  world_pass(world, 11000);
  assert_status(table, DICTUM_RETRY);
  assert_status(other, DICTUM_NOTFOUND);
  dictum_close(table);
  dictum_close(other);
}

static void misconfigured_table_is_covered_too(void **state) {
  struct world *world = *state;
  be(world, "old");
  dictum_table *table = open_cache(world, "ttl=1s stale_ok=1h");
  assert_answer(table, "old");
  be(world, "config");
  world_pass(world, 2000);
  assert_int_equal(flags_of(table), DICTUM_F_CACHED | DICTUM_F_STALE);
  be(world, "invalid");
  world_pass(world, longer_than_any_pause_ms);
  assert_status(table, DICTUM_INVALID);
  dictum_close(table);
}

static void stale_answer_begins_no_new_life(void **state) {
  struct world *world = *state;
  char path[256], spec[512];
  world_install(world, "fake_moody", "fake_moody");
  be(world, "old");
  world_path(world, "mood", path);
  snprintf(spec, sizeof spec, "cache:{ttl=1h, cache:{ttl=1s stale_ok=1h, moody:%s}}", path);
  dictum_table *table = world_open(world, spec, 0);
  be(world, "old");
  assert_answer(table, "old");
  assert_int_equal(dictum_flush(table, "key", 3, NULL), DICTUM_OK);
  assert_answer(table, "old"); /* both caches know it */
  dictum_close(table);
  snprintf(spec, sizeof spec, "cache:{ttl=1h, cache:{ttl=1s stale_ok=1d, moody:%s}}", path);
  table = world_open(world, spec, 0);
  assert_answer(table, "old");
  be(world, "retry");
  world_pass(world, 2 * 3600 * 1000);
  assert_int_equal(flags_of(table), DICTUM_F_CACHED | DICTUM_F_STALE); /* by the inner one */
  be(world, "new");
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "new"); /* the outer one did not keep it */
  dictum_close(table);
}

/* ---- size, flushing, refreshing ------------------------------------------------------------- */

static dictum_status ask(dictum_table *table, const char *key) {
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, key, strlen(key), &value, NULL, NULL);
  dictum_buf_free(&value);
  return status;
}

static void size_is_bounded(void **state) {
  struct world *world = *state;
  be(world, "x");
  dictum_table *table = open_cache(world, "memory_bytes=100000");
  for (int i = 0; i < 5000; i++) {
    char key[32];
    snprintf(key, sizeof key, "key-%d", i);
    assert_int_equal(ask(table, key), DICTUM_OK);
    ask(table, "key-0"); /* in use all the time */
  }
  dictum_node_info seen = counts(table);
  assert_in_range(seen.bytes, 50000, 100000);
  assert_int_equal(seen.entries + seen.evictions, 5000);
  const long before = lookups(world);
  ask(table, "key-0");
  ask(table, "key-4999");
  assert_int_equal(lookups(world), before);
  ask(table, "key-1");
  assert_int_equal(lookups(world), before + 1);
  dictum_close(table);
}

static void flushed_keys_are_asked_again(void **state) {
  struct world *world = *state;
  be(world, "old");
  dictum_table *table = open_cache(world, "ttl=1h");
  assert_int_equal(ask(table, "a"), DICTUM_OK);
  assert_int_equal(ask(table, "b"), DICTUM_OK);
  const long before = lookups(world);
  assert_int_equal(dictum_flush(table, "A", 1, NULL), DICTUM_OK);
  ask(table, "a");
  ask(table, "b");
  assert_int_equal(lookups(world), before + 1);
  assert_int_equal(dictum_flush(table, NULL, 0, NULL), DICTUM_OK);
  ask(table, "a");
  ask(table, "b");
  assert_int_equal(lookups(world), before + 3);
  dictum_close(table);
  dictum_error err = DICTUM_ERROR_INIT;
  table = world_open(world, "static:x", 0);
  assert_int_equal(dictum_flush(table, "a", 1, &err), DICTUM_UNSUPPORTED);
  dictum_close(table);
}

static void refreshed_ahead_of_time(void **state) {
  struct world *world = *state;
  be(world, "old");
  dictum_table *table = open_cache(world, "ttl=60s refresh_ahead=10s");
  assert_answer(table, "old");
  be(world, "new");
  world_pass(world, 49000);
  assert_answer(table, "old");
  world_pass(world, 2000);
  assert_answer(table, "new"); /* the one who asked again */
  be(world, "retry");
  world_pass(world, 55000);
  assert_answer(table, "new"); /* tried in vain, but it is good for a while */
  assert_int_equal(flags_of(table), DICTUM_F_CACHED);
  world_pass(world, 6000);
  assert_status(table, DICTUM_RETRY);
  dictum_close(table);
}

/* ---- batches -------------------------------------------------------------------------------- */

static void batch_asks_for_what_is_missing(void **state) {
  struct world *world = *state;
  be(world, "x");
  dictum_table *table = open_cache(world, "ttl=1h");
  ask(table, "b");
  ask(table, "d");
  const long before = lookups(world);
  dictum_req reqs[] = {{.key = "a", .keylen = 1},
                       {.key = "b", .keylen = 1},
                       {.key = "C", .keylen = 1},
                       {.key = "d", .keylen = 1},
                       {.key = "c", .keylen = 1}};
  dictum_buf arena = {0};
  assert_int_equal(dictum_lookup_many(table, reqs, 5, &arena, NULL), DICTUM_OK);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(reqs[i].status, DICTUM_OK);
    assert_string_equal(arena.data + reqs[i].off, "x");
    assert_int_equal(reqs[i].len, 1);
  }
  assert_int_equal(reqs[1].flags, DICTUM_F_CACHED);
  assert_int_equal(reqs[0].flags, 0);
  assert_int_equal(lookups(world), before + 2); /* "C" and "c" are the same question */
  be(world, "retry");
  dictum_req more[] = {{.key = "a", .keylen = 1}, {.key = "new", .keylen = 3}};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_lookup_many(table, more, 2, &arena, &err), DICTUM_OK);
  assert_int_equal(more[0].status, DICTUM_OK);
  assert_int_equal(more[1].status, DICTUM_RETRY);
  assert_string_equal(err.what, "in a mood to retry");
  dictum_buf_free(&arena);
  dictum_close(table);
}

/* ---- threads, fork -------------------------------------------------------------------------- */

enum { nthreads = 16 };

struct crew {
  dictum_table *table;
  const char *wanted;
  atomic_uint right;
};

static void *ask_once(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  if (dictum_lookup(crew->table, "key", 3, &value, NULL, NULL) == DICTUM_OK &&
      strcmp(value.data, crew->wanted) == 0)
    atomic_fetch_add(&crew->right, 1);
  dictum_buf_free(&value);
  return NULL;
}

static void run_crew(struct crew *crew, void *(*work)(void *)) {
  pthread_t threads[nthreads];
  for (int i = 0; i < nthreads; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work, crew), 0);
  for (int i = 0; i < nthreads; i++)
    pthread_join(threads[i], NULL);
}

static void one_asks_for_all(void **state) {
  struct world *world = *state;
  be(world, "slow");
  dictum_table *table = open_cache(world, "ttl=60s");
  const long before = lookups(world);
  struct crew crew = {.table = table, .wanted = "slow"};
  run_crew(&crew, ask_once);
  assert_int_equal(atomic_load(&crew.right), nthreads);
  assert_int_equal(lookups(world), before + 1);
  dictum_close(table);
}

static void *ask_for_one_text(void *rock) {
  struct crew *crew = rock;
  dictum_buf value = {0};
  if (dictum_lookup(crew->table, "key", 3, &value, NULL, NULL) == DICTUM_OK &&
      strlen(value.data) == value.len)
    atomic_fetch_add(&crew->right, 1);
  dictum_buf_free(&value);
  return NULL;
}

/* Who waited in vain asks again, after an older answer was looked at: the two must not be mixed. */
static void waiting_in_vain_gives_one_answer(void **state) {
  struct world *world = *state;
  be(world, "slow");
  dictum_table *table = open_cache(world, "ttl=0 stale_ok=1h");
  struct crew crew = {.table = table};
  pthread_t threads[nthreads];
  for (int i = 0; i < nthreads; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, ask_for_one_text, &crew), 0);
  usleep(50000); /* the first of them sleeps, and then answers "slow" */
  be(world, "later");
  for (int i = 0; i < nthreads; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(atomic_load(&crew.right), nthreads);
  dictum_close(table);
}

static void waiting_ends_at_the_deadline(void **state) {
  struct world *world = *state;
  be(world, "slow");
  dictum_table *table = open_cache(world, "ttl=60s");
  dictum_set_timeout(table, 20);
  struct crew crew = {.table = table, .wanted = "slow"};
  run_crew(&crew, ask_once);
  /* The one who asked has its answer, as this table knows no deadline; the others gave up. */
  assert_in_range(atomic_load(&crew.right), 1, nthreads - 1);
  dictum_close(table);
}

static void *ask_many(void *rock) {
  struct crew *crew = rock;
  dictum_buf arena = {0};
  unsigned wrong = 0;
  for (unsigned round = 0; round < 200; round++) {
    char keys[20][16];
    dictum_req reqs[20];
    for (size_t i = 0; i < 20; i++) {
      snprintf(keys[i], sizeof keys[i], "k%u", (unsigned)(round * 7 + i * 3) % 50);
      reqs[i] = (dictum_req){.key = keys[i], .keylen = strlen(keys[i])};
    }
    if (round % 10 == 3)
      dictum_flush(crew->table, keys[0], strlen(keys[0]), NULL);
    if (round % 50 == 49)
      dictum_flush(crew->table, NULL, 0, NULL);
    wrong += dictum_lookup_many(crew->table, reqs, 20, &arena, NULL) != DICTUM_OK;
    for (size_t i = 0; i < 20; i++)
      wrong += reqs[i].status != DICTUM_OK || strcmp(arena.data + reqs[i].off, crew->wanted) != 0;
  }
  dictum_buf_free(&arena);
  atomic_fetch_add(&crew->right, wrong == 0);
  return NULL;
}

/* Small enough to evict, with flushes in between: nothing may hang, leak or be mixed up. */
static void many_ask_for_much(void **state) {
  struct world *world = *state;
  be(world, "fine");
  dictum_table *table = open_cache(world, "ttl=1h memory_bytes=40000");
  struct crew crew = {.table = table, .wanted = "fine"};
  run_crew(&crew, ask_many);
  assert_int_equal(atomic_load(&crew.right), nthreads);
  dictum_close(table);
}

static bool child_knows(void *rock) {
  struct world *world = ((void **)rock)[0];
  dictum_table *table = ((void **)rock)[1];
  dictum_buf value = {0};
  uint32_t flags = 0;
  (void)world;
  bool known = dictum_lookup(table, "key", 3, &value, &flags, NULL) == DICTUM_OK &&
               strcmp(value.data, "old") == 0 && flags == DICTUM_F_CACHED;
  bool asks = dictum_lookup(table, "other", 5, &value, &flags, NULL) == DICTUM_OK &&
              strcmp(value.data, "new") == 0;
  dictum_buf_free(&value);
  dictum_close(table);
  return known && asks;
}

static void child_keeps_what_is_cached(void **state) {
  struct world *world = *state;
  be(world, "old");
  dictum_table *table = open_cache(world, "ttl=1h");
  assert_answer(table, "old");
  be(world, "new");
  void *rocks[] = {world, table};
  assert_child(child_knows, rocks);
  assert_answer(table, "old");
  dictum_close(table);
}

struct busy {
  dictum_table *table;
  atomic_bool stop;
};

static void *keep_busy(void *rock) {
  struct busy *busy = rock;
  for (unsigned i = 0; !atomic_load(&busy->stop); i++) {
    char key[16];
    snprintf(key, sizeof key, "k%u", i % 500);
    ask(busy->table, key);
  }
  return NULL;
}

static bool child_asks_everything(void *rock) {
  struct busy *busy = rock;
  bool good = true;
  for (unsigned i = 0; i < 500; i++) {
    char key[16];
    snprintf(key, sizeof key, "k%u", i);
    good &= ask(busy->table, key) == DICTUM_OK;
  }
  dictum_close(busy->table);
  return good;
}

/* Whatever the others were doing at that moment. */
static void fork_while_others_ask(void **state) {
#ifdef __SANITIZE_ADDRESS__
  skip(); /* its allocator stays locked in a child whose parent had other threads */
#endif
  struct world *world = *state;
  be(world, "fine");
  dictum_table *table = open_cache(world, "ttl=1h memory_bytes=40000");
  struct busy busy = {.table = table};
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, &busy), 0);
  for (int i = 0; i < 10; i++)
    assert_child(child_asks_everything, &busy);
  atomic_store(&busy.stop, true);
  for (int i = 0; i < 4; i++)
    pthread_join(threads[i], NULL);
  dictum_close(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_WORLD(answer_lives_for_its_time),
      IN_WORLD(absence_has_its_own_time),
      IN_WORLD(failures_are_not_kept),
      IN_WORLD(zero_keeps_nothing_fresh),
      IN_WORLD(stale_only_when_allowed),
      IN_WORLD(stale_for_a_while),
      IN_WORLD(absence_is_stale_only_when_told),
      IN_WORLD(misconfigured_table_is_covered_too),
      IN_WORLD(stale_answer_begins_no_new_life),
      IN_WORLD(size_is_bounded),
      IN_WORLD(flushed_keys_are_asked_again),
      IN_WORLD(refreshed_ahead_of_time),
      IN_WORLD(batch_asks_for_what_is_missing),
      IN_WORLD(one_asks_for_all),
      IN_WORLD(waiting_in_vain_gives_one_answer),
      IN_WORLD(waiting_ends_at_the_deadline),
      IN_WORLD(many_ask_for_much),
      IN_WORLD(child_keeps_what_is_cached),
      IN_WORLD(fork_while_others_ask),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
