/* SPDX-License-Identifier: BSD-2-Clause */
/* conformance_changing.c - checks of replacements, and of single changes. */
#include "conformance_suite.h"

/* A reader that was open before sees the old content until, and the new content after, the end. */
static enum verdict replace_under(struct suite *suite, dictum_table *reader, bool commit) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *writer;
  dictum_txn *txn;
  dictum_status status = suite_begin_fill(suite, &writer, &txn, &err);
  if (status == DICTUM_OK)
    status = suite_put_samples(txn, 5, 2, &err);
  enum verdict verdict = status == DICTUM_OK ? suite_expect_samples(suite, reader, 10, 1)
                                             : suite_fail_call(suite, "putting", status, &err);
  if (verdict != PASS || !commit)
    dictum_txn_abort(txn);
  else if ((status = dictum_txn_commit(txn, &err)) != DICTUM_OK)
    verdict = suite_fail_call(suite, "the commit", status, &err);
  dictum_close(writer);
  if (verdict != PASS)
    return verdict;
  if (!commit)
    return suite_expect_samples(suite, reader, 10, 1);
  struct sample gone;
  sample_make(&gone, 7, 1);
  verdict = suite_expect_samples(suite, reader, 5, 2);
  return verdict == PASS ? suite_expect_absent(suite, reader, gone.key, gone.entry.keylen)
                         : verdict;
}

static enum verdict check_replacing(struct suite *suite, bool commit) {
  if (!(suite->caps & DICTUM_CAP_REPLACE))
    return SKIP;
  if (suite_fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_table *reader = suite_open_to_read(suite, raw);
  if (!reader)
    return FAIL;
  enum verdict verdict = replace_under(suite, reader, commit);
  dictum_close(reader);
  return verdict;
}

enum verdict check_abort(struct suite *suite) {
  return check_replacing(suite, false);
}

enum verdict check_commit(struct suite *suite) {
  return check_replacing(suite, true);
}

/* ---- the checks: single changes ---------------------------------------- */

static enum verdict change_one(struct suite *suite, dictum_table *table, const dictum_entry *put,
                               dictum_dup dup, dictum_status expected) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_txn *txn;
  dictum_status status = dictum_txn_begin(table, DICTUM_TXN_UPDATE, 0, &txn, &err);
  if (status != DICTUM_OK)
    return suite_fail_call(suite, "beginning an update", status, &err);
  status = put->value ? dictum_txn_put(txn, put, dup, &err)
                      : dictum_txn_del(txn, put->key, put->keylen, &err);
  if (status != expected) {
    dictum_txn_abort(txn);
    return suite_fail_call(suite, put->value ? "a put" : "a deletion", status, &err);
  }
  status = dictum_txn_commit(txn, &err);
  return status == DICTUM_OK ? PASS : suite_fail_call(suite, "the commit", status, &err);
}

static enum verdict put_three_ways(struct suite *suite, dictum_table *writer,
                                   dictum_table *reader) {
  struct sample old, new, added;
  sample_make(&old, 3, 1);
  sample_make(&new, 3, 2);
  sample_make(&added, some_entries + 1, 2);
  if (change_one(suite, writer, &new.entry, DICTUM_DUP_REFUSE, DICTUM_EXISTS) != PASS ||
      change_one(suite, writer, &new.entry, DICTUM_DUP_IGNORE, DICTUM_OK) != PASS ||
      suite_expect(suite, reader, &old.entry) != PASS ||
      change_one(suite, writer, &new.entry, DICTUM_DUP_REPLACE, DICTUM_OK) != PASS ||
      change_one(suite, writer, &added.entry, DICTUM_DUP_REFUSE, DICTUM_OK) != PASS ||
      suite_expect(suite, reader, &new.entry) != PASS)
    return FAIL;
  return suite_expect(suite, reader, &added.entry);
}

static enum verdict delete_twice(struct suite *suite, dictum_table *writer, dictum_table *reader) {
  struct sample sample;
  sample_make(&sample, 4, 1);
  dictum_entry key = sample.entry;
  key.value = NULL;
  if (change_one(suite, writer, &key, DICTUM_DUP_REFUSE, DICTUM_OK) != PASS ||
      suite_expect_absent(suite, reader, key.key, key.keylen) != PASS)
    return FAIL;
  return change_one(suite, writer, &key, DICTUM_DUP_REFUSE, DICTUM_NOTFOUND);
}

static enum verdict with_writer(struct suite *suite,
                                enum verdict (*check)(struct suite *suite, dictum_table *writer,
                                                      dictum_table *reader)) {
  if (suite_fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *writer;
  dictum_status status = suite_open_to_write(suite, false, &writer, &err);
  if (status != DICTUM_OK)
    return suite_fail_call(suite, "opening to write", status, &err);
  dictum_table *reader = suite_open_to_read(suite, raw);
  enum verdict verdict = reader ? check(suite, writer, reader) : FAIL;
  dictum_close(reader);
  dictum_close(writer);
  return verdict;
}

enum verdict check_put(struct suite *suite) {
  return suite->caps & DICTUM_CAP_UPDATE ? with_writer(suite, put_three_ways) : SKIP;
}

enum verdict check_delete(struct suite *suite) {
  return suite->caps & DICTUM_CAP_DELETE ? with_writer(suite, delete_twice) : SKIP;
}
