/* SPDX-License-Identifier: BSD-2-Clause */
/* test_lines.c - logical lines from files, pipes and table names. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "buf.h"
#include "heard.h"
#include "lines.h"

static struct heard heard;
static const struct event_sink sink = {heard_event, &heard};
static const struct lines_owner owner = {&sink, ""};

/* Appends all lines as "NUMBER:TEXT|". */
static void drain(dictum_lines *lines, dictum_buf *out) {
  struct line line;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status;
  buf_append(out, "", 0);
  while ((status = lines_next(lines, &line, &err)) == DICTUM_OK) {
    char number[24];
    snprintf(number, sizeof number, "%llu:", (unsigned long long)line.number);
    assert_int_equal(strlen(line.text), line.len);
    assert_true(buf_append_str(out, number) && buf_append_str(out, line.text) &&
                buf_append_char(out, '|'));
  }
  assert_int_equal(status, DICTUM_END);
  assert_int_equal(lines_next(lines, &line, &err), DICTUM_END);
}

static void check_bytes(const char *text, size_t len, const char *wanted, const char *events) {
  heard = (struct heard){0};
  int fd = file_with(text, len);
  assert_true(fd >= 0);
  dictum_lines *lines;
  dictum_buf got = {0};
  assert_int_equal(lines_open_fd(fd, "F", &owner, &lines, NULL), DICTUM_OK);
  drain(lines, &got);
  assert_string_equal(got.data, wanted);
  assert_string_equal(heard.text, events);
  assert_int_equal(lines_offset(lines), len);
  lines_close(lines);
  dictum_buf_free(&got);
  close(fd);
}

static void check(const char *text, const char *wanted) {
  check_bytes(text, strlen(text), wanted, "");
}

static void plain(void **state) {
  (void)state;
  check("", "");
  check("\n", "");
  check("a", "1:a|");
  check("a b \nc\n", "1:a b |2:c|");
  check("a\r\nb\r\n", "1:a\r|2:b\r|");
  check("a # b\\\nc", "1:a # b\\|2:c|");
}

static void drops_blanks_and_comments(void **state) {
  (void)state;
  check("# x\n\n  \n \t#y\na\n#z\n\r\nb\n#", "5:a|8:b|");
}

static void continues(void **state) {
  (void)state;
  check("a \n b\n\tc\nd\n", "1:a  b\tc|4:d|");
  check("a\n\n# x\n  # y\n b\n\n", "1:a b|");
  check("a\n\vb\n\fc\n\rd", "1:a\vb\fc\rd|");
}

static void warns_of_leading_space(void **state) {
  (void)state;
  static const char text[] = "\n x\n y\na\n b\n";
  check_bytes(text, sizeof text - 1, "4:a b|",
              "F, line 2: logical line must not start with whitespace: \" x y\"\n");
  assert_int_equal(heard.code, DICTUM_CODE_SOURCE_LINE);
  assert_int_equal(heard.line, 2);
  static const char longer[] = " 23456789012345678901234567890123";
  check_bytes(longer, sizeof longer - 1, "",
              "F, line 1: logical line must not start with whitespace: "
              "\" 23456789012345678901234567890...\"\n");
}

static void cuts_at_nul(void **state) {
  (void)state;
  static const char text[] = "a\0b\n c\nd\n\0e\n# \0\nf\0";
  check_bytes(text, sizeof text - 1, "1:a|3:d|4:|6:f|",
              "F, line 1-2: text after null byte may be ignored\n"
              "F, line 5: text after null byte may be ignored\n"
              "F, line 4: text after null byte may be ignored\n"
              "F, line 6: text after null byte may be ignored\n");
}

static void trims(void **state) {
  (void)state;
  char text[] = "a b\t \r";
  struct line line = {text, sizeof text - 1, 1};
  line_trim(&line);
  assert_string_equal(text, "a b");
  assert_int_equal(line.len, 3);
}

/* ---- big input ---------------------------------------------------------------------------- */

struct feed {
  int fd;
  size_t chunk;
  const dictum_buf *text;
};

static void *feed(void *rock) {
  struct feed *f = rock;
  for (size_t done = 0; done < f->text->len;) {
    size_t left = f->text->len - done;
    ssize_t n = write(f->fd, f->text->data + done, left < f->chunk ? left : f->chunk);
    if (n <= 0)
      break;
    done += (size_t)n;
  }
  close(f->fd);
  return NULL;
}

/* Lines of all lengths up to @p longest, with continuations and comments between, and what the
 * reader should make of them. */
