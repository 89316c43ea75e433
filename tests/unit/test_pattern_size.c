/* SPDX-License-Identifier: BSD-2-Clause */
/* test_pattern_size.c - what compiling a regular expression would cost. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/regexp/pattern_size.h"

static bool repeated_is_too_large(const char *piece, size_t copies, bool extended) {
  size_t len = strlen(piece);
  char *pattern = calloc(len, copies + 1);
  assert_non_null(pattern);
  for (size_t i = 0; i < copies; i++)
    memcpy(pattern + i * len, piece, len);
  bool too_large = pattern_is_too_large(pattern, extended);
  free(pattern);
  return too_large;
}

static void usual_patterns_are_fine(void **state) {
  (void)state;
  static const char *const fine[] = {
      "",
      "^(.*)@(.*)$",
      "^Content-type: Multipart\\/report",
      "a{1,255}",
      "(a{1,30}){1,60}",
      "^([a-z0-9-]+\\.)+example\\.(com|net)$",
      "^[^]()|{}]+[[:alpha:]]*$",
      "(((((((((a+)+)+)+)+)+)+)+)+)",
      "(x*|y?)+",
      "\\bfoo\\b|\\<bar\\>",
      "^^$$",
      "((a*b*){0,9}){0,9}",
      "(([a-z]?-?){0,20};?){0,5}",
      "((([a-z]*,?)* ?)*;?)*",
      "(([0-9]*)*{1,9}){1,2}",
  };
  for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
    assert_false(pattern_is_too_large(fine[i], true));
    assert_false(pattern_is_too_large(fine[i], false));
  }
  assert_false(repeated_is_too_large("word|", 3000, true));
  assert_false(repeated_is_too_large("^a|", 1000, true));
  assert_false(repeated_is_too_large("some text ", 5000, true));
  assert_false(repeated_is_too_large("[0-9]+\\.", 500, true));
}

static void copies_of_copies_are_not(void **state) {
  (void)state;
  assert_true(pattern_is_too_large("((a{1,255}){1,255}){1,255}", true));
  assert_true(pattern_is_too_large("a{255}{255}{255}", true));
  assert_true(pattern_is_too_large("((a{1,255}){1,255}){1,255", true));
  assert_true(pattern_is_too_large("\\(a\\{1,255\\}\\)\\{1,255\\}", false));
  assert_true(pattern_is_too_large("a\\{255\\}\\{255\\}\\{255\\}", false));
  assert_true(pattern_is_too_large("[a-z]{1,30000}", true));
  assert_true(pattern_is_too_large("a++++++++++++++++++", true));
}

/* Few copies, but minutes of time. */
static void rounds_in_rounds_are_not(void **state) {
  (void)state;
  assert_true(pattern_is_too_large("((a{9,9}*{1,9})*{1,9}){1,9}", true));
  assert_true(pattern_is_too_large("((a*b*)*{1,9}){1,9}", true));
  assert_true(pattern_is_too_large("((a*{1,9})*{1,9}){1,4}", true));
  assert_true(pattern_is_too_large("(x((a*)*{2,9})y?){1,9}", true));
  assert_true(pattern_is_too_large("\\(\\(a*\\)*\\{1,9\\}\\)\\{1,9\\}", false));
}

static void the_other_syntax_takes_it_for_text(void **state) {
  (void)state;
  assert_false(pattern_is_too_large("((a{1,255}){1,255}){1,255}", false));
  assert_false(pattern_is_too_large("\\(a\\{1,255\\}\\)\\{1,255\\}", true));
  assert_false(pattern_is_too_large("[(a{1,255}){1,255}]{1,255}", true));
}

static void depth_has_a_limit(void **state) {
  (void)state;
  assert_false(repeated_is_too_large("(", 200, true));
  assert_true(repeated_is_too_large("(", 201, true));
  assert_true(repeated_is_too_large("\\(", 201, false));
  assert_false(repeated_is_too_large("(a)", 5000, true));
  assert_false(repeated_is_too_large(")", 5000, true));
}

static void rows_have_a_limit(void **state) {
  (void)state;
  assert_false(repeated_is_too_large("a*", 2000, true));
  assert_true(repeated_is_too_large("a*", 2001, true));
  assert_true(repeated_is_too_large("a|", 5000, true));
  assert_false(repeated_is_too_large("^", 10, true));
  assert_true(repeated_is_too_large("^", 11, true));
  assert_false(repeated_is_too_large("^a", 1000, true));
  assert_true(repeated_is_too_large("(^|a)*", 11, true));
  assert_true(repeated_is_too_large("(x*|y?)+", 20, true));
  assert_true(repeated_is_too_large("(x*|y?){2,}", 20, true));
  assert_true(repeated_is_too_large("(\\b){1,}", 11, true));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(usual_patterns_are_fine),
      cmocka_unit_test(copies_of_copies_are_not),
      cmocka_unit_test(rounds_in_rounds_are_not),
      cmocka_unit_test(the_other_syntax_takes_it_for_text),
      cmocka_unit_test(depth_has_a_limit),
      cmocka_unit_test(rows_have_a_limit),
  };
  return cmocka_run_group_tests_name("pattern_size", tests, NULL, NULL);
}
