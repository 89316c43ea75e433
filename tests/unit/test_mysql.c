/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mysql.c - what MySQL is asked: whatever a key is, it stays where it is put, or is not asked
 * for; and what the errors of its client's library mean. */
#include "unit.h"

#include <string.h>

#include "../../plugins/mysql/errors.h"
#include "../../plugins/mysql/statement.h"
#include "host.h"

struct made {
  struct template query;
  struct statement *statement;
};

static dictum_status make(const char *query, struct made *made) {
  made->statement = NULL;
  assert_int_equal(
      template_parse(&host_services, query, TEMPLATE_QUERY, "x.cf", &made->query, NULL), DICTUM_OK);
  return maria_statement_parse(&host_services, &made->query, "x.cf", &made->statement, NULL);
}

static void unmake(struct made *made) {
  maria_statement_free(made->statement);
  template_free(&made->query);
}

static void test_refused(void **state) {
  (void)state;
  static const char *const queries[] = {
      "SELECT '%s",    "SELECT \"%s", "SELECT `%s",      "SELECT '%s' /* x",
      "SELECT '\\%s'", "/*! '%s' */", "/*M!5 %s */",     "'%s', \"\\n\"",
      "'\\'%s",        "'a''%s",      "'%s' -- x\n, 'y",
  };
  for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
    struct made made;
    assert_int_equal(make(queries[i], &made), DICTUM_CONFIG);
    unmake(&made);
  }
}

static void test_texts(void **state) {
  (void)state;
  static const struct {
    const char *query, *key, *text; /* text NULL: there is nothing to ask */
  } cases[] = {
      {"SELECT '%s'", "it's", "SELECT 'it\\'s'"},
      {"SELECT '%s'", "a\\", "SELECT 'a\\\\'"},
      {"'%u@%d'", "a'b@c\\", "'a\\'b@c\\\\'"},
      {"\"%s\"", "a\"b\\'", "\"a\"\"b\\\\'\""},
      {"`%s`", "a`b\\", "`a``b\\`"},
      {"'a''b' '%s'", "'", "'a''b' '\\''"},
      {"'\\'' %s", "1", "'\\'' 1"},
      {"id = %s", "1 OR 1", NULL},
      {"id = %s", "", NULL},
      {"id = %s", "id", NULL},
      {"FROM t_%s", "B9", "FROM t_B9"},
      {"FROM %s_t", "B9", "FROM B9_t"},
      {"id = %s", "-5", "id = -5"},
      {"id = %s", "--", NULL},
      {"id = %s", "a'", NULL},
      {"-- it's %s\n'%s'", "x\n'", "-- it's \n'x\\n\\''"},
      {"# '%s\n'%s'", "'", "# '\n'\\''"},
      {"/* ' */ '%s'", "'", "/* ' */ '\\''"},
      {"/*/ ' */ '%s'", "'", "/*/ ' */ '\\''"},
      {"1--'%s'", "'", "1--'\\''"},
      {"5-- '%s'", "'", "5-- ''"},
      {"'100%%' '%d'", "a@b'", "'100%' 'b\\''"},
      {"'%d'", "a", NULL},
  };
  MYSQL *my = mysql_init(NULL);
  assert_non_null(my);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct made made;
    struct text text = {0};
    const struct address key = address_of(cases[i].key, strlen(cases[i].key));
    assert_int_equal(make(cases[i].query, &made), DICTUM_OK);
    assert_int_equal(maria_statement_suits(made.statement, &key), cases[i].text != NULL);
    if (cases[i].text) {
      assert_int_equal(maria_statement_text(made.statement, my, &key, &text), STATEMENT_OK);
      assert_string_equal(text.data, cases[i].text);
    }
    text_free(&text);
    unmake(&made);
  }
  mysql_close(my);
}

static void test_fragile(void **state) {
  (void)state;
  static const struct {
    const char *query;
    bool fragile;
  } cases[] = {{"SELECT '%s'", false}, {"id = %s", true},   {"x'%s'", true},
               {"`%s`", true},         {"_utf8'%s'", true}, {"LIKE '%s' /* %s */", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct made made;
    assert_int_equal(make(cases[i].query, &made), DICTUM_OK);
    assert_int_equal(maria_statement_is_fragile(made.statement), cases[i].fragile);
    unmake(&made);
  }
}

/* The others are raised by a server, in servers/test_mysql_errors.py. */
static void test_errors(void **state) {
  (void)state;
  static const unsigned lost[] = {2002, 2003, 2005, 2006, 2012, 2013, 2014, 2027, 2055};
  static const unsigned mistakes[] = {2019, 2026, 2059, 2061, 1045, 0};
  for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
    assert_int_equal(maria_error_status(lost[i]), DICTUM_RETRY);
    assert_true(maria_error_is_end(lost[i]));
  }
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    assert_int_equal(maria_error_status(mistakes[i]), DICTUM_CONFIG);
    assert_false(maria_error_is_end(mistakes[i]));
  }
  assert_int_equal(maria_error_status(2008), DICTUM_NOMEM);
  assert_int_equal(maria_error_status(2020), DICTUM_INVALID);
  assert_true(maria_error_is_of_host(1040));
  assert_false(maria_error_is_of_host(1213));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_texts),
      cmocka_unit_test(test_fragile),
      cmocka_unit_test(test_errors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
