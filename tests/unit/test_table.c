/* SPDX-License-Identifier: BSD-2-Clause */
/* test_table.c - what holds for every table: folding, checks of values, batches. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "dictum.h"

static int open_context(void **state) {
  dictum_ctx *ctx;
  const dictum_registry none = {"/nonexistent/dynamicmaps.cf", "/nonexistent", 0};
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.registries = &none;
  opts.nregistries = 1;
  if (dictum_ctx_new(&ctx, &opts, NULL) != DICTUM_OK)
    return -1;
  *state = ctx;
  return 0;
}

static int close_context(void **state) {
  dictum_ctx_free(*state);
  return 0;
}

static dictum_table *open_table(dictum_ctx *ctx, const char *spec, uint32_t flags) {
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  if (dictum_open(ctx, spec, flags, &table, &err) != DICTUM_OK)
    fail_msg("%s: %s", err.where, err.what);
  return table;
}

/* @p value: NULL when nothing may be found. */
static void assert_lookup(dictum_table *table, const char *key, dictum_status status,
                          const char *value) {
  dictum_buf buf = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  uint32_t flags = 77;
  dictum_status answer = dictum_lookup(table, key, strlen(key), &buf, &flags, &err);
  assert_string_equal(dictum_status_name(answer), dictum_status_name(status));
  assert_int_equal(flags, 0);
  if (value)
    assert_string_equal(buf.data, value);
  else
    assert_int_equal(buf.len, 0);
  /* Untouched by an answer, filled by a failure. */
  assert_int_equal(err.status, status == DICTUM_NOTFOUND ? DICTUM_OK : status);
  assert_true((err.what[0] == '\0') == (status == DICTUM_OK || status == DICTUM_NOTFOUND));
  dictum_buf_free(&buf);
}

static void check(void **state, const char *spec, uint32_t flags, const char *key,
                  dictum_status status, const char *value) {
  dictum_table *table = open_table(*state, spec, flags);
  assert_lookup(table, key, status, value);
  dictum_close(table);
}

static void ascii_keys_lose_their_case(void **state) {
  check(state, "inline:{ Info@Example.org=x }", 0, "INFO@example.ORG", DICTUM_OK, "x");
  check(state, "inline:{ a=x }", 0, "b", DICTUM_NOTFOUND, NULL);
}

static void bytes_above_127_keep_theirs_without_utf8(void **state) {
  check(state, "inline:{ \xc3\xa9=x }", 0, "\xc3\xa9", DICTUM_OK, "x");
  check(state, "inline:{ \xc3\xa9=x }", 0, "\xc3\x89", DICTUM_NOTFOUND, NULL);
  check(state, "inline:{ \xff=x }", 0, "\xff", DICTUM_OK, "x");
}

static void utf8_keys_are_folded_by_unicode(void **state) {
  check(state, "inline:{ \xc3\x89T\xc3\x89=x }", DICTUM_OPEN_UTF8, "\xc3\xa9t\xc3\x89", DICTUM_OK,
        "x");
  check(state, "inline:{ strasse=x }", DICTUM_OPEN_UTF8,
        "STRA\xc3\x9f"
        "E",
        DICTUM_OK, "x");
}

static void nofold_keeps_case(void **state) {
  check(state, "inline:{ a=x }", DICTUM_OPEN_NOFOLD, "A", DICTUM_NOTFOUND, NULL);
  check(state, "inline:{ A=x }", DICTUM_OPEN_NOFOLD, "A", DICTUM_OK, "x");
}

static void long_keys_are_folded_too(void **state) {
  char spec[1200] = "inline:{ ", key[1001];
  memset(key, 'K', sizeof key - 1);
  key[sizeof key - 1] = '\0';
  strcat(strcat(spec, key), "=x }");
  check(state, spec, 0, key, DICTUM_OK, "x");
  check(state, spec, DICTUM_OPEN_UTF8, key, DICTUM_OK, "x");
}

static void key_that_is_not_utf8_is_invalid(void **state) {
  check(state, "static:x", DICTUM_OPEN_UTF8, "\xff", DICTUM_INVALID, NULL);
  check(state, "static:x", DICTUM_OPEN_UTF8 | DICTUM_OPEN_NOFOLD, "\xff", DICTUM_INVALID, NULL);
  check(state, "static:x", 0, "\xff", DICTUM_OK, "x");
}

