/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mime.c - what is a header and what is a line of the body, in messages good and bad. */
#include "mime.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static char told[4096];

static void tell(char mark, const char *text, size_t len) {
  size_t used = strlen(told);
  snprintf(told + used, sizeof told - used, "%c%.*s|", mark, (int)len, text);
}

static dictum_status tell_header(void *rock, const char *text, size_t len) {
  (void)rock;
  tell('H', text, len);
  return DICTUM_OK;
}

static dictum_status tell_body(void *rock, const char *text, size_t len) {
  (void)rock;
  tell('B', text, len);
  return DICTUM_OK;
}

static const struct mime_options usual = {
    .parts = true, .header_size = 102400, .boundary_size = 2048, .nesting = 100};

static void read_lines(struct mime *mime, const char *message, size_t size) {
  while (size > 0) {
    const char *end = memchr(message, '\n', size);
    size_t len = end ? (size_t)(end - message) : size;
    assert_int_equal(mime_line(mime, message, len), DICTUM_OK);
    size -= end ? len + 1 : len;
    message += end ? len + 1 : len;
  }
  assert_int_equal(mime_end(mime), DICTUM_OK);
}

/* Headers are told with an H before them, lines with a B, and a | behind. */
static void expect_with(const struct mime_options *options, const char *message, size_t size,
                        const char *expected) {
  const struct mime_sink sink = {tell_header, tell_body, NULL};
  struct mime *mime = mime_new(options, &sink);
  assert_non_null(mime);
  told[0] = '\0';
  read_lines(mime, message, size);
  mime_free(mime);
  assert_string_equal(told, expected);
}

static void expect(const char *message, const char *expected) {
  expect_with(&usual, message, strlen(message), expected);
}

static void tells_headers(void **state) {
  (void)state;
  expect("", "");
  expect("A: 1", "HA: 1|");
  expect("A: 1\n 2\n\t3\n\nx\n\ny\n", "HA: 1\n 2\n\t3|B|Bx|B|By|");
  expect("A \t: 1\nB:2\n\n", "HA: 1|HB:2|B|");
  expect("A: 1\nno header\n", "HA: 1|B|Bno header|");
  expect(" x\nA: 1\n", "B|B x|BA: 1|");
  expect(": x\n", "B|B: x|");
  expect("A b: 1\n", "B|BA b: 1|");
  expect("A\xe4: 1\n", "B|BA\xe4: 1|");
  expect("A: 1\r\n\r\nx\r\n", "HA: 1\r|B|B\r|Bx\r|");
}

static void ends_a_line_at_its_nul_byte(void **state) {
  (void)state;
  static const char message[] = "A: 1\0x\n 2\0y\nB\0: 1\nz\0\n";
  expect_with(&usual, message, sizeof message - 1, "HA: 1\n 2|B|BB|Bz|");
}

static void finds_parts(void **state) {
  (void)state;
#define MIXED "Content-Type: multipart/mixed; boundary="
  expect(MIXED "xx\n\np\n--xx\nA: 1\n\nx\n--xx--\nB: 1\n--xx\nC: 1\n",
         "H" MIXED "xx|B|Bp|B--xx|HA: 1|B|Bx|B--xx--|BB: 1|B--xx|BC: 1|");
  expect(MIXED "xx\n\n--xxy\nA: 1\n", "H" MIXED "xx|B|B--xxy|HA: 1|");
  expect(MIXED "xx\n\n--xx\nA: 1\n--xx\nB: 1\n", "H" MIXED "xx|B|B--xx|HA: 1|B--xx|HB: 1|");
  /* A part ends what is open within it. */
  expect(MIXED "xx\n\n--xx\n" MIXED "yy\n\n--xx\nA: 1\n\n--yy\nB: 1\n",
         "H" MIXED "xx|B|B--xx|H" MIXED "yy|B|B--xx|HA: 1|B|B--yy|BB: 1|");
  const struct mime_options plain = {.header_size = 100, .boundary_size = 100, .nesting = 1};
  const char *message = MIXED "xx\n\n--xx\nA: 1\n";
  expect_with(&plain, message, strlen(message), "H" MIXED "xx|B|B--xx|BA: 1|");
}

