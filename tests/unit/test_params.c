/* SPDX-License-Identifier: BSD-2-Clause */
/* test_params.c - main.cf: its lines, and the expansion of values. */
#include "unit.h"

#include <errno.h>

#include "heard.h"

static struct heard heard;
static char path[] = "/tmp/dictum-params-XXXXXX";

static dictum_params *read_text(const char *text, dictum_status wanted, dictum_error *err) {
  heard = (struct heard){0};
  assert_int_equal(write_file(path, text), 0);
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.event = heard_event;
  opts.event_rock = &heard;
  dictum_params *params;
  assert_int_equal(dictum_params_read(path, &opts, &params, err), wanted);
  assert_true((params != NULL) == (wanted == DICTUM_OK));
  return params;
}

static void check_get(const dictum_params *params, const char *name, const char *wanted) {
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_params_get(params, name, &value, &err), DICTUM_OK);
  assert_string_equal(value.data, wanted);
  assert_int_equal(value.len, strlen(wanted));
  dictum_buf_free(&value);
}

/* ---- lines -------------------------------------------------------------------------------- */

static void reads_lines(void **state) {
  (void)state;
  dictum_params *params = read_text("# c\na = 1\nb=\n\nlong = x \n # c\n  y # z\n"
                                    "B = \"q\"\ne = c = d\n",
                                    DICTUM_OK, NULL);
  check_get(params, "a", "1");
  check_get(params, "b", "");
  check_get(params, "long", "x   y # z");
  check_get(params, "B", "\"q\"");
  check_get(params, "e", "c = d");
  dictum_buf value = {0};
  assert_int_equal(dictum_params_get(params, "A", &value, NULL), DICTUM_NOTFOUND);
  assert_int_equal(value.len, 0);
  dictum_buf_free(&value);
  dictum_params_free(params);
  assert_string_equal(heard.text, "");
}

static void last_setting_wins(void **state) {
  (void)state;
  dictum_params *params = read_text("a = 1\na = 1\na = 2\n", DICTUM_OK, NULL);
  check_get(params, "a", "2");
  dictum_params_free(params);
  char wanted[128];
  snprintf(wanted, sizeof wanted, "%s, line 3: overriding earlier entry: a=1\n", path);
  assert_string_equal(heard.text, wanted);
  assert_int_equal(heard.code, DICTUM_CODE_PARAM);
  assert_int_equal(heard.line, 3);
}

static void refuses_lines(void **state) {
  (void)state;
  static const struct {
    const char *line, *what;
  } bad[] = {{"a b = c", "missing '=' after attribute name: \"a b = c\""},
             {"a", "missing '=' after attribute name: \"a\""},
             {"= c", "missing attribute name: \"= c\""}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    dictum_error err = DICTUM_ERROR_INIT;
    char text[64], wanted[128];
    snprintf(text, sizeof text, "x = 1\n%s\n", bad[i].line);
    snprintf(wanted, sizeof wanted, "%s, line 2: %s", path, bad[i].what);
    read_text(text, DICTUM_CONFIG, &err);
    assert_string_equal(err.what, wanted);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.code, DICTUM_CODE_PARAM);
  }
}

static void tells_a_missing_file(void **state) {
  (void)state;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_params *params;
  assert_int_equal(dictum_params_read("/nonexistent", NULL, &params, &err), DICTUM_CONFIG);
  assert_null(params);
  assert_int_equal(err.sys_errno, ENOENT);
  assert_string_equal(err.what, "open /nonexistent: No such file or directory");
}

static void defaults_yield_to_the_file(void **state) {
  (void)state;
  dictum_params *params = read_text("a = 1\n", DICTUM_OK, NULL);
  assert_int_equal(dictum_params_default(params, "a", "0", NULL), DICTUM_OK);
  assert_int_equal(dictum_params_default(params, "b", "$a$a", NULL), DICTUM_OK);
  assert_int_equal(dictum_params_default(params, "b", "$a", NULL), DICTUM_OK);
  check_get(params, "a", "1");
  check_get(params, "b", "1");
  dictum_params_free(params);
  assert_int_equal(dictum_params_read(NULL, NULL, &params, NULL), DICTUM_OK);
  assert_int_equal(dictum_params_default(params, "a", "0", NULL), DICTUM_OK);
  check_get(params, "a", "0");
  dictum_params_free(params);
}

/* ---- expansion ---------------------------------------------------------------------------- */

static dictum_params *sample(void) {
  return read_text("x = 1\ne =\nhidden = $e$e\nbroken = ${\nloop = $ring\nring = ${loop}\n"
                   "later = $defined\ndefined = yes\n",
                   DICTUM_OK, NULL);
}

