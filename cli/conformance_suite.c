/* SPDX-License-Identifier: BSD-2-Clause */
/* conformance_suite.c - what the checks of a type have in common: how they fail, write and read. */
#include "conformance_suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum verdict suite_fail(struct suite *suite, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(suite->why, sizeof suite->why, fmt, args);
  va_end(args);
  return FAIL;
}

enum verdict suite_fail_call(struct suite *suite, const char *call, dictum_status status,
                             const dictum_error *err) {
  bool text = status != DICTUM_OK && status != DICTUM_NOTFOUND && status != DICTUM_END;
  return suite_fail(suite, "%s answered %s%s%s", call, dictum_status_name(status), text ? ": " : "",
                    text ? err->what : "");
}

/* ---- entries ----------------------------------------------------------- */

void sample_make(struct sample *sample, unsigned number, unsigned generation) {
  int keylen = snprintf(sample->key, sizeof sample->key, "user%05u@example.org", number);
  int valuelen = snprintf(sample->value, sizeof sample->value, "mailbox %u of generation %u",
                          number, generation);
  sample->entry = (dictum_entry){sample->key, (size_t)keylen, sample->value, (size_t)valuelen, 0};
}

bool same_bytes(const char *a, size_t na, const char *b, size_t nb) {
  return na == nb && (na == 0 || memcmp(a, b, na) == 0);
}

/* ---- writing ----------------------------------------------------------- */

bool suite_can_fill(const struct suite *suite) {
  return suite->caps & (DICTUM_CAP_REPLACE | DICTUM_CAP_UPDATE);
}

dictum_status suite_open_to_write(struct suite *suite, bool replace, dictum_table **table,
                                  dictum_error *err) {
  uint32_t flags = raw | DICTUM_OPEN_WRITE | DICTUM_OPEN_CREATE;
  return dictum_open(suite->ctx, suite->spec, replace ? flags | DICTUM_OPEN_REPLACE : flags, table,
                     err);
}

dictum_status suite_begin_fill(struct suite *suite, dictum_table **table, dictum_txn **txn,
                               dictum_error *err) {
  bool replace = suite->caps & DICTUM_CAP_REPLACE;
  *txn = NULL;
  dictum_status status = suite_open_to_write(suite, replace, table, err);
  if (status == DICTUM_OK)
    status = dictum_txn_begin(*table, replace ? DICTUM_TXN_REPLACE_ALL : DICTUM_TXN_UPDATE, 0, txn,
                              err);
  return status;
}

dictum_status suite_fill_entries(struct suite *suite, const dictum_entry *entries, size_t n,
                                 dictum_error *err) {
  dictum_table *table;
  dictum_txn *txn;
  dictum_status status = suite_begin_fill(suite, &table, &txn, err);
  for (size_t i = 0; i < n && status == DICTUM_OK; i++)
    status = dictum_txn_put(txn, &entries[i], DICTUM_DUP_REPLACE, err);
  if (status == DICTUM_OK)
    status = dictum_txn_commit(txn, err);
  else
    dictum_txn_abort(txn);
  dictum_close(table);
  return status;
}

dictum_status suite_put_samples(dictum_txn *txn, unsigned n, unsigned generation,
                                dictum_error *err) {
  dictum_status status = DICTUM_OK;
  /* Backwards, so that the order is not already the one that the type wants. */
  for (unsigned i = n; i > 0 && status == DICTUM_OK; i--) {
    struct sample sample;
    sample_make(&sample, i - 1, generation);
    status = dictum_txn_put(txn, &sample.entry, DICTUM_DUP_REPLACE, err);
  }
  return status;
}

enum verdict suite_fill(struct suite *suite, unsigned n, unsigned generation) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table;
  dictum_txn *txn;
  dictum_status status = suite_begin_fill(suite, &table, &txn, &err);
  if (status == DICTUM_OK)
    status = suite_put_samples(txn, n, generation, &err);
  if (status == DICTUM_OK)
    status = dictum_txn_commit(txn, &err);
  else
    dictum_txn_abort(txn);
  dictum_close(table);
  return status == DICTUM_OK ? PASS : suite_fail_call(suite, "filling the table", status, &err);
}

/* ---- reading ----------------------------------------------------------- */

dictum_table *suite_open_to_read(struct suite *suite, uint32_t flags) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table;
  dictum_status status = dictum_open(suite->ctx, suite->spec, flags, &table, &err);
  if (status != DICTUM_OK)
    suite_fail_call(suite, "opening to read", status, &err);
  return table;
}

enum verdict suite_expect(struct suite *suite, dictum_table *table, const dictum_entry *entry) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, entry->key, entry->keylen, &value, NULL, &err);
  enum verdict verdict = PASS;
  if (status != DICTUM_OK)
    verdict = suite_fail_call(suite, "looking a stored key up", status, &err);
  else if (!same_bytes(value.data, value.len, entry->value, entry->valuelen))
    verdict = suite_fail(suite, "a value of %zu bytes came back as other %zu bytes",
                         entry->valuelen, value.len);
  else if (value.data[value.len] != '\0')
    verdict = suite_fail(suite, "no NUL byte behind the value");
  dictum_buf_free(&value);
  return verdict;
}

enum verdict suite_expect_absent(struct suite *suite, dictum_table *table, const char *key,
                                 size_t keylen) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, key, keylen, &value, NULL, &err);
  size_t len = value.len;
  dictum_buf_free(&value);
  if (status != DICTUM_NOTFOUND)
    return suite_fail_call(suite, "looking an absent key up", status, &err);
  return len == 0 ? PASS : suite_fail(suite, "a value was left after \"not found\"");
}

enum verdict suite_expect_samples(struct suite *suite, dictum_table *table, unsigned n,
                                  unsigned generation) {
  enum verdict verdict = PASS;
  for (unsigned i = 0; i < n && verdict == PASS; i++) {
    struct sample sample;
    sample_make(&sample, i, generation);
    verdict = suite_expect(suite, table, &sample.entry);
  }
  struct sample beyond;
  sample_make(&beyond, 99999, generation);
  return verdict == PASS ? suite_expect_absent(suite, table, beyond.key, beyond.entry.keylen)
                         : verdict;
}
