/* SPDX-License-Identifier: BSD-2-Clause */
/* test_layout.c - plugins that were built against an older and a newer interface. */
#include "world.h"

#include <string.h>

static void assert_refused(dictum_status status) {
  assert_string_equal(dictum_status_name(status), "unsupported");
}

/* What the plugin does not have is refused; what stands in memory behind it is not called. */
static void only_lookups_work(struct world *world, dictum_table *table, const char *spec) {
  dictum_iter *iter = NULL;
  dictum_table *writer = NULL;
  assert_int_equal(dictum_caps(table), 0);
  assert_refused(dictum_iter_open(table, &iter, NULL));
  assert_refused(dictum_open(world->ctx, spec, DICTUM_OPEN_WRITE, &writer, NULL));
  assert_refused(
      dictum_open(world->ctx, spec, DICTUM_OPEN_WRITE | DICTUM_OPEN_REPLACE, &writer, NULL));
}

static void batch_works(dictum_table *table, const char *value) {
  dictum_buf arena = {0};
  dictum_req reqs[] = {{.key = "a", .keylen = 1}, {.key = "b", .keylen = 1}};
  assert_int_equal(dictum_lookup_many(table, reqs, 2, &arena, NULL), DICTUM_OK);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(reqs[i].status, DICTUM_OK);
    assert_string_equal(arena.data + reqs[i].off, value);
  }
  dictum_buf_free(&arena);
}

static void check(struct world *world, const char *spec, const char *value) {
  dictum_table *table = world_open(world, spec, 0);
  assert_answer(table, value);
  batch_works(table, value);
  only_lookups_work(world, table, spec);
  dictum_close(table);
}

static void older(void **state) {
  world_install(*state, "fake_short_struct", "fake_short_struct");
  check(*state, "short_first:x", "first");
  check(*state, "short_second:x", "second");
}

static void newer(void **state) {
  world_install(*state, "fake_future_struct", "fake_future_struct");
  check(*state, "future_first:x", "first");
  check(*state, "future_second:x", "second");
}

static void all_at_once(void **state) {
  struct world *world = *state;
  world_install(world, "fake_future_struct", "fake_future_struct");
  world_install(world, "fake_short_struct", "fake_short_struct");
  world_install(world, "fake_ok", "fake_ok");
  dictum_table *newer_table = world_open(world, "future_second:x", 0);
  dictum_table *older_table = world_open(world, "short_second:x", 0);
  dictum_table *same_table = world_open(world, "fake_ok:x", 0);
  assert_answer(newer_table, "second");
  assert_answer(older_table, "second");
  assert_answer(same_table, "yes");
  dictum_close(newer_table);
  dictum_close(older_table);
  dictum_close(same_table);
}

/* A program that was compiled with a shorter dictum_ctx_opts gets the defaults for the rest, and
 * one with a longer one loses what this library does not know. */
static void options_of_other_sizes(void **state) {
  struct world *world = *state;
  struct {
    dictum_ctx_opts opts;
    char more[64];
  } longer;
  memset(&longer, 0xff, sizeof longer);
  longer.opts = (dictum_ctx_opts)DICTUM_CTX_OPTS_INIT;
  longer.opts.size = sizeof longer;
  dictum_ctx *ctx;
  assert_int_equal(dictum_ctx_new(&ctx, &longer.opts, NULL), DICTUM_OK);
  dictum_ctx_free(ctx);

  struct {
    dictum_ctx_opts opts;
  } shorter;
  memset(&shorter, 0xff, sizeof shorter);
  shorter.opts.size = offsetof(dictum_ctx_opts, event);
  assert_int_equal(dictum_ctx_new(&ctx, &shorter.opts, NULL), DICTUM_OK);
  dictum_table *table;
  assert_int_equal(dictum_open(ctx, "static:x", 0, &table, NULL), DICTUM_OK);
  assert_answer(table, "x");
  dictum_close(table);
  dictum_ctx_free(ctx);
  (void)world;
}

static void particulars_of_other_sizes(void **state) {
  struct world *world = *state;
  dictum_table *table = world_open(world, "static:x", 0);
  struct {
    dictum_table_info info;
    char more[32];
  } longer;
  memset(&longer, 0x55, sizeof longer);
  longer.info.size = sizeof longer;
  dictum_table_describe(table, &longer.info);
  assert_string_equal(longer.info.type, "static");
  assert_int_equal(longer.more[0], 0x55);

  memset(&longer, 0x55, sizeof longer);
  longer.info.size = offsetof(dictum_table_info, file);
  dictum_table_describe(table, &longer.info);
  assert_string_equal(longer.info.name, "x");
  assert_int_equal(longer.info.up, 0x55555555);
  dictum_close(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_WORLD(older),
      IN_WORLD(newer),
      IN_WORLD(all_at_once),
      IN_WORLD(options_of_other_sizes),
      IN_WORLD(particulars_of_other_sizes),
  };
  return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
