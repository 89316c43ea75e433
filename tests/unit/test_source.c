/* SPDX-License-Identifier: BSD-2-Clause */
/* test_source.c - entries of postmap(1) and aliases(5). */
#include "unit.h"

#include <fcntl.h>

#include "buf.h"
#include "ctx.h"
#include "heard.h"

static struct heard heard;
static dictum_ctx ctx = {.events = {heard_event, &heard}};

/* Appends all entries as "LINE:KEY=VALUE|". */
static void drain(dictum_source *source, dictum_buf *out) {
  dictum_entry entry;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status;
  assert_true(buf_append(out, "", 0));
  while ((status = dictum_source_next(source, &entry, &err)) == DICTUM_OK) {
    char number[24];
    snprintf(number, sizeof number, "%llu:", (unsigned long long)entry.line);
    assert_true(buf_append_str(out, number) && buf_append(out, entry.key, entry.keylen) &&
                buf_append_char(out, '=') && buf_append(out, entry.value, entry.valuelen) &&
                buf_append_char(out, '|'));
  }
  assert_int_equal(status, DICTUM_END);
}

static void check(uint32_t flags, const char *text, const char *wanted, const char *events) {
  heard = (struct heard){0};
  int fd = file_with(text, strlen(text));
  assert_true(fd >= 0);
  dictum_source *source;
  dictum_buf got = {0};
  assert_int_equal(dictum_source_open(&ctx, fd, "F", flags, &source, NULL), DICTUM_OK);
  drain(source, &got);
  assert_string_equal(got.data, wanted);
  assert_string_equal(heard.text, events);
  assert_int_equal(dictum_source_offset(source), strlen(text));
  dictum_source_close(source);
  dictum_buf_free(&got);
  close(fd);
}

static void splits(void **state) {
  (void)state;
  check(0, "", "", "");
  check(0, "k v\nK  a b\t\n", "1:k=v|2:K=a b|", "");
  check(0, "k\n  v\n", "1:k=v|", "");
  check(0, "k\vv \f\r\nl\ta\rb", "1:k=v|2:l=a\rb|", "");
  check(0, "k#y = v # c", "1:k#y== v # c|", "");
}

static void keeps_quotes(void **state) {
  (void)state;
  check(0, "\"a b\" c\n", "1:\"a b\"=c|", "");
  check(0, "\"a\" \"c\n", "1:\"a\"=\"c|", "");
  check(0, "a\\ b c\n\"\\\" \" x\n\"\" y", "1:a\\ b=c|2:\"\\\" \"=x|3:\"\"=y|", "");
  check(0, "a\"b c\"d e", "1:a\"b c\"d=e|", "");
}

/* Keys are looked at in words of eight bytes: what matters may stand at every place of one. */
static void ends_keys_at_every_place(void **state) {
  (void)state;
  static const char key[] = "k\001\177\303\244!#[]kkkkkkkkkkkkkkkkkkkkkkk";
  for (int n = 1; n < (int)sizeof key; n++) {
    char text[80], wanted[80];
    for (const char *space = " \t\v\f\r"; *space; space++) {
      snprintf(text, sizeof text, "%.*s%cvalue of it", n, key, *space);
      snprintf(wanted, sizeof wanted, "1:%.*s=value of it|", n, key);
      check(0, text, wanted, "");
    }
    snprintf(text, sizeof text, "%.*s\"b c\" value of it", n, key);
    snprintf(wanted, sizeof wanted, "1:%.*s\"b c\"=value of it|", n, key);
    check(0, text, wanted, "");
    snprintf(text, sizeof text, "%.*s\\ \\\" value of it", n, key);
    snprintf(wanted, sizeof wanted, "1:%.*s\\ \\\"=value of it|", n, key);
    check(0, text, wanted, "");
  }
}