static void finds_messages_in_messages(void **state) {
  (void)state;
#define RFC822 "Content-Type: message/rfc822"
  expect(RFC822 "\n\nA: 1\n\nB: 1\n", "H" RFC822 "|B|HA: 1|B|BB: 1|");
  expect(RFC822 "\nx\nA: 1\n", "H" RFC822 "|B|Bx|BA: 1|");
  expect("Content-Type: message/partial\n\nA: 1\n", "HContent-Type: message/partial|B|BA: 1|");
#define DIGEST "Content-Type: multipart/digest; boundary=xx"
  expect(DIGEST "\n\n--xx\n\nA: 1\n\n--xx\nContent-Type: text/plain\n\nB: 1\n",
         "H" DIGEST "|B|B--xx|B|HA: 1|B|B--xx|HContent-Type: text/plain|B|BB: 1|");
}

/* The part's header is one if @p value has the boundary. */
static void expect_boundary(const char *value, const char *boundary, bool has) {
  char message[512], expected[512];
  snprintf(message, sizeof message, "Content-Type:%s\n\n--%s\nA: 1\n", value, boundary);
  snprintf(expected, sizeof expected, "HContent-Type:%s|B|B--%s|%cA: 1|", value, boundary,
           has ? 'H' : 'B');
  expect(message, expected);
}

static void finds_boundaries(void **state) {
  (void)state;
  expect_boundary("MULTIPART/x;BOUNDARY=xx", "xx", true);
  expect_boundary("multipart/x;boundary=xx", "XX", false);
  expect_boundary("(c)multipart(d\\))/x(e(f));(;)boundary(g)=(h)xx", "xx", true);
  expect_boundary("multipart/x; y=\";\"; boundary=\"a \\\"b\"", "a \"b", true);
  expect_boundary("multipart/x; boundary=\"a\n b\"", "a b", true);
  expect_boundary("multipart/x; boundary=a@b", "a", true);
  expect_boundary("multipart/x; boundary=\"xx", "xx", true);
  expect_boundary("multipart/x; boundary=\"xx\\", "xx", true);
  expect_boundary("multipart/x; (boundary=xx", "xx", false);
  expect_boundary("multipart/x boundary=xx", "xx", false);
  expect_boundary("text/x; boundary=xx", "xx", false);
  expect_boundary("multipart/x; boundary=", "xx", false);
  expect_boundary("\"multipart\"/x; boundary=xx", "xx", false);
}

static void keeps_its_limits(void **state) {
  (void)state;
  const struct mime_options narrow = {
      .parts = true, .header_size = 5, .boundary_size = 2, .nesting = 1};
  const char *folded = "A: 1\n 2\n 3\n\n";
  expect_with(&narrow, folded, strlen(folded), "HA: 1\n 2|B|");
  const char *cut = MIXED "xyz\n\n--xya\nA: 1\n";
  expect_with(&narrow, cut, strlen(cut), "H" MIXED "xyz|B|B--xya|HA: 1|");
  const char *deep = MIXED "a\n\n--a\n" MIXED "b\n\n--b\n" MIXED "c\n\n--c\n" MIXED
                           "d\n\n--d\nA: 1\n";
  expect_with(&narrow, deep, strlen(deep),
              "H" MIXED "a|B|B--a|H" MIXED "b|B|B--b|H" MIXED "c|B|B--c|H" MIXED "d|B|B--d|BA: 1|");
}

static dictum_status refuse(void *rock, const char *text, size_t len) {
  (void)rock, (void)text, (void)len;
  return DICTUM_RETRY;
}

static void ends_when_the_sink_says_so(void **state) {
  (void)state;
  const struct mime_sink sink = {refuse, refuse, NULL};
  struct mime *mime = mime_new(&usual, &sink);
  assert_non_null(mime);
  assert_true(mime_in_primary_headers(mime));
  assert_int_equal(mime_line(mime, "A: 1", 4), DICTUM_OK);
  assert_int_equal(mime_line(mime, "B: 1", 4), DICTUM_RETRY);
  assert_int_equal(mime_line(mime, "", 0), DICTUM_RETRY);
  assert_false(mime_in_primary_headers(mime));
  mime_free(mime);
  mime_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_headers),
      cmocka_unit_test(ends_a_line_at_its_nul_byte),
      cmocka_unit_test(finds_parts),
      cmocka_unit_test(finds_messages_in_messages),
      cmocka_unit_test(finds_boundaries),
      cmocka_unit_test(keeps_its_limits),
      cmocka_unit_test(ends_when_the_sink_says_so),
  };
  return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
