/* SPDX-License-Identifier: BSD-2-Clause */
/* test_host.c - the answers of one call, as a plugin hands them over. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "heard.h"
#include "host.h"
#include "leaf.h"

static dictum_status emit_at(dictum_sink *sink, size_t i, const char *value) {
  return host_services.emit_at(sink, i, DICTUM_OK, value, strlen(value));
}

static void every_value_ends_in_nul(void **state) {
  (void)state;
  static const char *const values[] = {"", "first", "", "", "last"};
  enum { n = sizeof values / sizeof values[0] };
  dictum_req reqs[n] = {{0}};
  dictum_buf arena = {0};
  dictum_sink sink = {.reqs = reqs, .n = n, .arena = &arena};
  for (size_t i = 0; i < n; i++)
    assert_int_equal(emit_at(&sink, i, values[i]), DICTUM_OK);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(reqs[i].status, DICTUM_OK);
    assert_int_equal(reqs[i].len, strlen(values[i]));
    assert_string_equal(arena.data + reqs[i].off, values[i]);
  }
  dictum_buf_free(&arena);
}

static void answers_may_come_in_any_order(void **state) {
  (void)state;
  dictum_req reqs[3] = {{0}};
  dictum_buf arena = {0};
  dictum_sink sink = {.reqs = reqs, .n = 3, .arena = &arena};
  assert_int_equal(emit_at(&sink, 2, "c"), DICTUM_OK);
  assert_int_equal(host_services.emit_at(&sink, 1, DICTUM_NOTFOUND, "ignored", 7), DICTUM_OK);
  assert_int_equal(emit_at(&sink, 0, "a"), DICTUM_OK);
  assert_string_equal(arena.data + reqs[0].off, "a");
  assert_string_equal(arena.data + reqs[2].off, "c");
  assert_int_equal(reqs[1].status, DICTUM_NOTFOUND);
  dictum_buf_free(&arena);
}

static void answer_to_nothing_is_refused(void **state) {
  (void)state;
  dictum_req req = {.status = DICTUM_RETRY};
  dictum_buf arena = {0};
  dictum_sink sink = {.reqs = &req, .n = 1, .arena = &arena};
  assert_int_equal(emit_at(&sink, 1, "x"), DICTUM_INVALID);
  assert_int_equal(emit_at(&sink, SIZE_MAX, "x"), DICTUM_INVALID);
  assert_int_equal(req.status, DICTUM_RETRY);
  assert_null(arena.data);
}

static void failure_is_one_printable_line(void **state) {
  (void)state;
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(
      (host_services.fail)(&err, DICTUM_RETRY, 111, "server said \"%s\"", "a\nb\x01\xff"),
      DICTUM_RETRY);
  assert_int_equal(err.status, DICTUM_RETRY);
  assert_int_equal(err.sys_errno, 111);
  assert_string_equal(err.what, "server said \"a?b??\"");
  assert_int_equal((host_services.fail)(NULL, DICTUM_CONFIG, 0, "nobody hears"), DICTUM_CONFIG);
}

static void an_event_has_its_line(void **state) {
  (void)state;
  struct heard heard = {0};
  dictum_ctx ctx = {.events = {heard_event, &heard}};
  dictum_slot slot = {.ctx = &ctx, .spec = "regexp:file"};
  host_services.log_line(&slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_RULE, 7, "%s", "a rule");
  assert_string_equal(heard.text, "a rule\n");
  assert_int_equal(heard.code, DICTUM_CODE_RULE);
  assert_int_equal(heard.line, 7);
  host_services.log(&slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_RULE, "%s", "no rule");
  assert_int_equal(heard.line, 0);
}

static void a_table_may_differ_from_its_type(void **state) {
  (void)state;
  struct type type = {.ops = {.caps = DICTUM_CAP_ITERATE | DICTUM_CAP_NETWORK}};
  struct leaf leaf = {0};
  assert_int_equal(leaf_caps(&leaf), 0);
  atomic_store(&leaf.type, &type);
  assert_int_equal(leaf_caps(&leaf), DICTUM_CAP_ITERATE | DICTUM_CAP_NETWORK);
  host_services.note_caps(&leaf.slot, DICTUM_CAP_PATTERN);
  assert_int_equal(leaf_caps(&leaf), DICTUM_CAP_PATTERN);
  host_services.note_caps(&leaf.slot, 0);
  assert_int_equal(leaf_caps(&leaf), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_value_ends_in_nul),
      cmocka_unit_test(answers_may_come_in_any_order),
      cmocka_unit_test(answer_to_nothing_is_refused),
      cmocka_unit_test(failure_is_one_printable_line),
      cmocka_unit_test(an_event_has_its_line),
      cmocka_unit_test(a_table_may_differ_from_its_type),
  };
  return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