static void warns_of_bad_entries(void **state) {
  (void)state;
  check(0, "\"a b\n", "", "F, line 1: unbalanced '\"' in '\"a b' -- ignoring this line\n");
  assert_int_equal(heard.code, DICTUM_CODE_SOURCE_LINE);
  assert_int_equal(heard.line, 1);
  check(0, "ok 1\n\nk \n", "1:ok=1|", "F, line 3: expected format: key whitespace value\n");
  check(0, "k\\ \n", "", "F, line 1: expected format: key whitespace value\n");
  check(0, "k\\", "", "F, line 1: expected format: key whitespace value\n");
  check(0, "k: v\n", "1:k:=v|",
        "F, line 1: record is in \"key: value\" format; is this an alias file?\n");
}

static void checks_utf8(void **state) {
  (void)state;
  check(DICTUM_SOURCE_UTF8, "\xc3\xa9 1\nb\xff 2\nc 3\n", "1:\xc3\xa9=1|3:c=3|",
        "F, line 2: non-UTF-8 input \"b? 2\" -- ignoring this line\n");
  check(0, "b\xff 2", "1:b\xff=2|", "");
  check(DICTUM_SOURCE_UTF8 | DICTUM_SOURCE_ALIASES, "a: \xc0\xaf\n", "",
        "F, line 1: non-UTF-8 input \"a: ??\" -- ignoring this line\n");
}

static void reports_unreadable_input(void **state) {
  (void)state;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_source *source;
  dictum_entry entry;
  int fd = open("/", O_RDONLY);
  assert_int_equal(dictum_source_open(&ctx, fd, "/", 0, &source, &err), DICTUM_OK);
  assert_int_equal(dictum_source_next(source, &entry, &err), DICTUM_CONFIG);
  assert_string_equal(err.what, "read /: Is a directory");
  dictum_source_close(source);
  close(fd);
}

/* ---- aliases ------------------------------------------------------------------------------ */

static void check_aliases(const char *text, const char *wanted) {
  check(DICTUM_SOURCE_ALIASES, text, wanted, "");
}

static void splits_aliases(void **state) {
  (void)state;
  check_aliases("a:b\nc : d\r\n", "1:a=b|2:c=d|");
  check_aliases("a: b,\n  c,\n\td", "1:a=b, c, d|");
  check_aliases("a: b,c ,d", "1:a=b, c, d|");
  check_aliases("a b: c:d", "1:a b=c:d|");
  check_aliases("x . y: |/cmd, :include:/f, \"|/cmd a\"", "1:x.y=|/cmd, :include:/f, \"|/cmd a\"|");
}

static void writes_tokens_anew(void **state) {
  (void)state;
  check_aliases("a: u @ h . d , v@[1.2.3.4]", "1:a=u@h.d, v@[1.2.3.4]|");
  check_aliases("a: N (c (d) \\) e)<x@y> z", "1:a=N (c (d) \\) e) <x@y>z|");
  check_aliases("a: ,<x>,", "1:a=, <x>, |");
  check_aliases("a: \"b\"c\"d\"[e](f)g", "1:a=\"b\" c \"d\" [e] (f) g|");
  check_aliases("a: x;y! z%w]v)", "1:a=x;y!z%w]v)|");
}

static void handles_backslashes(void **state) {
  (void)state;
  check_aliases("a: b\\cd \\,x \\", "1:a=bcd \",x\" |");
  check_aliases("a: \"x\\\"y\\\\z\\q\"", "1:a=\"x\\\"y\\\\zq\"|");
  check_aliases("a: [x\\]y\\\\z\"]", "1:a=[x]y\\\\z\"]|");
  check_aliases("a: b\001c \"d\te\"", "1:a=\"b\001c\" \"d e\"|");
}

/* Between others, which must stay as they are: in quotes, in a literal, and in a word. */
static void knows_every_character(void **state) {
  (void)state;
  for (int c = 1; c < 256; c++) {
    char text[64], wanted[80];
    if (c == '\n' || c == '"' || c == '\\' || c == ']')
      continue;
    const int turned = c == '\t' || c == '\r' ? ' ' : c;
    snprintf(text, sizeof text, "a: \"long%cer\"[long%cer]", c, c);
    snprintf(wanted, sizeof wanted, "1:a=\"long%cer\" [long%cer]|", turned, turned);
    check_aliases(text, wanted);
    if (strchr(" \t\r([,", c))
      continue;
    const bool control = c < ' ' || c == 0x7f;
    snprintf(text, sizeof text, "a: long%cer", c);
    snprintf(wanted, sizeof wanted, control ? "1:a=\"long%cer\"|" : "1:a=long%cer|", c);
    if (c == '<') /* has a space before it */
      snprintf(wanted, sizeof wanted, "1:a=long <er|");
    check_aliases(text, wanted);
  }
}

