/* SPDX-License-Identifier: BSD-2-Clause */
/* test_rules.c - what tables of rules share: lines, the list with its blocks, replacement texts. */
#include "unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "error.h"
#include "host.h"
#include "../../plugins/common/rules.h"

/* ---- a host that hands out the lines of a string and remembers what it is told -------------- */

static char told[4096];
static const char *rest; /* of the text that is being read */
static uint64_t number;
static bool lines_are_open;

/* What names a line in its text has that line. */
static void assert_line(const char *text, uint64_t line) {
  char wanted[32];
  snprintf(wanted, sizeof wanted, ", line %" PRIu64 ":", line);
  assert_true(line > 0);
  if (strstr(text, " map file, line "))
    assert_non_null(strstr(text, wanted));
}

__attribute__((format(printf, 5, 6))) static void fake_log_line(dictum_slot *slot,
                                                                dictum_level level,
                                                                dictum_code code, uint64_t line,
                                                                const char *fmt, ...) {
  (void)slot;
  assert_int_equal(level, DICTUM_LEVEL_WARNING);
  assert_int_equal(code, DICTUM_CODE_RULE);
  size_t len = strlen(told);
  va_list args;
  va_start(args, fmt);
  vsnprintf(told + len, sizeof told - len, fmt, args);
  va_end(args);
  assert_line(told + len, line);
  len = strlen(told);
  snprintf(told + len, sizeof told - len, "\n");
}

static dictum_status fake_lines_open(dictum_slot *slot, const char *name, dictum_lines **out,
                                     dictum_error *err) {
  (void)slot;
  *out = NULL;
  if (strcmp(name, "missing") == 0)
    return error_set(err, DICTUM_CONFIG, 0, "open missing");
  rest = name;
  number = 0;
  lines_are_open = true;
  return DICTUM_OK;
}

static dictum_status fake_lines_next(dictum_lines *lines, char **text, size_t *len, uint64_t *line,
                                     dictum_error *err) {
  static char buffer[256];
  (void)lines;
  (void)err;
  if (*rest == '\0')
    return DICTUM_END;
  *len = strcspn(rest, ";");
  memcpy(buffer, rest, *len);
  buffer[*len] = '\0';
  rest += *len + (rest[*len] == ';');
  *text = buffer;
  *line = ++number;
  return DICTUM_OK;
}

static void fake_lines_close(dictum_lines *lines) {
  (void)lines;
  lines_are_open = false;
}

static dictum_host host;
static struct rules_origin origin = {&host, NULL, "regexp", "file"};

