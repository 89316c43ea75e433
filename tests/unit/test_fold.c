/* SPDX-License-Identifier: BSD-2-Clause */
/* test_fold.c - UTF-8 validity (RFC 3629) and case folding. */
#include "unit.h"

#include <string.h>
#include <utf8proc.h>

#include "buf.h"
#include "fold.h"

static void valid_utf8(void **state) {
  (void)state;
  static const char *const good[] = {"",
                                     "a",
                                     "\x7f",
                                     "\xc2\x80",
                                     "\xdf\xbf",
                                     "\xe0\xa0\x80",
                                     "\xed\x9f\xbf",
                                     "\xee\x80\x80",
                                     "\xef\xbf\xbf" /* a noncharacter is a character */,
                                     "\xf0\x90\x80\x80",
                                     "\xf4\x8f\xbf\xbf",
                                     "eight by\xc3\xa9",
                                     "\xc3\xa9ight bytes and more"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    assert_true(utf8_valid(good[i], strlen(good[i])));
  assert_true(utf8_valid("a\0b", 3));
}

static void invalid_utf8(void **state) {
  (void)state;
  static const char *const bad[] = {"\x80",             /* continuation alone */
                                    "\xc0\x80",         /* overlong NUL */
                                    "\xc1\xbf",         /* overlong */
                                    "\xe0\x9f\xbf",     /* overlong */
                                    "\xf0\x8f\xbf\xbf", /* overlong */
                                    "\xed\xa0\x80",     /* surrogate */
                                    "\xed\xbf\xbf",     /* surrogate */
                                    "\xf4\x90\x80\x80", /* above U+10FFFF */
                                    "\xf5\x80\x80\x80",
                                    "\xff",
                                    "\xfe",
                                    "\xc3",     /* cut */
                                    "\xe2\x82", /* cut */
                                    "\xf0\x9f\x92",
                                    "\xc3(",
                                    "\xe2(\xa1",
                                    "\xe2\x82(",
                                    "\xf0(\x8c\xbc",
                                    "\xf0\x90(\xbc",
                                    "long enough for words \xc3"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_false(utf8_valid(bad[i], strlen(bad[i])));
  assert_false(utf8_valid("\xc3\xa9", 1)); /* the length counts, not what is behind */
}

static void widths(void **state) {
  (void)state;
  assert_int_equal(utf8_char_len("", 0), 0);
  assert_int_equal(utf8_char_len("a", 1), 1);
  assert_int_equal(utf8_char_len("\xc3\xa9x", 3), 2);
  assert_int_equal(utf8_char_len("\xe2\x82\xac", 3), 3);
  assert_int_equal(utf8_char_len("\xf0\x9f\x92\xa9", 4), 4);
  assert_int_equal(utf8_char_len("\xf0\x9f\x92\xa9", 3), 0);
}

/* Words of eight bytes and the bytes behind them are looked at in different ways. */
static void ascii_at_every_place(void **state) {
  (void)state;
  char text[40];
  for (size_t len = 0; len <= sizeof text; len++) {
    memset(text, 'a', sizeof text);
    assert_true(ascii_only(text, len));
    for (size_t at = 0; at < len; at++) {
      text[at] = '\x80';
      assert_false(ascii_only(text, len));
      text[at] = 'a';
    }
  }
}

static void assert_folded(bool (*fold)(const char *, size_t, dictum_buf *), const char *text,
                          const char *expected) {
  dictum_buf out = {0};
  assert_true(fold(text, strlen(text), &out));
  assert_int_equal(out.len, strlen(expected));
  assert_string_equal(out.data, expected);
  dictum_buf_free(&out);
}

static void every_byte_in_ascii(void **state) {
  (void)state;
  for (unsigned c = 1; c < 256; c++) {
    const char text[] = {(char)c, '\0'};
    const char lower[] = {(char)(c >= 'A' && c <= 'Z' ? c + 32 : c), '\0'};
    assert_folded(fold_ascii, text, lower);
  }
  assert_folded(fold_ascii, "\xc3\x89t\xc3\xa9 A", "\xc3\x89t\xc3\xa9 a");
}

static void full_folding_of_unicode(void **state) {
  (void)state;
  static const char *const pairs[][2] = {
      {"Info@Example.ORG", "info@example.org"},
      {"\xc3\x89t\xc3\xa9", "\xc3\xa9t\xc3\xa9"}, /* É */
      {"Stra\xc3\x9f"
       "e",
       "strasse"},            /* ß is ss */
      {"\xe1\xba\x9e", "ss"}, /* capital sharp s */
      {"o\xef\xac\x83"
       "ce",
       "office"},                                               /* ligature ffi: three */
      {"\xc4\xb0", "i\xcc\x87"},                                /* İ is i and a dot */
      {"\xc4\xb1", "\xc4\xb1"},                                 /* ı stays */
      {"\xe2\x84\xaa", "k"},                                    /* the sign for kelvin */
      {"\xce\xa3\xcf\x82\xcf\x83", "\xcf\x83\xcf\x83\xcf\x83"}, /* each sigma */
      {"\xf0\x90\x90\x80", "\xf0\x90\x90\xa8"},                 /* Deseret, four bytes */
      {"e\xcc\x81", "e\xcc\x81"},                               /* no normalisation */
      {"\xe5\x85\xac\xe5\x8f\xb8", "\xe5\x85\xac\xe5\x8f\xb8"},
  };
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    assert_folded(fold_utf8, pairs[i][0], pairs[i][1]);
}

static size_t encode(uint32_t code, char text[4]) {
  return (size_t)utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)text);
}

