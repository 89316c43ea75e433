/* SPDX-License-Identifier: BSD-2-Clause */
/* test_outage.c - a table that works, stops working, and comes back. */
#include "world.h"

#include <stdio.h>
#include <string.h>

/* Opens "TYPE:<a file that holds the mood>". */
static dictum_table *open_moody(struct world *world, const char *type, const char *mood,
                                uint32_t flags) {
  char path[256], spec[320];
  world_install(world, "fake_moody", "fake_moody");
  world_write(world, "mood", mood);
  world_path(world, "mood", path);
  snprintf(spec, sizeof spec, "%s:%s", type, path);
  return world_open(world, spec, flags);
}

static void be(struct world *world, const char *mood) {
  world_write(world, "mood", mood);
}

/* The wait that a lookup is told of. */
static uint32_t told_wait(dictum_table *table) {
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_lookup(table, "key", 3, &value, NULL, &err), DICTUM_RETRY);
  dictum_buf_free(&value);
  return err.retry_after_ms;
}

static void server_dies_and_comes_back(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "fine", 0);
  assert_answer(table, "fine");
  be(world, "retry");
  assert_status(table, DICTUM_RETRY);
  assert_status(table, DICTUM_RETRY);
  assert_events(world, 0, 0); /* once or twice may be chance */
  assert_status(table, DICTUM_RETRY);
  assert_events(world, 1, 0);
  assert_non_null(strstr(world->down_text, "in a mood to retry"));
  be(world, "better");
  for (int i = 0; i < 50; i++)
    assert_in_range(told_wait(table), 1, retry_min_ms * 12 / 10); /* nobody is asked */
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "better");
  assert_events(world, 1, 1);
  dictum_close(table);
}

static void success_between_failures_counts(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "fine", 0);
  for (int i = 0; i < 5; i++) {
    be(world, "retry");
    assert_status(table, DICTUM_RETRY);
    assert_status(table, DICTUM_RETRY);
    be(world, "fine");
    assert_answer(table, "fine");
  }
  assert_events(world, 0, 0);
  dictum_close(table);
}

static void pause_grows_and_starts_anew(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "retry", 0);
  for (int i = 0; i < 3; i++)
    assert_status(table, DICTUM_RETRY);
  static const uint32_t pauses[] = {1000, 2000, 4000, 8000, 8000};
  for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
    assert_in_range(told_wait(table), pauses[i] * 8 / 10 - 1, pauses[i] * 12 / 10);
    world_pass(world, longer_than_any_pause_ms);
    assert_status(table, DICTUM_RETRY); /* the probe */
  }
  be(world, "fine");
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "fine");
  be(world, "retry");
  for (int i = 0; i < 3; i++)
    assert_status(table, DICTUM_RETRY);
  assert_in_range(told_wait(table), 799, 1200);
  assert_events(world, 2, 1);
  dictum_close(table);
}

static void configuration_waits_longest(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "config", 0);
  assert_status(table, DICTUM_CONFIG);
  assert_events(world, 1, 0);
  assert_in_range(told_wait(table), retry_max_ms * 8 / 10 - 1, retry_max_ms * 12 / 10);
  dictum_close(table);
}

static void unusable_key_is_no_outage(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "invalid", DICTUM_OPEN_DEGRADE);
  for (int i = 0; i < 20; i++)
    assert_status(table, DICTUM_INVALID);
  be(world, "fine");
  assert_answer(table, "fine");
  assert_events(world, 0, 0);
  dictum_close(table);
}

/* A result that is too large, say: not the table is out of service, but this key. */
static void odd_key_is_no_outage(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "odd", 0);
  dictum_buf value = {0};
  for (int i = 0; i < 20; i++) {
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(dictum_lookup(table, "key", 3, &value, NULL, &err), DICTUM_RETRY);
    assert_string_equal(err.what, "an odd key");
    assert_int_equal(err.flags, DICTUM_ERROR_THIS_KEY);
    assert_int_equal(err.retry_after_ms, 0);
  }
  dictum_buf_free(&value);
  be(world, "fine");
  assert_answer(table, "fine");
  assert_events(world, 0, 0);
  be(world, "retry");
  for (int i = 0; i < 2; i++)
    assert_status(table, DICTUM_RETRY);
  be(world, "odd");
  assert_status(table, DICTUM_RETRY); /* it was there to say so */
  be(world, "retry");
  for (int i = 0; i < 2; i++)
    assert_status(table, DICTUM_RETRY);
  assert_events(world, 0, 0);
  dictum_close(table);
}

static void file_table_is_asked_each_time(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody_file", "retry", 0);
  for (int i = 0; i < 20; i++)
    assert_status(table, DICTUM_RETRY);
  be(world, "config");
  assert_status(table, DICTUM_CONFIG);
  be(world, "fine");
  assert_answer(table, "fine");
  assert_events(world, 0, 0);
  dictum_close(table);
}

static void table_that_cannot_be_opened_yet(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "closed", DICTUM_OPEN_DEGRADE);
  assert_events(world, 1, 0);
  assert_non_null(strstr(world->down_text, "connect: refused"));
  assert_status(table, DICTUM_RETRY);
  be(world, "fine");
  assert_status(table, DICTUM_RETRY);
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "fine");
  assert_events(world, 1, 1);
  dictum_close(table);
}

static void batch_is_one_failure(void **state) {
  struct world *world = *state;
  dictum_table *table = open_moody(world, "moody", "retry", 0);
  dictum_buf arena = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_req reqs[10];
  for (size_t i = 0; i < 10; i++)
    reqs[i] = (dictum_req){.key = "k", .keylen = 1};
  assert_int_equal(dictum_lookup_many(table, reqs, 10, &arena, &err), DICTUM_OK);
  for (size_t i = 0; i < 10; i++)
    assert_int_equal(reqs[i].status, DICTUM_RETRY);
  assert_int_equal(err.status, DICTUM_RETRY);
  assert_string_equal(err.what, "in a mood to retry");
  assert_events(world, 0, 0);
  be(world, "fine");
  assert_int_equal(dictum_lookup_many(table, reqs, 10, &arena, &err), DICTUM_OK);
  for (size_t i = 0; i < 10; i++) {
    assert_int_equal(reqs[i].status, DICTUM_OK);
    assert_string_equal(arena.data + reqs[i].off, "fine");
  }
  dictum_buf_free(&arena);
  dictum_close(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_WORLD(server_dies_and_comes_back),    IN_WORLD(success_between_failures_counts),
      IN_WORLD(pause_grows_and_starts_anew),   IN_WORLD(configuration_waits_longest),
      IN_WORLD(unusable_key_is_no_outage),     IN_WORLD(odd_key_is_no_outage),
      IN_WORLD(file_table_is_asked_each_time), IN_WORLD(table_that_cannot_be_opened_yet),
      IN_WORLD(batch_is_one_failure),
  };
  return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
