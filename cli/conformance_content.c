/* SPDX-License-Identifier: BSD-2-Clause */
/* conformance_content.c - checks that what was put is found, and as it was. */
#include "conformance_suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { megabyte = 1 << 20 };

enum verdict check_fill(struct suite *suite) {
  if (!suite_can_fill(suite))
    return SKIP;
  if (suite_fill(suite, some_entries, 1) != PASS)
    return FAIL;
  dictum_table *table = suite_open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = suite_expect_samples(suite, table, some_entries, 1);
  dictum_close(table);
  return verdict;
}

enum verdict check_empty(struct suite *suite) {
  if (!(suite->caps & DICTUM_CAP_REPLACE))
    return SKIP;
  if (suite_fill(suite, 1, 1) != PASS || suite_fill(suite, 0, 2) != PASS)
    return FAIL;
  dictum_table *table = suite_open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = suite_expect_samples(suite, table, 0, 2);
  dictum_close(table);
  return verdict;
}

/* A record that the type may refuse, but must not change. */
static enum verdict check_record(struct suite *suite, const dictum_entry *odd) {
  struct sample witness;
  sample_make(&witness, 1, 1);
  dictum_entry both[] = {witness.entry, *odd};
  dictum_error err = DICTUM_ERROR_INIT;
  if (suite_fill(suite, 2, 1) != PASS)
    return FAIL;
  dictum_status status = suite_fill_entries(suite, both, 2, &err);
  if (status != DICTUM_OK && status != DICTUM_INVALID)
    return suite_fail_call(suite, "storing an odd record", status, &err);
  dictum_table *table = suite_open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = suite_expect(suite, table, &witness.entry);
  if (verdict == PASS && status == DICTUM_OK)
    verdict = suite_expect(suite, table, odd);
  dictum_close(table);
  return verdict;
}

enum verdict check_bytes(struct suite *suite) {
#define BYTES(key, value)                                                                          \
  { (key), sizeof(key) - 1, (value), sizeof(value) - 1, 0 }
  static const dictum_entry odd[] = {
      BYTES("a\0b", "value"),
      BYTES("a\0", "value"),
      BYTES("key", "a\0b"),
      BYTES("key", "a\0"),
      BYTES("\xff\xfe", "x"),
      BYTES("key", "\xff\xfe"),
      BYTES("Gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac"),
      BYTES("UPPER", "Case"),
      BYTES(" a\tb\r\nc ", " d\te\n"),
      BYTES("", "empty key"),
  };
  if (!suite_can_fill(suite))
    return SKIP;
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
    if (check_record(suite, &odd[i]) != PASS) {
      size_t len = strlen(suite->why);
      snprintf(suite->why + len, sizeof suite->why - len, " (odd record %zu)", i);
      return FAIL;
    }
  return PASS;
}

enum verdict check_empty_value(struct suite *suite) {
  static const dictum_entry empty = BYTES("key", "");
#undef BYTES
  return suite_can_fill(suite) ? check_record(suite, &empty) : SKIP;
}

enum verdict check_long(struct suite *suite) {
  if (!suite_can_fill(suite))
    return SKIP;
  char *text = malloc(megabyte);
  if (!text)
    return suite_fail(suite, "out of memory");
  for (size_t i = 0; i < megabyte; i++)
    text[i] = (char)('a' + i * i % 26);
  const dictum_entry records[] = {{"key", 3, text, megabyte, 0},
                                  {text, 400, "long key", 8, 0},
                                  {text, 8000, "longer key", 10, 0}};
  enum verdict verdict = PASS;
  for (size_t i = 0; i < 3 && verdict == PASS; i++)
    verdict = check_record(suite, &records[i]);
  dictum_table *table = verdict == PASS ? suite_open_to_read(suite, raw) : NULL;
  if (table) {
    /* A key that no record can have is as absent as any other. */
    verdict = suite_expect_absent(suite, table, text + 1, megabyte - 1);
    dictum_close(table);
  }
  free(text);
  return verdict;
}

/* Upper case finds lower case and the other way round, unless the type matches patterns. */
enum verdict check_folding(struct suite *suite) {
  if (!suite_can_fill(suite) || (suite->caps & DICTUM_CAP_PATTERN))
    return SKIP;
  if (suite_fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_table *table = suite_open_to_read(suite, 0);
  if (!table)
    return FAIL;
  struct sample sample;
  sample_make(&sample, 7, 1);
  dictum_entry shouted = sample.entry;
  shouted.key = "USER00007@Example.ORG";
  enum verdict verdict = suite_expect(suite, table, &shouted);
  dictum_close(table);
  return verdict;
}