static const struct {
  const char *text, *value;
} expansions[] = {
    {"", ""},
    {"plain text", "plain text"},
    {"$x", "1"},
    {"a${x}b$(x)c", "a1b1c"},
    {"$x.$x-$x_", "1.1-"},
    {"$$x$$", "$x$"},
    {"$$$x", "$1"},
    {"${ x }", "1"},
    {"$undefined${undefined}", ""},
    {"$later", "yes"},
    {"{$x}", "{1}"},
    {"${x}}", "1}"},
    /* Unbraced branches. */
    {"${x?a}", "a"},
    {"${e?a}", ""},
    {"${undefined?a}", ""},
    {"${e:a}", "a"},
    {"${x:a}", ""},
    {"${x?a:b}", "a:b"},
    {"${x? a }", " a "},
    {"${x?a{b}c}", "a{b}c"},
    {"${x?}${x:}", ""},
    {"${x?${e:q}}", "q"},
    {"$(x?a{b)c}", "a{bc}"},
    {"$(x?a(b)c)", "a(b)c"},
    {"${x ?a}", "a"},
    /* The test looks at the value before its expansion. */
    {"${hidden?a}", "a"},
    {"${broken?a}", "a"},
    /* Braced branches. */
    {"${x?{a}:{b}}", "a"},
    {"${e?{a}:{b}}", "b"},
    {"${e?{a}:b}", "b"},
    {"${e?{a}: b }", " b "},
    {"${e?{a}}", ""},
    {"${e? {a} : { b } }", " b "},
    {"${e: {b}}", "b"},
    {"${x?{a{b}c}}", "a{b}c"},
    {"${x?{a}:b:c?d}", "a"},
    {"${x?{${e:{q}}}:{r}}", "q"},
    {"${x?{a}:{$broken}}", "a"},
    /* Comparisons. */
    {"${{a} == {a}}", "true"},
    {"${{a}!={a}}", ""},
    {"${ {$x} == {1} ? {y} : {n} }", "y"},
    {"${{a} == {b} : n}", " n"},
    {"${{a} == {b} ? {y}}", ""},
    {"${{ a} == {a} ? {y} : {n}}", "n"},
    {"${{9} < {10} ? {y} : {n}}", "y"},
    {"${{9} < {1a} ? {y} : {n}}", "n"},
    {"${{007} == {7} ? {y} : {n}}", "y"},
    {"${{99999999999999999999} > {9} ? {y} : {n}}", "y"},
    {"${{b} >= {ab} ? {y} : {n}}", "y"},
    {"${{} <= {} ? {y} : {n}}", "y"},
    {"${{3.9} <level {3.10} ? {y} : {n}}", "y"},
    {"${{3.9} < {3.10} ? {y} : {n}}", "n"},
    {"${{3} ==level {3.0.0} ? {y} : {n}}", "y"},
    {"${{3.6.1} >level {3.6} ? {y} : {n}}", "y"},
    {"${{a{b}} == {a{b}}}", "true"},
};

static void expands(void **state) {
  (void)state;
  dictum_params *params = sample();
  for (size_t i = 0; i < sizeof expansions / sizeof *expansions; i++) {
    dictum_buf value = {0};
    dictum_error err = DICTUM_ERROR_INIT;
    if (dictum_params_expand(params, expansions[i].text, &value, &err) != DICTUM_OK)
      fail_msg("%s: %s", expansions[i].text, err.what);
    if (strcmp(value.data, expansions[i].value) != 0)
      fail_msg("%s: \"%s\" instead of \"%s\"", expansions[i].text, value.data, expansions[i].value);
    dictum_buf_free(&value);
  }
  dictum_params_free(params);
}