/* Twice, and with something around, as some is found out at first and remembered. */
static void every_character_as_the_library_says(void **state) {
  (void)state;
  for (int round = 0; round < 2; round++)
    for (uint32_t code = 1; code < 0x110000; code++) {
      if (code >= 0xd800 && code < 0xe000)
        continue;
      char text[16] = "AB", expected[32] = "ab";
      size_t len = 2 + encode(code, text + 2), wanted = 2;
      utf8proc_int32_t folded[8];
      int boundary = 0;
      const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)code, folded, 8,
                                                         UTF8PROC_CASEFOLD, &boundary);
      for (utf8proc_ssize_t i = 0; i < n; i++)
        wanted += encode((uint32_t)folded[i], expected + wanted);
      text[len++] = 'C';
      expected[wanted++] = 'c';
      dictum_buf out = {0};
      assert_true(utf8_valid(text, len));
      assert_true(fold_utf8(text, len, &out));
      assert_int_equal(out.len, wanted);
      assert_memory_equal(out.data, expected, wanted);
      dictum_buf_free(&out);
    }
}

static void folding_twice_is_folding_once(void **state) {
  (void)state;
  for (uint32_t code = 0x80; code < 0x11000; code++) {
    if (code >= 0xd800 && code < 0xe000)
      continue;
    char text[4];
    size_t len = 0;
    if (code < 0x800) {
      text[len++] = (char)(0xc0 | code >> 6);
    } else if (code < 0x10000) {
      text[len++] = (char)(0xe0 | code >> 12);
      text[len++] = (char)(0x80 | (code >> 6 & 0x3f));
    } else {
      text[len++] = (char)(0xf0 | code >> 18);
      text[len++] = (char)(0x80 | (code >> 12 & 0x3f));
      text[len++] = (char)(0x80 | (code >> 6 & 0x3f));
    }
    text[len++] = (char)(0x80 | (code & 0x3f));
    dictum_buf once = {0}, twice = {0};
    assert_true(fold_utf8(text, len, &once));
    assert_true(utf8_valid(once.data, once.len));
    assert_true(fold_utf8(once.data, once.len, &twice));
    assert_int_equal(once.len, twice.len);
    assert_memory_equal(once.data, twice.data, once.len);
    dictum_buf_free(&once);
    dictum_buf_free(&twice);
  }
}

static void nul_bytes_stay(void **state) {
  (void)state;
  dictum_buf out = {0};
  assert_true(fold_utf8("A\0\xc3\x89", 4, &out));
  assert_int_equal(out.len, 4);
  assert_memory_equal(out.data, "a\0\xc3\xa9", 4);
  dictum_buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(valid_utf8),
      cmocka_unit_test(invalid_utf8),
      cmocka_unit_test(widths),
      cmocka_unit_test(ascii_at_every_place),
      cmocka_unit_test(every_byte_in_ascii),
      cmocka_unit_test(full_folding_of_unicode),
      cmocka_unit_test(every_character_as_the_library_says),
      cmocka_unit_test(folding_twice_is_folding_once),
      cmocka_unit_test(nul_bytes_stay),
  };
  return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
