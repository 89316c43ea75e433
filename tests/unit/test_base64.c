/* SPDX-License-Identifier: BSD-2-Clause */
/* test_base64.c - base64, with the vectors of RFC 4648. */
#include "unit.h"
#include <string.h>

#include "base64.h"

static const struct {
  const char *plain, *encoded;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"},
               {"\xfb\xff\xbf", "+/+/"}};

enum { nvectors = sizeof vectors / sizeof *vectors };

static void encodes(void **state) {
  (void)state;
  for (size_t i = 0; i < nvectors; i++) {
    dictum_buf out = {0};
    assert_true(base64_encode(vectors[i].plain, strlen(vectors[i].plain), &out));
    assert_string_equal(out.data, vectors[i].encoded);
    dictum_buf_free(&out);
  }
}

static void appends(void **state) {
  (void)state;
  dictum_buf out = {0};
  assert_true(base64_encode("foo", 3, &out));
  assert_true(base64_encode("f", 1, &out));
  assert_string_equal(out.data, "Zm9vZg==");
  dictum_buf_free(&out);
}

static void decodes(void **state) {
  (void)state;
  for (size_t i = 0; i < nvectors; i++) {
    char text[16];
    size_t len = strlen(vectors[i].encoded);
    memcpy(text, vectors[i].encoded, len + 1);
    assert_true(base64_decode_in_place(text, &len));
    assert_int_equal(len, strlen(vectors[i].plain));
    assert_memory_equal(text, vectors[i].plain, len + 1);
  }
}

static void decodes_every_byte(void **state) {
  (void)state;
  char plain[256];
  for (size_t i = 0; i < sizeof plain; i++)
    plain[i] = (char)i;
  dictum_buf out = {0};
  assert_true(base64_encode(plain, sizeof plain, &out));
  assert_true(base64_decode_in_place(out.data, &out.len));
  assert_int_equal(out.len, sizeof plain);
  assert_memory_equal(out.data, plain, sizeof plain);
  dictum_buf_free(&out);
}

/* Tables hold what others wrote, and Postfix does not look at these bits. */
static void ignores_left_over_bits(void **state) {
  (void)state;
  char text[] = "aGl=";
  size_t len = 4;
  assert_true(base64_decode_in_place(text, &len));
  assert_string_equal(text, "hi");
}

static void refuses(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "a",    "aG",       "aGk",   "====", "a===",   "=aGk",      "aG=k",
      "aG k", "aGk=aGk=", "aGk\n", "aGk-", "aGk_aa", "aG\xc3\xa9"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char text[16];
    size_t len = strlen(wrong[i]);
    memcpy(text, wrong[i], len + 1);
    assert_false(base64_decode_in_place(text, &len));
    assert_string_equal(text, wrong[i]);
    assert_int_equal(len, strlen(wrong[i]));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(encodes),
      cmocka_unit_test(appends),
      cmocka_unit_test(decodes),
      cmocka_unit_test(decodes_every_byte),
      cmocka_unit_test(ignores_left_over_bits),
      cmocka_unit_test(refuses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
