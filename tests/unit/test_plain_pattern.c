/* SPDX-License-Identifier: BSD-2-Clause */
/* test_plain_pattern.c - what is called plain can be compiled, by the C library and by PCRE2. */
#include "unit.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../../plugins/common/plain_pattern.h"

static void assert_posix(const char *pattern, int flags, unsigned groups) {
  regex_t regex;
  char why[256];
  int code = regcomp(&regex, pattern, flags | REG_EXTENDED);
  if (code != 0) {
    regerror(code, NULL, why, sizeof why);
    fail_msg("%s: %s", pattern, why);
  }
  size_t counted = regex.re_nsub;
  regfree(&regex);
  if (counted != groups)
    fail_msg("%s has %zu groups, not %u", pattern, counted, groups);
}

static void assert_perl(const char *pattern, uint32_t flags, unsigned groups) {
  int error;
  size_t offset;
  uint32_t counted = 0;
  pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, flags, &error,
                                   &offset, NULL);
  if (!code)
    fail_msg("%s: error %d at %zu", pattern, error, offset);
  pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &counted);
  pcre2_code_free(code);
  if (counted != groups)
    fail_msg("%s has %u groups, not %u", pattern, counted, groups);
}

static bool check(const char *pattern) {
  unsigned groups;
  if (!plain_pattern(pattern, &groups))
    return false;
  assert_posix(pattern, REG_ICASE, groups);
  assert_posix(pattern, REG_NEWLINE | REG_NOSUB, groups);
  assert_perl(pattern, PCRE2_CASELESS | PCRE2_DOTALL, groups);
  assert_perl(pattern, PCRE2_MULTILINE | PCRE2_ANCHORED | PCRE2_UNGREEDY, groups);
  return true;
}

static void usual_patterns_are_plain(void **state) {
  (void)state;
  static const char *const patterns[] = {
      "abc",
      "^Content-type: Multipart\\/report",
      "^([^@]+)\\.old@example\\.com$",
      "@(.*\\.)?example\\.(com|org)$",
      "^Subject:.*[[:space:]]{4,}x",
      "^(From|Reply-To):.*<[a-z0-9._%+-]+@[A-Z0-9.-]+>",
      "\\bviagra\\b|\\w+\\s*cialis",
      "^Received: .*?from [0-9]{1,3}\\.[0-9]{1,3}",
      "\xc3\xa4\xff",
  };
  for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
    if (!check(patterns[i]))
      fail_msg("%s is not plain", patterns[i]);
}

static void doubtful_patterns_are_not(void **state) {
  (void)state;
  static const char *const patterns[] = {
      "",        "(",         ")",       "a)",      "()",
      "(|a)",    "a||b",      "a|",      "|a",      "*a",
      "^*",      "(*UTF)a",   "(?i)a",   "(?:a)",   "a**",
      "a*+",     "a+*",       "a{2",     "a{2,1}",  "a{,2}",
      "a{100}",  "(a){2}",    "{2}",     "a{2}{2}", "a{2}*",
      "\\",      "a\\",       "\\1",     "\\d",     "\\Qa",
      "\\<a",    "\\x41",     "\\b*",    "[",       "[a",
      "[]a]",    "[^]a]",     "[z-a]",   "[a-9]",   "[a-\\]",
      "[\\d]",   "[[:foo:]]", "[:a:]",   "[.a.]",   "[[.a.]]",
      "[[=a=]]", "[-a]",      "[a-c-e]", "[ -~]",   "[[:alpha:]-z]",
      "[[]",
  };
  for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
    unsigned groups;
    if (plain_pattern(patterns[i], &groups))
      fail_msg("%s is plain", patterns[i]);
  }
}

static void long_and_deep_patterns_are_not(void **state) {
  (void)state;
  char text[1002];
  unsigned groups;
  memset(text, 'a', 1001);
  text[1001] = '\0';
  assert_false(plain_pattern(text, &groups));
  assert_true(plain_pattern(text + 1, &groups));
  memset(text, '(', 21);
  text[21] = 'a';
  memset(text + 22, ')', 21);
  text[43] = '\0';
  assert_false(plain_pattern(text, &groups));
  text[42] = '\0';
  assert_true(plain_pattern(text + 1, &groups));
  assert_int_equal(groups, 20);
}

static uint32_t next(uint32_t *seed) {
  *seed = *seed * UINT32_C(1664525) + UINT32_C(1013904223);
  return *seed >> 16;
}

/* Pieces of which some go together, and many do not. */
static void random_patterns_that_are_plain_can_be_compiled(void **state) {
  (void)state;
  static const char *const pieces[] = {
      "a",    "b",      "Z",          "9",  ".", "^", "$",   "|",     "(",    ")",   "(a",
      "b)",   "*",      "+",          "?",  "{", "}", "{1}", "{0,3}", "{2,}", "[",   "]",
      "[ab]", "[^a-z]", "[[:alpha:]", "-",  ":", "=", ",",   "\\",    "\\.",  "\\b", "\\w",
      "\\S",  "\\<",    "\xe4",       "\t", "/", "#", " ",   "!",     "<",    "&",   "%"};
  uint32_t seed = 20, plain = 0, tries = 300000;
  for (uint32_t i = 0; i < tries; i++) {
    char text[64] = "";
    uint32_t count = 1 + next(&seed) % 9;
    for (uint32_t n = 0; n < count; n++)
      strcat(text, pieces[next(&seed) % (sizeof pieces / sizeof pieces[0])]);
    plain += check(text);
  }
  /* Neither nothing nor everything. */
  assert_in_range(plain, tries / 20, tries / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(usual_patterns_are_plain),
      cmocka_unit_test(doubtful_patterns_are_not),
      cmocka_unit_test(long_and_deep_patterns_are_not),
      cmocka_unit_test(random_patterns_that_are_plain_can_be_compiled),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