static int begin(void **state) {
  (void)state;
  host = host_services;
  host.log_line = fake_log_line;
  host.lines_open = fake_lines_open;
  host.lines_next = fake_lines_next;
  host.lines_close = fake_lines_close;
  told[0] = '\0';
  return 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static dictum_status note_line(void *table, char *text, uint64_t line, dictum_error *err) {
  char *seen = table;
  sprintf(seen + strlen(seen), "%d=%s ", (int)line, text);
  return strcmp(text, "stop") == 0 ? error_set(err, DICTUM_NOMEM, 0, "stopped") : DICTUM_OK;
}

static void reads_lines_that_have_text(void **state) {
  (void)state;
  char seen[64] = "";
  struct rules_origin text = {&host, NULL, "regexp", "a;;b"};
  assert_int_equal(rules_read(&text, note_line, seen, NULL), DICTUM_OK);
  assert_string_equal(seen, "1=a 3=b ");
  assert_false(lines_are_open);
}

static void stops_reading_when_told(void **state) {
  (void)state;
  char seen[64] = "";
  dictum_error err = DICTUM_ERROR_INIT;
  struct rules_origin text = {&host, NULL, "regexp", "a;stop;b"};
  assert_int_equal(rules_read(&text, note_line, seen, &err), DICTUM_NOMEM);
  assert_string_equal(seen, "1=a 2=stop ");
  assert_string_equal(err.what, "stopped");
  assert_false(lines_are_open);
  text.name = "missing";
  assert_int_equal(rules_read(&text, note_line, seen, &err), DICTUM_CONFIG);
  assert_string_equal(err.what, "open missing");
}

static void assert_word(const char *line, enum rules_word word, const char *behind) {
  char buffer[64], *text = buffer;
  strcpy(buffer, line);
  assert_int_equal(rules_word(&text), word);
  assert_string_equal(text, behind);
}

static void tells_how_a_line_begins(void **state) {
  (void)state;
  assert_word("if /a/", RULES_IF, "/a/");
  assert_word("IF\t !/a/", RULES_IF, "!/a/");
  assert_word("iF/a/", RULES_IF, "/a/");
  assert_word("if", RULES_IF, "");
  assert_word("endif", RULES_ENDIF, "");
  assert_word("EndIf  x", RULES_ENDIF, "x");
  assert_word("ifx /a/", RULES_LETTERS, "ifx /a/");
  assert_word("if1", RULES_LETTERS, "if1");
  assert_word("endifs", RULES_LETTERS, "endifs");
  assert_word("i", RULES_LETTERS, "i");
  assert_word("10.0.0.1 x", RULES_LETTERS, "10.0.0.1 x");
  assert_word("/a/ x", RULES_OTHER, "/a/ x");
  assert_word("!/a/ x", RULES_OTHER, "!/a/ x");
  assert_word("\xe9", RULES_OTHER, "\xe9");
}

static void assert_negation(const char *line, bool negated, const char *behind) {
  char buffer[64], *text = buffer;
  strcpy(buffer, line);
  assert_int_equal(rules_negation(&text), negated);
  assert_string_equal(text, behind);
}

static void each_exclamation_mark_toggles(void **state) {
  (void)state;
  assert_negation("/a/", false, "/a/");
  assert_negation("!/a/", true, "/a/");
  assert_negation("! \t/a/", true, "/a/");
  assert_negation("! !/a!/", false, "/a!/");
  assert_negation("!!!", true, "");
  assert_negation("", false, "");
}

static void assert_cut(const char *line, const char *wanted, const char *behind) {
  char buffer[64], *text = buffer, *pattern = NULL, delimiter;
  strcpy(buffer, line);
  assert_int_equal(rules_delimited(&text, &pattern, &delimiter), wanted != NULL);
  assert_int_equal(delimiter, line[0]);
  if (wanted)
    assert_string_equal(pattern, wanted);
  assert_string_equal(text, behind);
}

static void cuts_patterns_off(void **state) {
  (void)state;
  assert_cut("/a b/i x", "a b", "i x");
  assert_cut("//", "", "");
  assert_cut("|a/b|", "a/b", "");
  assert_cut("/a\\/b/ x", "a\\/b", " x");
  assert_cut("/a\\\\/ x", "a\\\\", " x");
  assert_cut("", NULL, "");
  assert_cut("/", NULL, "/");
  assert_cut("/a", NULL, "/a");
  assert_cut("/a\\", NULL, "/a\\");
  assert_cut("/a\\/", NULL, "/a\\/");
  /* The backslash as delimiter still protects, unless nothing follows. */
  assert_cut("\\a\\ x", NULL, "\\a\\ x");
  assert_cut("\\a\\", "a", "");
}

/* ---- the list ------------------------------------------------------------------------------- */

/* A rule is a string: "*" matches all, "?" cannot tell, others match themselves within the key. */
static dictum_status match_text(const void *rule, void *subject) {
  const char *text = rule;
  if (strcmp(text, "?") == 0)
    return DICTUM_RETRY;
  return strcmp(text, "*") == 0 || strstr(subject, text) ? DICTUM_OK : DICTUM_NOTFOUND;
}

static void add(struct rules *rules, const char *text) {
  assert_int_equal(rules_add(rules, strdup(text), NULL), DICTUM_OK);
}

static void add_if(struct rules *rules, const char *text, uint64_t line) {
  assert_int_equal(rules_add_if(rules, strdup(text), line, NULL), DICTUM_OK);
}

static void assert_finds(const struct rules *rules, const char *key, const char *wanted) {
  char subject[64];
  const void *rule = NULL;
  strcpy(subject, key);
  dictum_status status = rules_find(rules, match_text, subject, &rule);
  assert_int_equal(status, wanted ? DICTUM_OK : DICTUM_NOTFOUND);
  if (wanted)
    assert_string_equal(rule, wanted);
}

static void the_first_match_answers(void **state) {
  (void)state;
  struct rules *rules = rules_new(&host, free);
  assert_finds(rules, "a", NULL);
  add(rules, "ab");
  add(rules, "a");
  add(rules, "abc");
  rules_finish(rules, &origin);
  assert_finds(rules, "abc", "ab");
  assert_finds(rules, "xa", "a");
  assert_finds(rules, "x", NULL);
  assert_string_equal(told, "");
  rules_free(rules);
}

static void blocks_hide_what_is_in_them(void **state) {
  (void)state;
  struct rules *rules = rules_new(&host, free);
  add_if(rules, "a", 1);
  add_if(rules, "b", 2);
  add(rules, "1");
  assert_true(rules_add_endif(rules));
  add(rules, "2");
  add_if(rules, "c", 6); /* with nothing in it */
  assert_true(rules_add_endif(rules));
  assert_true(rules_add_endif(rules));
  assert_false(rules_add_endif(rules));
  add(rules, "3");
  rules_finish(rules, &origin);
  assert_finds(rules, "ab123", "1");
  assert_finds(rules, "a123", "2");
  assert_finds(rules, "b123", "3");
  assert_finds(rules, "abc3", "3");
  assert_finds(rules, "ac", NULL);
  assert_string_equal(told, "");
  rules_free(rules);
}

static void the_end_closes_what_is_open(void **state) {
  (void)state;
  struct rules *rules = rules_new(&host, free);
  add(rules, "0");
  add_if(rules, "a", 12);
  add_if(rules, "b", 13);
  add(rules, "1");
  rules_finish(rules, &origin);
  assert_string_equal(told, "regexp map file, line 13: IF has no matching ENDIF\n"
                            "regexp map file, line 12: IF has no matching ENDIF\n");
  assert_finds(rules, "ab1", "1");
  assert_finds(rules, "a1", NULL);
  assert_finds(rules, "b10", "0");
  rules_free(rules);
}

static void what_cannot_be_told_stops_the_search(void **state) {
  (void)state;
  struct rules *rules = rules_new(&host, free);
  add(rules, "a");
  add(rules, "?");
  add(rules, "b");
  char key[] = "b";
  const void *rule;
  assert_int_equal(rules_find(rules, match_text, key, &rule), DICTUM_RETRY);
  assert_finds(rules, "ab", "a");
  rules_free(rules);
}

static void nesting_has_no_limit(void **state) {
  (void)state;
  enum { depth = 200000 };
  struct rules *rules = rules_new(&host, free);
  for (int i = 0; i < depth; i++)
    add_if(rules, "*", 1);
  add(rules, "a");
  for (int i = 0; i < depth; i++)
    assert_true(rules_add_endif(rules));
  add(rules, "b");
  assert_finds(rules, "ab", "a");
  assert_finds(rules, "b", "b");
  rules_free(rules);
}

/* ---- replacement texts ---------------------------------------------------------------------- */

static dictum_key group_of(const void *match, unsigned n) {
  const char *const *groups = match;
  return (dictum_key){groups[n], strlen(groups[n])};
}

static void assert_expands(const char *text, unsigned groups, const char *wanted) {
  static const char *const match[] = {"?", "one", "two", ""};
  struct rules_template *template;
  assert_int_equal(rules_template_parse(&origin, 7, text, "out of range", &template, NULL),
                   DICTUM_OK);
  assert_int_equal(rules_template_groups(template), groups);
  dictum_buf arena = {0};
  dictum_req req = {0};
  dictum_sink sink = {&req, 1, &arena, 0};
  assert_int_equal(rules_template_emit(template, group_of, match, &host, &sink, NULL), DICTUM_OK);
  assert_int_equal(req.len, strlen(wanted));
  assert_memory_equal(arena.data + req.off, wanted, req.len);
  dictum_buf_free(&arena);
  rules_template_free(template);
}

static void expands_groups(void **state) {
  (void)state;
  assert_expands("", 0, "");
  assert_expands("plain text", 0, "plain text");
  assert_expands("costs $$5", 0, "costs $5");
  assert_expands("$$$$", 0, "$$");
  assert_expands("$1", 1, "one");
  assert_expands("<${1}$(2)>", 2, "<onetwo>");
  assert_expands("$2!$1", 2, "two!one");
  assert_expands("$01 $1", 1, "one one");
  assert_expands("$$1$1$$", 1, "$1one$");
  assert_expands("$3", 3, "");
  assert_expands("a\\$1", 1, "a\\one");
  assert_string_equal(told, "");
}

static void expands_to_any_length(void **state) {
  (void)state;
  enum { copies = 5000 };
  char *text = malloc(2 * copies + 1), *wanted = malloc(3 * copies + 1);
  for (int i = 0; i < copies; i++) {
    memcpy(text + 2 * i, "$1", 3);
    memcpy(wanted + 3 * i, "one", 4);
  }
  assert_expands(text, 1, wanted);
  free(text);
  free(wanted);
}

static void assert_mistake(const char *text, const char *wanted) {
  struct rules_template *template = (struct rules_template *)1;
  told[0] = '\0';
  assert_int_equal(rules_template_parse(&origin, 7, text, "out of range", &template, NULL),
                   DICTUM_INVALID);
  assert_null(template);
  char all[512];
  snprintf(all, sizeof all,
           "%s\nregexp map file, line 7: bad replacement syntax: skipping this rule\n", wanted);
  assert_string_equal(told, all);
}

static void tells_mistakes(void **state) {
  (void)state;
  assert_mistake("$x", "regexp map file, line 7: non-numeric replacement index \"x\"");
  assert_mistake("$1x", "regexp map file, line 7: non-numeric replacement index \"1x\"");
  assert_mistake("${ 1}", "regexp map file, line 7: non-numeric replacement index \" 1\"");
  assert_mistake("${{1}}", "regexp map file, line 7: non-numeric replacement index \"{1}\"");
  assert_mistake("$(-1)", "regexp map file, line 7: non-numeric replacement index \"-1\"");
  assert_mistake("a $0", "regexp map file, line 7: out of range replacement index \"0\"");
  assert_mistake("$00", "regexp map file, line 7: out of range replacement index \"00\"");
  assert_mistake("a $ b", "empty macro name: \"a $ b\"");
  assert_mistake("$", "empty macro name: \"$\"");
  assert_mistake("${}", "empty macro name: \"${}\"");
  assert_mistake("$1${1", "truncated macro reference: \"$1${1\"");
  assert_mistake("$(1}", "truncated macro reference: \"$(1}\"");
  assert_mistake("$x${}", "regexp map file, line 7: non-numeric replacement index \"x\"");
  assert_mistake("$x${", "regexp map file, line 7: non-numeric replacement index \"x\"\n"
                         "truncated macro reference: \"$x${\"");
  assert_mistake("$x$y", "regexp map file, line 7: non-numeric replacement index \"x\"\n"
                         "regexp map file, line 7: non-numeric replacement index \"y\"");
}

static void a_huge_number_is_out_of_any_range(void **state) {
  (void)state;
  struct rules_template *template;
  assert_int_equal(
      rules_template_parse(&origin, 7, "$18446744073709551617", "out of range", &template, NULL),
      DICTUM_OK);
  assert_true(rules_template_groups(template) > 1000000);
  rules_template_free(template);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(reads_lines_that_have_text, begin),
      cmocka_unit_test_setup(stops_reading_when_told, begin),
      cmocka_unit_test_setup(tells_how_a_line_begins, begin),
      cmocka_unit_test_setup(each_exclamation_mark_toggles, begin),
      cmocka_unit_test_setup(cuts_patterns_off, begin),
      cmocka_unit_test_setup(the_first_match_answers, begin),
      cmocka_unit_test_setup(blocks_hide_what_is_in_them, begin),
      cmocka_unit_test_setup(the_end_closes_what_is_open, begin),
      cmocka_unit_test_setup(what_cannot_be_told_stops_the_search, begin),
      cmocka_unit_test_setup(nesting_has_no_limit, begin),
      cmocka_unit_test_setup(expands_groups, begin),
      cmocka_unit_test_setup(expands_to_any_length, begin),
      cmocka_unit_test_setup(tells_mistakes, begin),
      cmocka_unit_test_setup(a_huge_number_is_out_of_any_range, begin),
  };
  return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
