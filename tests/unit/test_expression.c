/* SPDX-License-Identifier: BSD-2-Clause */
/* test_expression.c - matching with PCRE2: machine code or not, and up to the limits. */
#include "unit.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../plugins/pcre/expression.h"

enum { megabyte = 1 << 20, more_than_interpreted = 30 };

static const uint32_t usual = PCRE2_CASELESS | PCRE2_DOTALL;

static struct expression *compile(const char *pattern) {
  int code;
  size_t offset;
  struct expression *expression = expression_new(pattern, usual, true, &code, &offset);
  assert_non_null(expression);
  return expression;
}

/* Matches so often that machine code had its turn, too. */
static void assert_match(const char *pattern, const char *text, size_t len, int wanted) {
  struct matchers matchers = {.groups = 2};
  struct expression *expression = compile(pattern);
  int times = len > 1000 || wanted < 0 ? 2 : more_than_interpreted;
  for (int i = 0; i < times; i++) {
    struct matcher *matcher = matchers_take(&matchers);
    assert_non_null(matcher);
    assert_int_equal(expression_match(expression, matcher, text, len), wanted);
    matchers_give(&matchers, matcher);
  }
  expression_free(expression);
  matchers_free(&matchers);
}

static void keys_are_bytes(void **state) {
  (void)state;
  assert_match("b.c", "a\0b\0c", 5, 1);
  assert_match("^$", "", 0, 1);
  assert_match("^$", "\0", 1, 0);
  assert_match("^..$", "\xff\xfe", 2, 1);
  assert_match("\xc3\xa9", "x\xc3\xa9", 3, 1);
  assert_match("(*UTF)^.$", "\xc3\xa9", 2, 1);
  assert_match("(*UTF)x", "x\xff", 2, PCRE2_ERROR_UTF8_ERR21);
}

static void explosions_end_at_their_limit(void **state) {
  (void)state;
  char text[64];
  memset(text, 'a', sizeof text);
  text[63] = 'b';
  assert_match("^(a+)+$", text, sizeof text, PCRE2_ERROR_MATCHLIMIT);
  assert_match("(a|aa)+$", text, sizeof text, PCRE2_ERROR_MATCHLIMIT);
  assert_match("(*LIMIT_MATCH=1)a.*b.*c", "aabbccb", 7, PCRE2_ERROR_MATCHLIMIT);
}

static void a_megabyte_is_no_trouble(void **state) {
  (void)state;
  char *text = malloc(megabyte);
  assert_non_null(text);
  memset(text, 'a', megabyte);
  text[megabyte - 1] = 'b';
  assert_match("b$", text, megabyte, 1);
  assert_match("^a*b$", text, megabyte, 1);
  assert_match("^(a)*c", text, megabyte, PCRE2_ERROR_HEAPLIMIT);
  assert_match("(a+)+$", text, megabyte, PCRE2_ERROR_MATCHLIMIT);
  memset(text, '\xff', megabyte);
  assert_match("(*UTF)b", text, megabyte, PCRE2_ERROR_UTF8_ERR21);
  assert_match("^.*\xff$", text, megabyte, 1);
  memset(text, '\0', megabyte);
  assert_match("^\\x00+$", text, megabyte, 1);
  free(text);
}

/* Machine code and the interpreter find the same groups. */
static void groups_are_what_they_matched(void **state) {
  (void)state;
  struct matchers matchers = {.groups = 2};
  struct expression *expression = compile("(b+)|(c)");
  assert_int_equal(expression_groups(expression), 2);
  for (int i = 0; i < more_than_interpreted; i++) {
    struct matcher *matcher = matchers_take(&matchers);
    assert_int_equal(expression_match(expression, matcher, "abbc", 4), 1);
    dictum_key group = matcher_group(matcher, "abbc", 1);
    assert_int_equal(group.n, 2);
    assert_memory_equal(group.p, "bb", 2);
    assert_int_equal(matcher_group(matcher, "abbc", 2).n, 0);
    matchers_give(&matchers, matcher);
  }
  expression_free(expression);
  matchers_free(&matchers);
}

static void what_is_not_safe_is_refused(void **state) {
  (void)state;
  int code;
  size_t offset;
  assert_null(expression_new("(*UTF)a\\C", usual, true, &code, &offset));
  assert_int_equal(code, PCRE2_ERROR_BACKSLASH_C_CALLER_DISABLED);
  assert_null(expression_new("(a", usual, true, &code, &offset));
  assert_int_equal(offset, 2);
  assert_null(expression_new("((a{1,255}){1,255}){1,255}", usual, true, &code, &offset));
  assert_match("a\\C", "ab", 2, 1);
}

struct shared {
  struct expression *expression;
  struct matchers matchers;
  _Atomic int wrong;
};

static void *match_often(void *rock) {
  struct shared *shared = rock;
  for (int i = 0; i < 2000; i++) {
    struct matcher *matcher = matchers_take(&shared->matchers);
    bool found = expression_match(shared->expression, matcher, "xx@example.org", 14) == 1;
    if (!found || matcher_group(matcher, "xx@example.org", 1).n != 2)
      shared->wrong++;
    matchers_give(&shared->matchers, matcher);
  }
  return NULL;
}

static void threads_share_a_pattern(void **state) {
  (void)state;
  enum { nthreads = 32 };
  pthread_t threads[nthreads];
  struct shared shared = {.expression = compile("^(.*)@"), .matchers = {.groups = 1}};
  for (int i = 0; i < nthreads; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, match_often, &shared), 0);
  for (int i = 0; i < nthreads; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(shared.wrong, 0);
  expression_free(shared.expression);
  matchers_free(&shared.matchers);
}

static _Atomic int stop;

/* Makes machine code again and again, for forks in the middle of it. */
static void *make_and_drop(void *rock) {
  (void)rock;
  while (!stop) {
    struct shared shared = {.expression = compile("^(.*)@"), .matchers = {.groups = 1}};
    match_often(&shared);
    expression_free(shared.expression);
    matchers_free(&shared.matchers);
  }
  return NULL;
}

static void a_child_is_not_held_up(void **state) {
  (void)state;
  pthread_t thread;
  stop = 0;
  assert_int_equal(pthread_create(&thread, NULL, make_and_drop, NULL), 0);
  for (int i = 0; i < 50; i++) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      alarm(60);
      struct shared shared = {.expression = compile("^(.*)@"), .matchers = {.groups = 1}};
      match_often(&shared);
      expression_free(shared.expression);
      _exit(shared.wrong ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
  }
  stop = 1;
  pthread_join(thread, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_are_bytes),
      cmocka_unit_test(explosions_end_at_their_limit),
      cmocka_unit_test(a_megabyte_is_no_trouble),
      cmocka_unit_test(groups_are_what_they_matched),
      cmocka_unit_test(what_is_not_safe_is_refused),
      cmocka_unit_test(threads_share_a_pattern),
      cmocka_unit_test(a_child_is_not_held_up),
  };
  return cmocka_run_group_tests_name("expression", tests, NULL, NULL);
}