static void make_lines(size_t total, size_t longest, dictum_buf *text, dictum_buf *wanted) {
  uint32_t seed = 1;
  unsigned long number = 0;
  bool first = true;
  while (text->len < total) {
    seed = seed * 1664525 + 1013904223;
    size_t len = (seed >> 8) % longest;
    char letter = (char)('a' + (seed >> 4) % 26);
    number++;
    if (seed >> 30 == 0) {
      assert_true(buf_append_char(text, '#'));
    } else if (seed >> 30 == 1 && !first) {
      assert_true(buf_append_char(text, ' ') && buf_append_char(wanted, ' '));
    } else {
      char head[32];
      snprintf(head, sizeof head, "%s%lu:", first ? "" : "|", number);
      assert_true(buf_append_str(wanted, head) && buf_append_char(text, letter) &&
                  buf_append_char(wanted, letter));
      first = false;
    }
    for (size_t i = 0; i < len; i++)
      assert_true(buf_append_char(text, letter));
    if (seed >> 30 != 0 && text->len > 0)
      assert_true(first || buf_append(wanted, text->data + text->len - len, len));
    /* White space only would be a blank line. */
    if (seed >> 30 == 1)
      assert_true(buf_append_char(text, '.') && (first || buf_append_char(wanted, '.')));
    assert_true(buf_append_char(text, '\n'));
  }
  assert_true(buf_append_char(wanted, '|'));
}

static void check_big(size_t total, size_t longest, size_t chunk) {
  dictum_buf text = {0}, wanted = {0}, got = {0};
  make_lines(total, longest, &text, &wanted);
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  struct feed f = {fds[1], chunk, &text};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, feed, &f), 0);
  dictum_lines *lines;
  assert_int_equal(lines_open_fd(fds[0], "F", &owner, &lines, NULL), DICTUM_OK);
  drain(lines, &got);
  assert_int_equal(lines_offset(lines), text.len);
  pthread_join(thread, NULL);
  assert_int_equal(got.len, wanted.len);
  assert_memory_equal(got.data, wanted.data, got.len);
  lines_close(lines);
  close(fds[0]);
  dictum_buf_free(&text);
  dictum_buf_free(&wanted);
  dictum_buf_free(&got);
}

static void reads_across_its_buffer(void **state) {
  (void)state;
  check_big(3000000, 100, 65536);
  check_big(1000000, 100, 7);
  check_big(3000000, 5000, 4099);
  check_big(8000000, 700000, 65536);
}

/* ---- files and texts ---------------------------------------------------------------------- */

static void reads_files(void **state) {
  (void)state;
  char path[] = "/tmp/dictum-lines-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, "a\n b\nc", 6), 6);
  close(fd);
  dictum_lines *lines;
  dictum_buf got = {0};
  assert_int_equal(lines_open_file(path, &owner, &lines, NULL), DICTUM_OK);
  assert_string_equal(lines_label(lines), path);
  drain(lines, &got);
  assert_string_equal(got.data, "1:a b|3:c|");
  lines_close(lines);
  dictum_buf_free(&got);
  unlink(path);
}

static void tells_what_cannot_be_read(void **state) {
  (void)state;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_lines *lines;
  assert_int_equal(lines_open_file("/nonexistent", &owner, &lines, &err), DICTUM_CONFIG);
  assert_null(lines);
  assert_string_equal(err.what, "open /nonexistent: No such file or directory");
  assert_int_equal(err.sys_errno, ENOENT);
  assert_int_equal(lines_open_file("/", &owner, &lines, &err), DICTUM_CONFIG);
  assert_string_equal(err.what, "read /: Is a directory");
}

static void check_text(const char *text, const char *wanted) {
  dictum_lines *lines;
  dictum_buf got = {0};
  assert_int_equal(lines_open_text(text, "regexp map", &owner, &lines, NULL), DICTUM_OK);
  drain(lines, &got);
  assert_string_equal(got.data, wanted);
  lines_close(lines);
  dictum_buf_free(&got);
}

static void check_bad_text(const char *text, const char *what) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_lines *lines;
  assert_int_equal(lines_open_text(text, "regexp map", &owner, &lines, &err), DICTUM_CONFIG);
  assert_null(lines);
  assert_string_equal(err.what, what);
}

static void reads_texts(void **state) {
  (void)state;
  check_text("{}", "");
  check_text("{ , }", "");
  check_text("{{/a/ x}}", "1:/a/ x|");
  check_text("{ {/a/ x} , { /b/ {y} },\n{/c/ z} }", "1:/a/ x|2:/b/ {y}|3:/c/ z|");
  check_text("{{},{#a},{b, c}}", "3:b, c|");
  check_text("{{a\n b}}", "1:a b|");
}

static void refuses_texts(void **state) {
  (void)state;
  check_bad_text("", "regexp map: no '{' at start of text in \"\"");
  check_bad_text("{", "regexp map: missing '}' in \"{\"");
  check_bad_text("{{a}", "regexp map: missing '}' in \"{{a}\"");
  check_bad_text("{{a}}x", "regexp map: syntax error after '}' in \"{{a}}x\"");
  check_bad_text("{{a} x {b}}", "regexp map: no '{' at start of text in \"x\"");
  check_bad_text("{{a}{b}}", "regexp map: syntax error after '}' in \"{a}{b}\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain),
      cmocka_unit_test(drops_blanks_and_comments),
      cmocka_unit_test(continues),
      cmocka_unit_test(warns_of_leading_space),
      cmocka_unit_test(cuts_at_nul),
      cmocka_unit_test(trims),
      cmocka_unit_test(reads_across_its_buffer),
      cmocka_unit_test(reads_files),
      cmocka_unit_test(tells_what_cannot_be_read),
      cmocka_unit_test(reads_texts),
      cmocka_unit_test(refuses_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