static const struct {
  const char *text, *what;
} mistakes[] = {
    {"a${x", "truncated macro reference: \"a${x\""},
    {"$(x}", "truncated macro reference: \"$(x}\""},
    {"${x?{a}", "truncated macro reference: \"${x?{a}\""},
    {"a$", "empty macro name: \"a$\""},
    {"$-", "empty macro name: \"$-\""},
    {"${}", "empty macro name: \"${}\""},
    {"${x-y}", "attribute name syntax error at: \"...x>>>-y\""},
    {"${x y}", "attribute name syntax error at: \"...x>>> y\""},
    {"${$x}", "attribute name syntax error at: \"...>>>$x\""},
    {"${x?{a}{b}}", "\":\" expected at: \"...x?{a}>>>{b}\""},
    {"${x?{a}:{b}c}", "unexpected input at: \"...x?{a}:{b}>>>c\""},
    {"${x:{a}?b}", "unexpected input at: \"...x:{a}>>>?b\""},
    {"${{a} =~ {a}}",
     "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected at: \"...{a} >>>=~ {a}\""},
    {"${{a}}", "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected at: \"...{a}>>>\""},
    {"${{a} == }", "\"{expression}\" expected at: \"...{a} == >>>\""},
    {"${{a} == {a} x}", "\"?\" or \":\" expected at: \"...{a} == {a} >>>x\""},
    {"${{1} ==levels {1}}", "bad operator suffix at: \"...{1} ==>>>levels {1}\""},
    {"$({a == {b})", "unbalanced {} at: \"...>>>{a == {b}\""},
    {"${{a} <level {1}}", "malformed compatibility level syntax: \"a\""},
    {"${{1} <level {1.1024}}", "malformed compatibility level syntax: \"1.1024\""},
    {"${{1} <level {1.2.3.4}}", "malformed compatibility level syntax: \"1.2.3.4\""},
    {"${f{x}}", "unknown function at: \"...f>>>{x}\""},
    {"$broken", "truncated macro reference: \"${\""},
};

static void tells_mistakes(void **state) {
  (void)state;
  dictum_params *params = sample();
  for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
    dictum_buf value = {0};
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(dictum_params_expand(params, mistakes[i].text, &value, &err), DICTUM_CONFIG);
    assert_string_equal(err.what, mistakes[i].what);
    assert_int_equal(err.code, DICTUM_CODE_PARAM);
    assert_int_equal(value.len, 0);
    dictum_buf_free(&value);
  }
  dictum_params_free(params);
}

static void names_file_and_line(void **state) {
  (void)state;
  dictum_params *params = sample();
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_params_get(params, "broken", &value, &err), DICTUM_CONFIG);
  assert_int_equal(err.line, 4);
  assert_string_equal(err.where, path);
  dictum_buf_free(&value);
  dictum_params_free(params);
}

static dictum_status get(const dictum_params *params, const char *name, char what[512]) {
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_params_get(params, name, &value, &err);
  dictum_buf_free(&value);
  memcpy(what, err.what, sizeof err.what);
  return status;
}

static void stops_loops(void **state) {
  (void)state;
  dictum_params *params = sample();
  char what[512];
  assert_int_equal(get(params, "loop", what), DICTUM_CONFIG);
  assert_non_null(strstr(what, "unreasonable macro call nesting"));
  dictum_params_free(params);
}

/* A chain of settings, each a hundred and more, and each naming the next @p times times. */
static dictum_params *chain(int length, int times) {
  dictum_params *params;
  assert_int_equal(dictum_params_read(NULL, NULL, &params, NULL), DICTUM_OK);
  for (int i = 0; i < length; i++) {
    char name[16], value[32];
    snprintf(name, sizeof name, "x%d", i);
    snprintf(value, sizeof value, times == 1 ? "$x%d" : "$x%d$x%d", i + 1, i + 1);
    assert_int_equal(dictum_params_default(params, name, value, NULL), DICTUM_OK);
  }
  char last[16];
  snprintf(last, sizeof last, "x%d", length);
  assert_int_equal(dictum_params_default(params, last, "end", NULL), DICTUM_OK);
  return params;
}

static void limits_depth_and_work(void **state) {
  (void)state;
  char what[512];
  dictum_params *params = chain(100, 1);
  assert_int_equal(get(params, "x0", what), DICTUM_OK);
  dictum_params_free(params);
  params = chain(101, 1);
  assert_int_equal(get(params, "x0", what), DICTUM_CONFIG);
  dictum_params_free(params);
  params = chain(90, 2);
  assert_int_equal(get(params, "x0", what), DICTUM_CONFIG);
  assert_non_null(strstr(what, "unreasonable macro call nesting"));
  dictum_params_free(params);
}

static int make_path(void **state) {
  (void)state;
  int fd = mkstemp(path);
  return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state) {
  (void)state;
  return unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_lines),
      cmocka_unit_test(last_setting_wins),
      cmocka_unit_test(refuses_lines),
      cmocka_unit_test(tells_a_missing_file),
      cmocka_unit_test(defaults_yield_to_the_file),
      cmocka_unit_test(expands),
      cmocka_unit_test(tells_mistakes),
      cmocka_unit_test(names_file_and_line),
      cmocka_unit_test(stops_loops),
      cmocka_unit_test(limits_depth_and_work),
  };
  return cmocka_run_group_tests(tests, make_path, remove_path);
}
