/* SPDX-License-Identifier: BSD-2-Clause */
/* test_combine.c - specs that name several tables, failover, faults on purpose, and health. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static void be(struct world *world, const char *name, const char *mood) {
  world_write(world, name, mood);
}

/* Opens a spec in which "@" stands for the world's folder. */
static dictum_table *open_spec(struct world *world, const char *pattern, uint32_t flags) {
  char spec[1024] = "";
  world_install(world, "fake_moody", "fake_moody");
  for (const char *s = pattern; *s; s++) {
    size_t used = strlen(spec);
    if (*s == '@')
      snprintf(spec + used, sizeof spec - used, "%s", world->dir);
    else
      snprintf(spec + used, sizeof spec - used, "%c", *s);
  }
  return world_open(world, spec, flags);
}

/* ---- specs ---------------------------------------------------------------------------------- */

static void bad_specs(void **state) {
  static const struct {
    const char *spec, *what;
  } cases[] = {
      {"failover:{}",
       "bad syntax: \"failover:{}\"; need \"failover:{type:name...}\" (a member is missing)"},
      {"failover:static:x", "no '{' at start of text"},
      {"failover:{static:x", "missing '}'"},
      {"failover:{static:x}y", "syntax error after '}'"},
      {"failover:{static}", "a member without a type"},
      {"debug:x", "expecting \"type:name\" form instead of \"x\""},
      {"unionmap:{a=b}", "bad syntax"},
      {"failover:{retry=3, static:x}", "failover: unknown option \"retry=3\"; there are none"},
      {"cache:{static:x, static:y}",
       "need \"cache:{option=value... type:name}\" (too many members)"},
      {"cache:{ttl=soon, static:x}", "cache: bad time configuration: ttl = soon"},
      {"cache:{tl=1, static:x}", "cache: unknown option \"tl=1\"; known are: ttl, "},
      {"cache:{store=x, static:x}", "store: need \"type:/path\" instead of \"x\""},
      {"cache:{store=static:/x, static:x}", "read-only"},
      {"fault:{retry=60 notfound=60, static:x}", "add up to more than 100"},
      {"fault:{retry=-1, static:x}", "invalid retry parameter value -1 < 0"},
      {"failover:{failover:{inline:{}}}", "bad syntax"},
  };
  struct world *world = *state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    dictum_table *table;
    dictum_error err = DICTUM_ERROR_INIT;
    dictum_status status = dictum_open(world->ctx, cases[i].spec, DICTUM_OPEN_DEGRADE, &table,
                                       &err);
    if (status != DICTUM_INVALID && status != DICTUM_UNSUPPORTED)
      fail_msg("status %d for \"%s\"", (int)status, cases[i].spec);
    assert_null(table);
    if (!strstr(err.what, cases[i].what))
      fail_msg("\"%s\" for \"%s\"", err.what, cases[i].spec);
  }
}

static void too_deep_and_too_many(void **state) {
  struct world *world = *state;
  char spec[4096] = "";
  for (int i = 0; i < 40; i++)
    strcat(spec, "failover:{");
  strcat(spec, "static:x");
  for (int i = 0; i < 40; i++)
    strcat(spec, "}");
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_open(world->ctx, spec, 0, &table, &err), DICTUM_INVALID);
  assert_non_null(strstr(err.what, "nested more than 32 deep"));
  strcpy(spec, "failover:{");
  for (int i = 0; i < 256; i++)
    strcat(spec, "static:x ");
  strcat(spec, "}");
  assert_int_equal(dictum_open(world->ctx, spec, 0, &table, &err), DICTUM_INVALID);
  assert_non_null(strstr(err.what, "more than 256 tables"));
}

static void names_with_separators(void **state) {
  struct world *world = *state;
  dictum_table *table = open_spec(world, "failover:{ {inline:{ {key = a, b}}}\t,fail:x\n}", 0);
  assert_answer(table, "a, b");
  dictum_close(table);
}

/* ---- failover ------------------------------------------------------------------------------- */

static void next_one_answers(void **state) {
  struct world *world = *state;
  be(world, "one", "first");
  be(world, "two", "second");
  dictum_table *table = open_spec(world, "failover:{moody:@/one, moody:@/two}", 0);
  assert_answer(table, "first");
  be(world, "one", "retry");
  assert_answer(table, "second");
  be(world, "one", "config");
  assert_answer(table, "second");
  be(world, "two", "absent");
  assert_status(table, DICTUM_NOTFOUND);
  be(world, "two", "retry");
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  assert_int_equal(dictum_lookup(table, "key", 3, &value, NULL, &err), DICTUM_RETRY);
  assert_non_null(strstr(err.where, "/two"));
  assert_string_equal(err.what, "in a mood to retry");
  dictum_buf_free(&value);
  be(world, "one", "again");
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "again");
  dictum_close(table);
}

