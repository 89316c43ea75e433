/* SPDX-License-Identifier: BSD-2-Clause */
/* conformance_reading.c - checks that batches and walks tell what single lookups do. */
#include "conformance_suite.h"

static enum verdict compare_answer(struct suite *suite, dictum_table *table, const dictum_req *req,
                                   const dictum_buf *arena) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, req->key, req->keylen, &value, NULL, &err);
  enum verdict verdict = PASS;
  if (status != req->status)
    verdict = suite_fail(suite, "alone, a key answers %s; in a batch, %s",
                         dictum_status_name(status), dictum_status_name(req->status));
  else if (status == DICTUM_OK &&
           !same_bytes(value.data, value.len, arena->data + req->off, req->len))
    verdict = suite_fail(suite, "alone, a key has another value than in a batch");
  dictum_buf_free(&value);
  return verdict;
}

/* Hits, misses, and one key twice. */
enum verdict suite_compare_batch(struct suite *suite, dictum_table *table) {
  struct sample samples[64];
  dictum_req reqs[64];
  for (unsigned i = 0; i < 64; i++) {
    sample_make(&samples[i], i == 63 ? 0 : i * 5 % 300, 1);
    reqs[i] = (dictum_req){.key = samples[i].key, .keylen = samples[i].entry.keylen};
  }
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf arena = {0};
  dictum_status status = dictum_lookup_many(table, reqs, 64, &arena, &err);
  enum verdict verdict = PASS;
  if (status != DICTUM_OK)
    verdict = suite_fail_call(suite, "looking a batch up", status, &err);
  for (size_t i = 0; i < 64 && verdict == PASS; i++)
    verdict = compare_answer(suite, table, &reqs[i], &arena);
  dictum_buf_free(&arena);
  return verdict;
}

enum verdict check_batch(struct suite *suite) {
  if (suite_can_fill(suite) && suite_fill(suite, some_entries, 1) != PASS)
    return FAIL;
  dictum_table *table = suite_open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = suite_compare_batch(suite, table);
  dictum_close(table);
  return verdict;
}

static enum verdict take_entry(struct suite *suite, const dictum_entry *entry, bool *seen) {
  for (unsigned i = 0; i < some_entries; i++) {
    struct sample sample;
    sample_make(&sample, i, 1);
    if (!same_bytes(entry->key, entry->keylen, sample.key, sample.entry.keylen))
      continue;
    if (seen[i])
      return suite_fail(suite, "the walk gave \"%s\" twice", sample.key);
    seen[i] = true;
    return same_bytes(entry->value, entry->valuelen, sample.value, sample.entry.valuelen)
               ? PASS
               : suite_fail(suite, "the walk gave a wrong value for \"%s\"", sample.key);
  }
  /* Without REPLACE, earlier checks have left theirs. */
  return suite->caps & DICTUM_CAP_REPLACE ? suite_fail(suite, "the walk gave a key never put")
                                          : PASS;
}

static enum verdict walk(struct suite *suite, dictum_table *table) {
  bool seen[some_entries] = {false};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_iter *iter;
  dictum_status status = dictum_iter_open(table, &iter, &err);
  enum verdict verdict = PASS;
  dictum_entry entry;
  while (status == DICTUM_OK && verdict == PASS &&
         (status = dictum_iter_next(iter, &entry, &err)) == DICTUM_OK)
    if (suite_can_fill(suite))
      verdict = take_entry(suite, &entry, seen);
  dictum_iter_close(iter);
  if (verdict == PASS && status != DICTUM_END)
    return suite_fail_call(suite, "walking", status, &err);
  for (unsigned i = 0; i < some_entries && verdict == PASS && suite_can_fill(suite); i++)
    if (!seen[i])
      verdict = suite_fail(suite, "the walk left out entry %u", i);
  return verdict;
}

enum verdict check_walk(struct suite *suite) {
  if (!(suite->caps & DICTUM_CAP_ITERATE))
    return SKIP;
  if (suite_can_fill(suite) && suite_fill(suite, some_entries, 1) != PASS)
    return FAIL;
  dictum_table *table = suite_open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = walk(suite, table);
  dictum_close(table);
  return verdict;
}
