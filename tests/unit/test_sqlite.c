/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sqlite.c - what SQLite is asked: whatever a key is, it stays a value, or is not asked for.
 * SQLite itself runs each statement, with parameters and spelled out. */
#include "unit.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/sqlite/statement.h"
#include "host.h"

static sqlite3 *db;

struct made {
  struct template query;
  struct statement *statement;
};

static struct made make(const char *query) {
  struct made made;
  assert_int_equal(template_parse(&host_services, query, TEMPLATE_QUERY, "test", &made.query, NULL),
                   DICTUM_OK);
  made.statement = sqlite_statement_parse(&made.query);
  assert_non_null(made.statement);
  return made;
}

static void unmake(struct made *made) {
  sqlite_statement_free(made->statement);
  template_free(&made->query);
}

static bool suits(const char *query, const char *key) {
  struct made made = make(query);
  const struct address address = address_of(key, strlen(key));
  bool does = sqlite_statement_suits(made.statement, &address);
  unmake(&made);
  return does;
}

static char *text_of(const char *query, const char *key, bool bound) {
  struct made made = make(query);
  const struct address address = address_of(key, strlen(key));
  struct text out = {0};
  assert_true(sqlite_statement_text(made.statement, &address, bound, &out));
  unmake(&made);
  return out.data;
}

/* What SQLite answers, in malloc()ed memory. */
static char *run(const char *query, const char *key, bool bound) {
  struct made made = make(query);
  const struct address address = address_of(key, strlen(key));
  struct text sql = {0};
  sqlite3_stmt *stmt;
  assert_true(sqlite_statement_text(made.statement, &address, bound, &sql));
  if (sqlite3_prepare_v2(db, sql.data, -1, &stmt, NULL) != SQLITE_OK)
    fail_msg("%s: %s", sql.data, sqlite3_errmsg(db));
  for (size_t i = 0; bound && i < sqlite_statement_nparams(made.statement); i++) {
    struct text value = {0};
    char name[32];
    snprintf(name, sizeof name, ":dictum%zu", i);
    assert_true(sqlite_statement_value(made.statement, i, &address, &value));
    assert_int_equal(sqlite3_bind_text(stmt, sqlite3_bind_parameter_index(stmt, name),
                                       value.data ? value.data : "", (int)value.len,
                                       SQLITE_TRANSIENT),
                     SQLITE_OK);
    text_free(&value);
  }
  assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
  char *answer = strdup((const char *)sqlite3_column_text(stmt, 0));
  sqlite3_finalize(stmt);
  text_free(&sql);
  unmake(&made);
  return answer;
}

static void assert_answer(const char *query, const char *key, const char *expected) {
  for (int bound = 0; bound < 2; bound++) {
    assert_true(suits(query, key));
    char *answer = run(query, key, bound);
    assert_string_equal(answer, expected);
    free(answer);
  }
}

static void keys_stay_values(void **state) {
  (void)state;
  static const char *const keys[] = {
      "plain", "o'brien",  "'",  "''",  "' OR 1=1 --", "x'; DROP TABLE t; --",
      "\"",    "]",        "`",  "/*",  "*/",          "--",
      "?",     ":dictum0", "%s", "\\'", "a\nb",        "\xc3\xbc"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    char expected[128];
    assert_answer("SELECT '%s'", keys[i], keys[i]);
    snprintf(expected, sizeof expected, "it's <%s%s>", keys[i], keys[i]);
    assert_answer("SELECT 'it''s <%s%s>'", keys[i], expected);
    snprintf(expected, sizeof expected, "'%s'", keys[i]);
    assert_answer("SELECT '''%s'''", keys[i], expected);
    assert_answer("SELECT /* '%s */ '%s' -- '%s\n", keys[i], keys[i]);
    assert_answer("SELECT \"a'b\", '%s' FROM (SELECT 1 AS \"a'b\")", keys[i], "1");
  }
}

static void parts_of_addresses(void **state) {
  (void)state;
  assert_answer("SELECT '%u' || '|%d|%2.%1'", "o'x@mail.example.org",
                "o'x|mail.example.org|example.org");
  assert_answer("SELECT '100%%'", "x", "100%");
  assert_false(suits("SELECT '%d'", "no-domain"));
  assert_false(suits("SELECT '%u'", "@example.org"));
}

static void several_literals_are_several_parameters(void **state) {
  (void)state;
  char *sql = text_of("SELECT v FROM t WHERE a='%s' OR b='x' OR c = '%u-%d'", "a@b", true);
  assert_string_equal(sql, "SELECT v FROM t WHERE a= :dictum0  OR b='x' OR c =  :dictum1 ");
  free(sql);
  struct made made = make("SELECT '%s'");
  assert_true(sqlite_statement_is_fixed(made.statement));
  assert_int_equal(sqlite_statement_nparams(made.statement), 1);
  unmake(&made);
}

static void names_are_escaped(void **state) {
  (void)state;
  char *sql = text_of("SELECT \"%s\" FROM `%s`", "a\"b`c", true);
  assert_string_equal(sql, "SELECT \"a\"\"b`c\" FROM `a\"b``c`");
  free(sql);
  assert_false(suits("SELECT 1 FROM [%s]", "a]b"));
  struct made made = make("SELECT \"%s\"");
  assert_false(sqlite_statement_is_fixed(made.statement));
  unmake(&made);
}

static void nothing_but_numbers_and_words_stands_without_quotes(void **state) {
  (void)state;
  assert_answer("SELECT %s + 1", "41", "42");
  assert_answer("SELECT %s", "-1.5", "-1.5");
  static const char *const refused[] = {"1 OR 1=1", "a.b", "x;y", "--",       "-", "'a'",
                                        "a b",      "(1)", "1-1", "\xc3\xbc", "",  "id"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    assert_false(suits("SELECT %s", refused[i]));
  assert_true(suits("SELECT a_%s", "B9"));
  assert_true(suits("SELECT %s_a", "B9"));
  assert_false(suits("SELECT a_%s", ""));
}

static void a_quote_without_end_is_left_to_sqlite(void **state) {
  (void)state;
  char *sql = text_of("SELECT '%s", "it's", true);
  assert_string_equal(sql, "SELECT 'it''s");
  free(sql);
}

static void a_nul_byte_is_not_asked_for(void **state) {
  (void)state;
  struct made made = make("SELECT '%s'");
  const struct address address = address_of("a\0b", 3);
  assert_false(sqlite_statement_suits(made.statement, &address));
  unmake(&made);
}

static int set_up(void **state) {
  (void)state;
  return sqlite3_open(":memory:", &db);
}

static int tear_down(void **state) {
  (void)state;
  return sqlite3_close(db);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_stay_values),
      cmocka_unit_test(parts_of_addresses),
      cmocka_unit_test(several_literals_are_several_parameters),
      cmocka_unit_test(names_are_escaped),
      cmocka_unit_test(nothing_but_numbers_and_words_stands_without_quotes),
      cmocka_unit_test(a_quote_without_end_is_left_to_sqlite),
      cmocka_unit_test(a_nul_byte_is_not_asked_for),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