static void value_that_is_not_utf8_is_a_mistake(void **state) {
  check(state, "static:\xff", DICTUM_OPEN_UTF8, "k", DICTUM_CONFIG, NULL);
  check(state, "static:\xff", 0, "k", DICTUM_OK, "\xff");
}

static void failing_table_gives_the_reason(void **state) {
  dictum_table *table = open_table(*state, "fail:label", 0);
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_lookup(table, "k", 1, &value, NULL, &err);
  assert_true(status == DICTUM_RETRY || status == DICTUM_CONFIG);
  assert_string_equal(err.where, "fail:label");
  assert_string_not_equal(err.what, "");
  assert_int_equal(dictum_lookup(table, "k", 1, &value, NULL, NULL), status);
  dictum_buf_free(&value);
  dictum_close(table);
}

/* ---- batches --------------------------------------------------------------------------------- */

static dictum_req request(const char *key) {
  return (dictum_req){.key = key, .keylen = strlen(key), .status = DICTUM_NOMEM, .flags = 77};
}

static void batch_answers_as_single_lookups_do(void **state) {
  static const char *const keys[] = {"one", "TWO", "absent", "\xc3\x89", "one", "\xff", "", "two"};
  enum { n = sizeof keys / sizeof keys[0] };
  dictum_table *table = open_table(*state, "inline:{ one=1, two=2, \xc3\xa9=3 }", DICTUM_OPEN_UTF8);
  dictum_req reqs[n];
  dictum_buf arena = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  for (size_t i = 0; i < n; i++)
    reqs[i] = request(keys[i]);
  assert_int_equal(dictum_lookup_many(table, reqs, n, &arena, &err), DICTUM_OK);
  for (size_t i = 0; i < n; i++) {
    dictum_buf value = {0};
    dictum_status status = dictum_lookup(table, keys[i], strlen(keys[i]), &value, NULL, NULL);
    assert_int_equal(reqs[i].status, status);
    assert_int_equal(reqs[i].flags, 0);
    if (status == DICTUM_OK) {
      assert_int_equal(reqs[i].len, value.len);
      assert_string_equal(arena.data + reqs[i].off, value.data); /* a NUL follows each */
    }
    dictum_buf_free(&value);
  }
  assert_int_equal(reqs[5].status, DICTUM_INVALID);
  assert_int_equal(err.status, DICTUM_INVALID);
  assert_non_null(strstr(err.what, "non-UTF-8 key"));
  dictum_buf_free(&arena);
  dictum_close(table);
}

static void first_bad_value_of_a_batch_is_told(void **state) {
  dictum_table *table = open_table(*state, "static:\xff", DICTUM_OPEN_UTF8);
  dictum_req reqs[] = {request("a"), request("b")};
  dictum_buf arena = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_lookup_many(table, reqs, 2, &arena, &err), DICTUM_OK);
  assert_int_equal(reqs[0].status, DICTUM_CONFIG);
  assert_int_equal(reqs[1].status, DICTUM_CONFIG);
  assert_int_equal(err.code, DICTUM_CODE_NON_UTF8);
  assert_non_null(strstr(err.what, "\"a\"")); /* the first one's text */
  dictum_buf_free(&arena);
  dictum_close(table);
}

static void empty_batch(void **state) {
  dictum_table *table = open_table(*state, "static:x", 0);
  dictum_buf arena = {0};
  assert_int_equal(dictum_lookup_many(table, NULL, 0, &arena, NULL), DICTUM_OK);
  assert_int_equal(arena.len, 0);
  dictum_buf_free(&arena);
  dictum_close(table);
}

static void arena_is_reused(void **state) {
  dictum_table *table = open_table(*state, "inline:{ a=first, b=second }", 0);
  dictum_buf arena = {0};
  for (int round = 0; round < 3; round++) {
    dictum_req reqs[] = {request("b"), request("a")};
    assert_int_equal(dictum_lookup_many(table, reqs, 2, &arena, NULL), DICTUM_OK);
    assert_string_equal(arena.data + reqs[0].off, "second");
    assert_string_equal(arena.data + reqs[1].off, "first");
  }
  dictum_buf_free(&arena);
  dictum_close(table);
}