static void absent_is_an_answer(void **state) {
  struct world *world = *state;
  be(world, "one", "absent");
  dictum_table *table = open_spec(world, "failover:{moody:@/one, static:second}", 0);
  assert_status(table, DICTUM_NOTFOUND);
  be(world, "one", "invalid");
  assert_status(table, DICTUM_INVALID);
  dictum_close(table);
}

static void missing_plugin_fails_over(void **state) {
  struct world *world = *state;
  dictum_table *table = open_spec(world, "failover:{nosuchtype:x, static:second}", 0);
  assert_answer(table, "second");
  assert_events(world, 1, 0);
  dictum_close(table);
}

/* Of a batch, only the keys that the first cannot tell go on. */
static void batch_goes_on_in_part(void **state) {
  struct world *world = *state;
  dictum_table *table = open_spec(
      world, "failover:{fault:{retry=50 seed=7, inline:{a=1 b=1 c=1 d=1 e=1 f=1}}, static:2}", 0);
  static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "none"};
  enum { n = sizeof keys / sizeof *keys };
  unsigned ones = 0, twos = 0, absents = 0;
  for (int turn = 0; turn < 20; turn++) {
    dictum_req reqs[n];
    dictum_buf arena = {0};
    for (size_t i = 0; i < n; i++)
      reqs[i] = (dictum_req){.key = keys[i], .keylen = strlen(keys[i])};
    assert_int_equal(dictum_lookup_many(table, reqs, n, &arena, NULL), DICTUM_OK);
    for (size_t i = 0; i < n; i++) {
      if (reqs[i].status == DICTUM_NOTFOUND) {
        assert_int_equal(i, n - 1);
        absents++;
        continue;
      }
      assert_int_equal(reqs[i].status, DICTUM_OK);
      assert_int_equal(reqs[i].len, 1);
      assert_string_equal(arena.data + reqs[i].off, arena.data[reqs[i].off] == '1' ? "1" : "2");
      if (arena.data[reqs[i].off] == '1')
        ones++;
      else
        twos++;
    }
    dictum_buf_free(&arena);
  }
  assert_in_range(ones, 30, 90);
  assert_in_range(twos, 30, 110);
  assert_in_range(absents, 1, 19);
  dictum_close(table);
}

static void failover_is_read_only(void **state) {
  struct world *world = *state;
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_open(world->ctx, "failover:{static:x}", DICTUM_OPEN_WRITE, &table, &err),
                   DICTUM_UNSUPPORTED);
  assert_non_null(strstr(err.what, "tables of type failover are read-only"));
}

static void failover_lists_the_first_that_can(void **state) {
  struct world *world = *state;
  dictum_table *table = open_spec(world, "failover:{nosuchtype:x, inline:{key=value}}", 0);
  dictum_iter *iter;
  dictum_entry entry;
  assert_int_equal(dictum_iter_open(table, &iter, NULL), DICTUM_OK);
  assert_int_equal(dictum_iter_next(iter, &entry, NULL), DICTUM_OK);
  assert_int_equal(entry.keylen, 3);
  assert_memory_equal(entry.key, "key", 3);
  assert_int_equal(dictum_iter_next(iter, &entry, NULL), DICTUM_END);
  dictum_iter_close(iter);
  dictum_close(table);
}

/* ---- faults --------------------------------------------------------------------------------- */

static unsigned count_status(dictum_table *table, dictum_status wanted, unsigned turns) {
  dictum_buf value = {0};
  unsigned count = 0;
  for (unsigned i = 0; i < turns; i++)
    count += dictum_lookup(table, "key", 3, &value, NULL, NULL) == wanted;
  dictum_buf_free(&value);
  return count;
}

static void faults_come_at_their_rate(void **state) {
  struct world *world = *state;
  dictum_table *table = open_spec(world, "fault:{retry=20 config=10 notfound=5, static:x}", 0);
  assert_in_range(count_status(table, DICTUM_RETRY, 2000), 300, 500);
  assert_in_range(count_status(table, DICTUM_CONFIG, 2000), 120, 290);
  assert_in_range(count_status(table, DICTUM_NOTFOUND, 2000), 50, 160);
  assert_in_range(count_status(table, DICTUM_OK, 2000), 1200, 1400);
  dictum_close(table);
}

static void faults_can_be_had_again(void **state) {
  struct world *world = *state;
  dictum_status seen[2][100];
  for (size_t turn = 0; turn < 2; turn++) {
    dictum_table *table = open_spec(world, "fault:{retry=50 seed=42, static:x}", 0);
    dictum_buf value = {0};
    for (size_t i = 0; i < 100; i++)
      seen[turn][i] = dictum_lookup(table, "key", 3, &value, NULL, NULL);
    dictum_buf_free(&value);
    dictum_close(table);
  }
  assert_memory_equal(seen[0], seen[1], sizeof seen[0]);
}

