/* SPDX-License-Identifier: BSD-2-Clause */
/* test_statement.c - where in a pgsql query a key stands, and what becomes of it there. */
#include "unit.h"

#include <string.h>

#include "../../plugins/pgsql/statement.h"
#include "host.h"

static const struct {
  const char *query;
  const char *bound;  /* NULL: only to be spelled out */
  const char *values; /* for the key "it's@b.c", each with "|" behind it */
} cases[] = {
    {"SELECT 1", "SELECT 1", ""},
    {"SELECT '%s'", "SELECT  $1 ", "it's@b.c|"},
    {"SELECT '%u@%d', '%d'", "SELECT  $1 ,  $2 ", "it's@b.c|b.c|"},
    {"a LIKE '%%%s%%'", "a LIKE  $1 ", "%it's@b.c%|"},
    {"'a''b%s''c'", " $1 ", "a'bit's@b.c'c|"},
    {"E'\\\\%s\\n\\''", " $1 ", "\\it's@b.c\n'|"},
    {"$$%s'$$ $t$ %d $t$", " $1   $2 ", "it's@b.c'| b.c |"},
    {"'a' \"b\" $$c$$ '%s'", "'a' \"b\" $$c$$  $1 ", "it's@b.c|"},
    {"/* it's %s */ '%s' -- '%d", "   $1   ", "it's@b.c|"},
    {"/* a /* ' */ */ '%s'", "/* a /* ' */ */  $1 ", "it's@b.c|"},
    {"-- it's\n'%s'", "-- it's\n $1 ", "it's@b.c|"},
    {"'%s';", " $1 ;", "it's@b.c|"},
    {"'%s'; -- end", " $1 ; -- end", "it's@b.c|"},
    {"name'%s'", "name $1 ", "it's@b.c|"},
    {"a$b$'%s'", "a$b$ $1 ", "it's@b.c|"},
    {"SELECT 1; SELECT '%s'", NULL, NULL},
    {"SELECT $1, '%s'", NULL, NULL},
    {"SELECT \"%s\"", NULL, NULL},
    {"SELECT B'%s'", NULL, NULL},
    {"SELECT U&'%s'", NULL, NULL},
    {"SELECT %s", NULL, NULL},
};

static dictum_status parse(const char *query, struct template *template, struct statement **out) {
  assert_int_equal(template_parse(&host_services, query, TEMPLATE_QUERY, "x.cf", template, NULL),
                   DICTUM_OK);
  return statement_parse(&host_services, template, "x.cf", out, NULL);
}

static void check_values(const struct statement *statement, const char *wanted) {
  const struct address key = address_of("it's@b.c", 8);
  struct text values = {0};
  assert_int_equal(statement_append_values(statement, &key, &values), STATEMENT_OK);
  for (size_t i = 0; i < values.len; i++)
    if (values.data[i] == '\0')
      values.data[i] = '|';
  assert_string_equal(values.data ? values.data : "", wanted);
  text_free(&values);
}

static void test_places(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct template template;
    struct statement *statement = NULL;
    assert_int_equal(parse(cases[i].query, &template, &statement), DICTUM_OK);
    const char *bound = statement_bound(statement);
    assert_string_equal(bound ? bound : "(none)", cases[i].bound ? cases[i].bound : "(none)");
    if (bound)
      check_values(statement, cases[i].values);
    statement_free(statement);
    template_free(&template);
  }
}

static void test_mistakes(void **state) {
  (void)state;
  static const char *const bad[] = {"'%s",  "'it''s %s", "\"%s", "$$%s",    "$a$ %s $b$",
                                    "/*%s", "/* /* */",  "E'\\", "E'\\%s'", "E'\\x41%s'"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct template template;
    struct statement *statement = NULL;
    assert_int_equal(parse(bad[i], &template, &statement), DICTUM_CONFIG);
    assert_null(statement);
    template_free(&template);
  }
}

static void test_keys(void **state) {
  (void)state;
  struct template template;
  struct statement *statement = NULL;
  struct text values = {0};
  assert_int_equal(parse("SELECT '%u' /* %d */", &template, &statement), DICTUM_OK);
  const struct address plain = address_of("abc", 3), nul = address_of("a\0c@d.e", 7);
  assert_false(statement_suits(statement, &plain));
  assert_true(statement_suits(statement, &nul));
  assert_int_equal(statement_append_values(statement, &nul, &values), STATEMENT_UNFIT);
  text_free(&values);
  statement_free(statement);
  template_free(&template);
}

/* Only what is compared for equality, and nothing that an inner query may not have. */
static void test_joined(void **state) {
  (void)state;
  static const struct {
    const char *query;
    bool joined;
  } list[] = {{"SELECT v FROM t WHERE k = '%s'", true},
              {"select v from t where k='%u' AND d= '%d'", true},
              {"SELECT v FROM t WHERE (k = '%s') ORDER BY v", true},
              {"SELECT v FROM t WHERE k >= '%s'", false},
              {"SELECT v FROM t WHERE k ~= '%s'", false},
              {"SELECT v FROM t WHERE k LIKE '%s'", false},
              {"SELECT v FROM t WHERE k = '%s' || 'x'", false},
              {"SELECT v FROM t WHERE k = '%s'::text", false},
              {"SELECT v FROM t WHERE k = upper('%s')", false},
              {"SELECT v FROM t WHERE k = '%s';", false},
              {"SELECT v FROM t WHERE k = '%s' FOR UPDATE", false},
              {"UPDATE t SET v = '%s'", false},
              {"SELECT v FROM t", false}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    struct template template;
    struct statement *statement = NULL;
    assert_int_equal(parse(list[i].query, &template, &statement), DICTUM_OK);
    assert_int_equal(statement_joined(statement) != NULL, list[i].joined);
    statement_free(statement);
    template_free(&template);
  }
}

static void test_several(void **state) {
  (void)state;
  static const struct {
    const char *query;
    bool several;
  } list[] = {{"SELECT 1", false},   {"SELECT 1;", false},       {"SELECT 1; ;\n", false},
              {"SELECT ';'", false}, {"SELECT 1; /* */", false}, {"SELECT 1; SELECT 2", true},
              {"; '%s'", true},      {"SELECT $$;$$ x", false}};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    struct template template;
    struct statement *statement = NULL;
    assert_int_equal(parse(list[i].query, &template, &statement), DICTUM_OK);
    assert_int_equal(statement_is_several(statement), list[i].several);
    statement_free(statement);
    template_free(&template);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_places), cmocka_unit_test(test_mistakes), cmocka_unit_test(test_keys),
      cmocka_unit_test(test_joined), cmocka_unit_test(test_several),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