static void large_batch(void **state) {
  enum { n = 10000 };
  dictum_table *table = open_table(*state, "inline:{ a=first, b=second }", 0);
  dictum_req *reqs = calloc(n, sizeof *reqs);
  dictum_buf arena = {0};
  assert_non_null(reqs);
  for (size_t i = 0; i < n; i++)
    reqs[i] = request(i % 3 == 0 ? "A" : i % 3 == 1 ? "b" : "absent");
  assert_int_equal(dictum_lookup_many(table, reqs, n, &arena, NULL), DICTUM_OK);
  for (size_t i = 0; i < n; i++) {
    assert_int_equal(reqs[i].status, i % 3 == 2 ? DICTUM_NOTFOUND : DICTUM_OK);
    if (i % 3 != 2)
      assert_string_equal(arena.data + reqs[i].off, i % 3 == 0 ? "first" : "second");
  }
  dictum_buf_free(&arena);
  free(reqs);
  dictum_close(table);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void wrong_specs(void **state) {
  static const struct {
    const char *spec;
    dictum_status status;
    dictum_code code;
  } wrong[] = {{"", DICTUM_INVALID, DICTUM_CODE_NONE},
               {"static", DICTUM_INVALID, DICTUM_CODE_NONE},
               {"static:", DICTUM_INVALID, DICTUM_CODE_NONE},
               {":x", DICTUM_INVALID, DICTUM_CODE_NONE},
               {"nosuch:x", DICTUM_CONFIG, DICTUM_CODE_TYPE_UNKNOWN},
               {"STATIC:x", DICTUM_CONFIG, DICTUM_CODE_TYPE_UNKNOWN}};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    dictum_table *table = (dictum_table *)1;
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(dictum_open(*state, wrong[i].spec, 0, &table, &err), wrong[i].status);
    assert_null(table);
    assert_int_equal(err.code, wrong[i].code);
    assert_string_not_equal(err.what, "");
    assert_int_equal(dictum_open(*state, wrong[i].spec, 0, &table, NULL), wrong[i].status);
  }
}

static void unknown_type_names_those_that_are_known(void **state) {
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_open(*state, "nosuch:x", 0, &table, &err), DICTUM_CONFIG);
  static const char *const types[] = {"static", "inline", "texthash", "environ", "fail"};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    assert_non_null(strstr(err.what, types[i]));
}

static void relative_registry_is_refused(void **state) {
  (void)state;
  static const dictum_registry relative[] = {{"dynamicmaps.cf", "/x", 0}, {"/x", "plugins", 0}};
  for (size_t i = 0; i < 2; i++) {
    dictum_ctx *ctx = (dictum_ctx *)1;
    dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
    opts.registries = &relative[i];
    opts.nregistries = 1;
    assert_int_equal(dictum_ctx_new(&ctx, &opts, NULL), DICTUM_INVALID);
    assert_null(ctx);
  }
}

static void null_can_be_released(void **state) {
  (void)state;
  dictum_close(NULL);
  dictum_ctx_free(NULL);
  dictum_buf_free(NULL);
  dictum_iter_close(NULL);
  dictum_txn_abort(NULL);
  dictum_source_close(NULL);
  dictum_params_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ascii_keys_lose_their_case),
      cmocka_unit_test(bytes_above_127_keep_theirs_without_utf8),
      cmocka_unit_test(utf8_keys_are_folded_by_unicode),
      cmocka_unit_test(nofold_keeps_case),
      cmocka_unit_test(long_keys_are_folded_too),
      cmocka_unit_test(key_that_is_not_utf8_is_invalid),
      cmocka_unit_test(value_that_is_not_utf8_is_a_mistake),
      cmocka_unit_test(failing_table_gives_the_reason),
      cmocka_unit_test(batch_answers_as_single_lookups_do),
      cmocka_unit_test(first_bad_value_of_a_batch_is_told),
      cmocka_unit_test(empty_batch),
      cmocka_unit_test(arena_is_reused),
      cmocka_unit_test(large_batch),
      cmocka_unit_test(wrong_specs),
      cmocka_unit_test(unknown_type_names_those_that_are_known),
      cmocka_unit_test(relative_registry_is_refused),
      cmocka_unit_test(null_can_be_released),
  };
  return cmocka_run_group_tests_name("table", tests, open_context, close_context);
}
