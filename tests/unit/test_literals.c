/* SPDX-License-Identifier: BSD-2-Clause */
/* test_literals.c - which texts a pattern needs, and of which patterns that is not said. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "../../plugins/common/literals.h"

/* @p wanted  the texts, with "|" between; NULL: none are known */
static void assert_needs(enum literals_syntax syntax, const char *pattern, const char *wanted) {
  struct literals found;
  char all[512] = "";
  size_t len = 0;
  bool known = literals_of(pattern, syntax, &found);
  for (size_t i = 0; known && i < found.n; i++) {
    len += (size_t)snprintf(all + len, sizeof all - len, "%s%.*s", i ? "|" : "", found.list[i].len,
                            found.list[i].text);
  }
  if (known != (wanted != NULL) || strcmp(all, wanted ? wanted : "") != 0)
    fail_msg("%s needs %s, wanted %s", pattern, known ? all : "?", wanted ? wanted : "?");
}

static void assert_both(const char *pattern, const char *wanted) {
  assert_needs(LITERALS_POSIX, pattern, wanted);
  assert_needs(LITERALS_PERL, pattern, wanted);
}

static void finds_the_longest_row(void **state) {
  (void)state;
  assert_both("abcd", "abcd");
  assert_both("^Abcd.*efghi$", "efghi");
  assert_both("[@.]ads-1\\.example$", "ads-1.example");
  assert_both("(news|mail)123\\.(com|org)$", "123.");
  assert_both("a\\/b\\.c", "a/b.c");
  assert_both("abcd\\b", "abcd");
  assert_both("abc", NULL);
  assert_both("", NULL);
}

static void takes_away_what_may_be_absent(void **state) {
  (void)state;
  assert_both("abcdx?", "abcd");
  assert_both("abcdx*y", "abcd");
  assert_both("abcdx+yyyyyy", "yyyyyy");
  assert_both("abcdx{0,1}", "abcd");
  assert_both("abcdx{1,2}", "abcdx");
  assert_both("abcd{2}xy", "abcd");
  assert_both("abcdx{00}", "abcd");
  assert_both("(abcdefgh)?ijkl", "ijkl");
}

static void each_alternative_needs_one(void **state) {
  (void)state;
  assert_both("abcd|efgh.i", "abcd|efgh");
  assert_both("abcd|ef", NULL);
  assert_both("abcd|", NULL);
  assert_both("a|b|c", NULL);
}

static void says_nothing_of_what_is_not_clear(void **state) {
  (void)state;
  assert_both("abcd{x", NULL);
  assert_both("abcd{,2}", NULL);
  assert_both("abcd\\1", NULL);
  assert_both("abcd[[.a.]]", NULL);
  assert_both("abcd**", NULL);
  assert_both("^*abcd", NULL);
  assert_both("abcd\\x41", NULL);
  assert_needs(LITERALS_POSIX, "abcde+?", NULL);
  assert_needs(LITERALS_PERL, "abcde+?", "abcde");
  assert_needs(LITERALS_PERL, "(?i)abcd", NULL);
  assert_needs(LITERALS_PERL, "(a(?x) )#)abcd", NULL);
  assert_needs(LITERALS_PERL, "(*UTF)abcd", NULL);
  assert_needs(LITERALS_PERL, "(x(*ACCEPT))abcd", NULL);
  assert_needs(LITERALS_PERL, "\\Qabcd\\E", NULL);
  assert_needs(LITERALS_PERL, "(\\Q)\\E)abcd", NULL);
  assert_needs(LITERALS_PERL, "(?#abcd)", NULL);
}

static void skips_groups_and_brackets(void **state) {
  (void)state;
  assert_both("(a[)]b(c)\\))abcd", "abcd");
  assert_both("[]a]abcd", "abcd");
  assert_both("[^]a]abcd", "abcd");
  assert_both("[[:alpha:]]abcd", "abcd");
  assert_needs(LITERALS_POSIX, "[\\]abcd", "abcd");
  assert_needs(LITERALS_PERL, "[\\]]abcd", "abcd");
  assert_needs(LITERALS_PERL, "(?:x)(?=y)(?!z)(?<n>w)(?<=v)(?>u)(?P<m>t)abcd", "abcd");
}

static void cuts_what_is_too_long(void **state) {
  (void)state;
  char pattern[200], wanted[LITERAL_MOST + 1];
  memset(pattern, 'a', sizeof pattern - 1);
  pattern[sizeof pattern - 1] = '\0';
  memset(wanted, 'a', LITERAL_MOST);
  wanted[LITERAL_MOST] = '\0';
  assert_both(pattern, wanted);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(finds_the_longest_row),
      cmocka_unit_test(takes_away_what_may_be_absent),
      cmocka_unit_test(each_alternative_needs_one),
      cmocka_unit_test(says_nothing_of_what_is_not_clear),
      cmocka_unit_test(skips_groups_and_brackets),
      cmocka_unit_test(cuts_what_is_too_long),
  };
  return cmocka_run_group_tests_name("literals", tests, NULL, NULL);
}