static void closes_what_is_open(void **state) {
  (void)state;
  check_aliases("a: \"b c", "1:a=\"b c\"|");
  check_aliases("a: \"b\\", "1:a=\"b\"|");
  check_aliases("a: [b", "1:a=[b]|");
  check_aliases("a: (b (c)", "1:a=(b (c)|");
}

static void keeps_names_quoted(void **state) {
  (void)state;
  check_aliases("\"two words\": x\n\"plain\": x\n\"u@h\": x\n\"\": x",
                "1:\"two words\"=x|2:\"plain\"=x|3:\"u@h\"=x|4:\"\"=x|");
}

static void warns_of_bad_aliases(void **state) {
  (void)state;
  static const char *const no_pair[] = {"a", "a:", ": x", "a,b: x", "\"a: x", "a@b,c: x"};
  for (size_t i = 0; i < sizeof no_pair / sizeof *no_pair; i++)
    check(DICTUM_SOURCE_ALIASES, no_pair[i], "", "F, line 1: need name:value pair\n");
  static const char *const not_local[] = {"a@b: x", "@a: x", "a%b: x"};
  for (size_t i = 0; i < sizeof not_local / sizeof *not_local; i++)
    check(DICTUM_SOURCE_ALIASES, not_local[i], "", "F, line 1: name must be local\n");
}

/* ---- files as values ---------------------------------------------------------------------- */

static void reads_files(void **state) {
  (void)state;
  char folder[] = "/tmp/dictum-source-XXXXXX";
  assert_non_null(mkdtemp(folder));
  char one[64], two[64], empty[64], text[400];
  snprintf(one, sizeof one, "%s/one", folder);
  snprintf(two, sizeof two, "%s/two", folder);
  snprintf(empty, sizeof empty, "%s/empty", folder);
  assert_int_equal(write_file(one, "hello\nworld\n"), 0);
  assert_int_equal(write_file(two, "second"), 0);
  assert_int_equal(write_file(empty, ""), 0);
  snprintf(text, sizeof text, "k1 %s\nk2 %s, %s\nk3 %s %s,,%s\n", one, one, two, one, two, empty);
  check(DICTUM_SOURCE_FILES, text,
        "1:k1=aGVsbG8Kd29ybGQK|2:k2=aGVsbG8Kd29ybGQKCnNlY29uZA==|"
        "3:k3=aGVsbG8Kd29ybGQKCnNlY29uZAo=|",
        "");
  unlink(one);
  unlink(two);
  unlink(empty);
  rmdir(folder);
}

static void skips_missing_files(void **state) {
  (void)state;
  check(DICTUM_SOURCE_FILES, "a /nonexistent\nb ,\nc /\n", "",
        "F, line 1: open /nonexistent: No such file or directory: skipping this entry\n"
        "F, line 2: empty pathname list: \",\": skipping this entry\n"
        "F, line 3: read /: Is a directory: skipping this entry\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits),
      cmocka_unit_test(keeps_quotes),
      cmocka_unit_test(ends_keys_at_every_place),
      cmocka_unit_test(warns_of_bad_entries),
      cmocka_unit_test(checks_utf8),
      cmocka_unit_test(reports_unreadable_input),
      cmocka_unit_test(splits_aliases),
      cmocka_unit_test(writes_tokens_anew),
      cmocka_unit_test(handles_backslashes),
      cmocka_unit_test(knows_every_character),
      cmocka_unit_test(closes_what_is_open),
      cmocka_unit_test(keeps_names_quoted),
      cmocka_unit_test(warns_of_bad_aliases),
      cmocka_unit_test(reads_files),
      cmocka_unit_test(skips_missing_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