static void trigger_starts_and_ends_faults(void **state) {
  struct world *world = *state;
  dictum_table *table = open_spec(world, "fault:{retry=100 trigger=@/drill, static:x}", 0);
  assert_int_equal(count_status(table, DICTUM_OK, 50), 50);
  world_write(world, "drill", "");
  assert_int_equal(count_status(table, DICTUM_RETRY, 50), 50);
  world_remove(world, "drill");
  assert_int_equal(count_status(table, DICTUM_OK, 50), 50);
  dictum_close(table);
}

static void delay_ends_at_the_deadline(void **state) {
  struct world *world = *state;
  dictum_table *table = open_spec(world, "fault:{delay_ms=60000, static:x}", 0);
  dictum_set_timeout(table, 50);
  assert_int_equal(count_status(table, DICTUM_RETRY, 1), 1);
  dictum_close(table);
  table = open_spec(world, "fault:{delay_ms=1, static:x}", 0);
  assert_int_equal(count_status(table, DICTUM_OK, 3), 3);
  dictum_close(table);
}

/* ---- health --------------------------------------------------------------------------------- */

struct seen {
  unsigned n;
  struct {
    char spec[300], reason[300];
    unsigned depth;
    dictum_state state;
    dictum_status status;
    uint32_t failures, retry_after_ms;
  } nodes[8];
};

static int see(void *rock, const dictum_node_info *node) {
  struct seen *seen = rock;
  unsigned i = seen->n++;
  snprintf(seen->nodes[i].spec, sizeof seen->nodes[i].spec, "%s", node->spec);
  snprintf(seen->nodes[i].reason, sizeof seen->nodes[i].reason, "%s", node->reason);
  seen->nodes[i].depth = node->depth;
  seen->nodes[i].state = node->state;
  seen->nodes[i].status = node->status;
  seen->nodes[i].failures = node->failures;
  seen->nodes[i].retry_after_ms = node->retry_after_ms;
  return seen->n == 8;
}

static struct seen look(dictum_table *table, uint32_t flags) {
  struct seen seen = {0};
  assert_int_equal(dictum_inspect(table, flags, see, &seen, NULL), DICTUM_OK);
  return seen;
}

static void health_of_each(void **state) {
  struct world *world = *state;
  be(world, "one", "fine");
  dictum_table *table = open_spec(world, "cache:{failover:{moody:@/one, static:x}}", 0);
  struct seen seen = look(table, DICTUM_INSPECT_PROBE);
  assert_int_equal(seen.n, 4);
  assert_int_equal(seen.nodes[0].state, DICTUM_STATE_NONE);
  assert_int_equal(seen.nodes[1].depth, 1);
  assert_int_equal(seen.nodes[2].depth, 2);
  assert_int_equal(seen.nodes[2].state, DICTUM_STATE_UP);
  assert_int_equal(seen.nodes[2].status, DICTUM_OK);
  assert_string_equal(seen.nodes[3].spec, "static:x");
  be(world, "one", "retry");
  seen = look(table, 0);
  assert_int_equal(seen.nodes[2].status, DICTUM_OK); /* nobody has noticed yet */
  seen = look(table, DICTUM_INSPECT_PROBE);
  assert_int_equal(seen.nodes[2].state, DICTUM_STATE_UP);
  assert_int_equal(seen.nodes[2].failures, 1);
  assert_int_equal(seen.nodes[2].status, DICTUM_RETRY);
  assert_string_equal(seen.nodes[2].reason, "in a mood to retry");
  look(table, DICTUM_INSPECT_PROBE);
  look(table, DICTUM_INSPECT_PROBE);
  seen = look(table, 0);
  assert_int_equal(seen.nodes[2].state, DICTUM_STATE_DOWN);
  assert_int_equal(seen.nodes[2].status, DICTUM_RETRY);
  assert_string_equal(seen.nodes[2].reason, "in a mood to retry");
  assert_in_range(seen.nodes[2].retry_after_ms, 1, retry_min_ms * 12 / 10);
  assert_int_equal(seen.nodes[3].state, DICTUM_STATE_UP);
  be(world, "one", "fine");
  world_pass(world, longer_than_any_pause_ms);
  seen = look(table, DICTUM_INSPECT_PROBE);
  assert_int_equal(seen.nodes[2].state, DICTUM_STATE_UP);
  dictum_close(table);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_WORLD(bad_specs),
      IN_WORLD(too_deep_and_too_many),
      IN_WORLD(names_with_separators),
      IN_WORLD(next_one_answers),
      IN_WORLD(absent_is_an_answer),
      IN_WORLD(missing_plugin_fails_over),
      IN_WORLD(batch_goes_on_in_part),
      IN_WORLD(failover_is_read_only),
      IN_WORLD(failover_lists_the_first_that_can),
      IN_WORLD(faults_come_at_their_rate),
      IN_WORLD(faults_can_be_had_again),
      IN_WORLD(trigger_starts_and_ends_faults),
      IN_WORLD(delay_ends_at_the_deadline),
      IN_WORLD(health_of_each),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
