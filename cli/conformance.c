/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conformance.c - does a type of table keep the promises of dictum.h?
 *
 * Each check is a function that answers PASS, FAIL with a reason, or SKIP when
 * the type does not claim to be able to do what is checked. A check that needs
 * content puts it there itself, so that checks do not lean on each other.
 */
#include "conformance.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum verdict { PASS, FAIL, SKIP };

struct suite {
  dictum_ctx *ctx;
  const char *spec;
  uint32_t caps;
  char why[512];
};

enum { some_entries = 200, many_entries = 2000, megabyte = 1 << 20 };
enum { threads = 4, lookups = 500, rebuilds_min = 10, rebuilds_max = 500 };

/* Bytes are bytes here: neither folded nor checked. */
static const uint32_t raw = DICTUM_OPEN_NOFOLD;

static enum verdict fail(struct suite *suite, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static enum verdict fail(struct suite *suite, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  vsnprintf(suite->why, sizeof suite->why, fmt, args);
  va_end(args);
  return FAIL;
}

static enum verdict fail_call(struct suite *suite, const char *call, dictum_status status,
                              const dictum_error *err) {
  bool text = status != DICTUM_OK && status != DICTUM_NOTFOUND && status != DICTUM_END;
  return fail(suite, "%s answered %s%s%s", call, dictum_status_name(status), text ? ": " : "",
              text ? err->what : "");
}

/* ---- entries ----------------------------------------------------------- */

/* The entries of the checks: number and generation make key and value. */
struct sample {
  char key[32], value[64];
  dictum_entry entry;
};

static void make_sample(struct sample *sample, unsigned number, unsigned generation) {
  int keylen = snprintf(sample->key, sizeof sample->key, "user%05u@example.org", number);
  int valuelen = snprintf(sample->value, sizeof sample->value, "mailbox %u of generation %u",
                          number, generation);
  sample->entry = (dictum_entry){sample->key, (size_t)keylen, sample->value, (size_t)valuelen, 0};
}

static bool same_bytes(const char *a, size_t na, const char *b, size_t nb) {
  return na == nb && (na == 0 || memcmp(a, b, na) == 0);
}

/* ---- writing ----------------------------------------------------------- */

static bool can_fill(const struct suite *suite) {
  return suite->caps & (DICTUM_CAP_REPLACE | DICTUM_CAP_UPDATE);
}

static dictum_status open_to_write(struct suite *suite, bool replace, dictum_table **table,
                                   dictum_error *err) {
  uint32_t flags = raw | DICTUM_OPEN_WRITE | DICTUM_OPEN_CREATE;
  return dictum_open(suite->ctx, suite->spec, replace ? flags | DICTUM_OPEN_REPLACE : flags, table,
                     err);
}

/* Begins a replacement, or an update where the type cannot replace. */
static dictum_status begin_fill(struct suite *suite, dictum_table **table, dictum_txn **txn,
                                dictum_error *err) {
  bool replace = suite->caps & DICTUM_CAP_REPLACE;
  *txn = NULL;
  dictum_status status = open_to_write(suite, replace, table, err);
  if (status == DICTUM_OK)
    status = dictum_txn_begin(*table, replace ? DICTUM_TXN_REPLACE_ALL : DICTUM_TXN_UPDATE, 0, txn,
                              err);
  return status;
}

static dictum_status fill_entries(struct suite *suite, const dictum_entry *entries, size_t n,
                                  dictum_error *err) {
  dictum_table *table;
  dictum_txn *txn;
  dictum_status status = begin_fill(suite, &table, &txn, err);
  for (size_t i = 0; i < n && status == DICTUM_OK; i++)
    status = dictum_txn_put(txn, &entries[i], DICTUM_DUP_REPLACE, err);
  if (status == DICTUM_OK)
    status = dictum_txn_commit(txn, err);
  else
    dictum_txn_abort(txn);
  dictum_close(table);
  return status;
}

static dictum_status put_samples(dictum_txn *txn, unsigned n, unsigned generation,
                                 dictum_error *err) {
  dictum_status status = DICTUM_OK;
  /* Backwards, so that the order is not already the one that the type wants. */
  for (unsigned i = n; i > 0 && status == DICTUM_OK; i--) {
    struct sample sample;
    make_sample(&sample, i - 1, generation);
    status = dictum_txn_put(txn, &sample.entry, DICTUM_DUP_REPLACE, err);
  }
  return status;
}

static enum verdict fill(struct suite *suite, unsigned n, unsigned generation) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table;
  dictum_txn *txn;
  dictum_status status = begin_fill(suite, &table, &txn, &err);
  if (status == DICTUM_OK)
    status = put_samples(txn, n, generation, &err);
  if (status == DICTUM_OK)
    status = dictum_txn_commit(txn, &err);
  else
    dictum_txn_abort(txn);
  dictum_close(table);
  return status == DICTUM_OK ? PASS : fail_call(suite, "filling the table", status, &err);
}

/* ---- reading ----------------------------------------------------------- */

static dictum_table *open_to_read(struct suite *suite, uint32_t flags) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table;
  dictum_status status = dictum_open(suite->ctx, suite->spec, flags, &table, &err);
  if (status != DICTUM_OK)
    fail_call(suite, "opening to read", status, &err);
  return table;
}

static enum verdict expect(struct suite *suite, dictum_table *table, const dictum_entry *entry) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, entry->key, entry->keylen, &value, NULL, &err);
  enum verdict verdict = PASS;
  if (status != DICTUM_OK)
    verdict = fail_call(suite, "looking a stored key up", status, &err);
  else if (!same_bytes(value.data, value.len, entry->value, entry->valuelen))
    verdict = fail(suite, "a value of %zu bytes came back as other %zu bytes", entry->valuelen,
                   value.len);
  else if (value.data[value.len] != '\0')
    verdict = fail(suite, "no NUL byte behind the value");
  dictum_buf_free(&value);
  return verdict;
}

static enum verdict expect_absent(struct suite *suite, dictum_table *table, const char *key,
                                  size_t keylen) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, key, keylen, &value, NULL, &err);
  size_t len = value.len;
  dictum_buf_free(&value);
  if (status != DICTUM_NOTFOUND)
    return fail_call(suite, "looking an absent key up", status, &err);
  return len == 0 ? PASS : fail(suite, "a value was left after \"not found\"");
}

static enum verdict expect_samples(struct suite *suite, dictum_table *table, unsigned n,
                                   unsigned generation) {
  enum verdict verdict = PASS;
  for (unsigned i = 0; i < n && verdict == PASS; i++) {
    struct sample sample;
    make_sample(&sample, i, generation);
    verdict = expect(suite, table, &sample.entry);
  }
  struct sample beyond;
  make_sample(&beyond, 99999, generation);
  return verdict == PASS ? expect_absent(suite, table, beyond.key, beyond.entry.keylen) : verdict;
}

/* ---- the checks: contents ---------------------------------------------- */

static enum verdict check_fill(struct suite *suite) {
  if (!can_fill(suite))
    return SKIP;
  if (fill(suite, some_entries, 1) != PASS)
    return FAIL;
  dictum_table *table = open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = expect_samples(suite, table, some_entries, 1);
  dictum_close(table);
  return verdict;
}

static enum verdict check_empty(struct suite *suite) {
  if (!(suite->caps & DICTUM_CAP_REPLACE))
    return SKIP;
  if (fill(suite, 1, 1) != PASS || fill(suite, 0, 2) != PASS)
    return FAIL;
  dictum_table *table = open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = expect_samples(suite, table, 0, 2);
  dictum_close(table);
  return verdict;
}

/* A record that the type may refuse, but must not change. */
static enum verdict check_record(struct suite *suite, const dictum_entry *odd) {
  struct sample witness;
  make_sample(&witness, 1, 1);
  dictum_entry both[] = {witness.entry, *odd};
  dictum_error err = DICTUM_ERROR_INIT;
  if (fill(suite, 2, 1) != PASS)
    return FAIL;
  dictum_status status = fill_entries(suite, both, 2, &err);
  if (status != DICTUM_OK && status != DICTUM_INVALID)
    return fail_call(suite, "storing an odd record", status, &err);
  dictum_table *table = open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = expect(suite, table, &witness.entry);
  if (verdict == PASS && status == DICTUM_OK)
    verdict = expect(suite, table, odd);
  dictum_close(table);
  return verdict;
}

static enum verdict check_bytes(struct suite *suite) {
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
  if (!can_fill(suite))
    return SKIP;
  for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
    if (check_record(suite, &odd[i]) != PASS) {
      size_t len = strlen(suite->why);
      snprintf(suite->why + len, sizeof suite->why - len, " (odd record %zu)", i);
      return FAIL;
    }
  return PASS;
}

static enum verdict check_empty_value(struct suite *suite) {
  static const dictum_entry empty = BYTES("key", "");
#undef BYTES
  return can_fill(suite) ? check_record(suite, &empty) : SKIP;
}

static enum verdict check_long(struct suite *suite) {
  if (!can_fill(suite))
    return SKIP;
  char *text = malloc(megabyte);
  if (!text)
    return fail(suite, "out of memory");
  for (size_t i = 0; i < megabyte; i++)
    text[i] = (char)('a' + i * i % 26);
  const dictum_entry records[] = {{"key", 3, text, megabyte, 0},
                                  {text, 400, "long key", 8, 0},
                                  {text, 8000, "longer key", 10, 0}};
  enum verdict verdict = PASS;
  for (size_t i = 0; i < 3 && verdict == PASS; i++)
    verdict = check_record(suite, &records[i]);
  dictum_table *table = verdict == PASS ? open_to_read(suite, raw) : NULL;
  if (table) {
    /* A key that no record can have is as absent as any other. */
    verdict = expect_absent(suite, table, text + 1, megabyte - 1);
    dictum_close(table);
  }
  free(text);
  return verdict;
}

/* Upper case finds lower case and the other way round, unless the type matches patterns. */
static enum verdict check_folding(struct suite *suite) {
  if (!can_fill(suite) || (suite->caps & DICTUM_CAP_PATTERN))
    return SKIP;
  if (fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_table *table = open_to_read(suite, 0);
  if (!table)
    return FAIL;
  struct sample sample;
  make_sample(&sample, 7, 1);
  dictum_entry shouted = sample.entry;
  shouted.key = "USER00007@Example.ORG";
  enum verdict verdict = expect(suite, table, &shouted);
  dictum_close(table);
  return verdict;
}

/* ---- the checks: ways of reading --------------------------------------- */

static enum verdict compare_answer(struct suite *suite, dictum_table *table, const dictum_req *req,
                                   const dictum_buf *arena) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, req->key, req->keylen, &value, NULL, &err);
  enum verdict verdict = PASS;
  if (status != req->status)
    verdict = fail(suite, "alone, a key answers %s; in a batch, %s", dictum_status_name(status),
                   dictum_status_name(req->status));
  else if (status == DICTUM_OK &&
           !same_bytes(value.data, value.len, arena->data + req->off, req->len))
    verdict = fail(suite, "alone, a key has another value than in a batch");
  dictum_buf_free(&value);
  return verdict;
}

/* Hits, misses, and one key twice. */
static enum verdict compare_batch(struct suite *suite, dictum_table *table) {
  struct sample samples[64];
  dictum_req reqs[64];
  for (unsigned i = 0; i < 64; i++) {
    make_sample(&samples[i], i == 63 ? 0 : i * 5 % 300, 1);
    reqs[i] = (dictum_req){.key = samples[i].key, .keylen = samples[i].entry.keylen};
  }
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf arena = {0};
  dictum_status status = dictum_lookup_many(table, reqs, 64, &arena, &err);
  enum verdict verdict = PASS;
  if (status != DICTUM_OK)
    verdict = fail_call(suite, "looking a batch up", status, &err);
  for (size_t i = 0; i < 64 && verdict == PASS; i++)
    verdict = compare_answer(suite, table, &reqs[i], &arena);
  dictum_buf_free(&arena);
  return verdict;
}

static enum verdict check_batch(struct suite *suite) {
  if (can_fill(suite) && fill(suite, some_entries, 1) != PASS)
    return FAIL;
  dictum_table *table = open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = compare_batch(suite, table);
  dictum_close(table);
  return verdict;
}

static enum verdict take_entry(struct suite *suite, const dictum_entry *entry, bool *seen) {
  for (unsigned i = 0; i < some_entries; i++) {
    struct sample sample;
    make_sample(&sample, i, 1);
    if (!same_bytes(entry->key, entry->keylen, sample.key, sample.entry.keylen))
      continue;
    if (seen[i])
      return fail(suite, "the walk gave \"%s\" twice", sample.key);
    seen[i] = true;
    return same_bytes(entry->value, entry->valuelen, sample.value, sample.entry.valuelen)
               ? PASS
               : fail(suite, "the walk gave a wrong value for \"%s\"", sample.key);
  }
  /* Without REPLACE, earlier checks have left theirs. */
  return suite->caps & DICTUM_CAP_REPLACE ? fail(suite, "the walk gave a key never put") : PASS;
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
    if (can_fill(suite))
      verdict = take_entry(suite, &entry, seen);
  dictum_iter_close(iter);
  if (verdict == PASS && status != DICTUM_END)
    return fail_call(suite, "walking", status, &err);
  for (unsigned i = 0; i < some_entries && verdict == PASS && can_fill(suite); i++)
    if (!seen[i])
      verdict = fail(suite, "the walk left out entry %u", i);
  return verdict;
}

static enum verdict check_walk(struct suite *suite) {
  if (!(suite->caps & DICTUM_CAP_ITERATE))
    return SKIP;
  if (can_fill(suite) && fill(suite, some_entries, 1) != PASS)
    return FAIL;
  dictum_table *table = open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = walk(suite, table);
  dictum_close(table);
  return verdict;
}

/* ---- the checks: replacing --------------------------------------------- */

/* A reader that was open before sees the old content until, and the new content after, the end. */
static enum verdict replace_under(struct suite *suite, dictum_table *reader, bool commit) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *writer;
  dictum_txn *txn;
  dictum_status status = begin_fill(suite, &writer, &txn, &err);
  if (status == DICTUM_OK)
    status = put_samples(txn, 5, 2, &err);
  enum verdict verdict = status == DICTUM_OK ? expect_samples(suite, reader, 10, 1)
                                             : fail_call(suite, "putting", status, &err);
  if (verdict != PASS || !commit)
    dictum_txn_abort(txn);
  else if ((status = dictum_txn_commit(txn, &err)) != DICTUM_OK)
    verdict = fail_call(suite, "the commit", status, &err);
  dictum_close(writer);
  if (verdict != PASS)
    return verdict;
  if (!commit)
    return expect_samples(suite, reader, 10, 1);
  struct sample gone;
  make_sample(&gone, 7, 1);
  verdict = expect_samples(suite, reader, 5, 2);
  return verdict == PASS ? expect_absent(suite, reader, gone.key, gone.entry.keylen) : verdict;
}

static enum verdict check_replacing(struct suite *suite, bool commit) {
  if (!(suite->caps & DICTUM_CAP_REPLACE))
    return SKIP;
  if (fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_table *reader = open_to_read(suite, raw);
  if (!reader)
    return FAIL;
  enum verdict verdict = replace_under(suite, reader, commit);
  dictum_close(reader);
  return verdict;
}

static enum verdict check_abort(struct suite *suite) {
  return check_replacing(suite, false);
}

static enum verdict check_commit(struct suite *suite) {
  return check_replacing(suite, true);
}

/* ---- the checks: single changes ---------------------------------------- */

static enum verdict change_one(struct suite *suite, dictum_table *table, const dictum_entry *put,
                               dictum_dup dup, dictum_status expected) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_txn *txn;
  dictum_status status = dictum_txn_begin(table, DICTUM_TXN_UPDATE, 0, &txn, &err);
  if (status != DICTUM_OK)
    return fail_call(suite, "beginning an update", status, &err);
  status = put->value ? dictum_txn_put(txn, put, dup, &err)
                      : dictum_txn_del(txn, put->key, put->keylen, &err);
  if (status != expected) {
    dictum_txn_abort(txn);
    return fail_call(suite, put->value ? "a put" : "a deletion", status, &err);
  }
  status = dictum_txn_commit(txn, &err);
  return status == DICTUM_OK ? PASS : fail_call(suite, "the commit", status, &err);
}

static enum verdict put_three_ways(struct suite *suite, dictum_table *writer,
                                   dictum_table *reader) {
  struct sample old, new, added;
  make_sample(&old, 3, 1);
  make_sample(&new, 3, 2);
  make_sample(&added, some_entries + 1, 2);
  if (change_one(suite, writer, &new.entry, DICTUM_DUP_REFUSE, DICTUM_EXISTS) != PASS ||
      change_one(suite, writer, &new.entry, DICTUM_DUP_IGNORE, DICTUM_OK) != PASS ||
      expect(suite, reader, &old.entry) != PASS ||
      change_one(suite, writer, &new.entry, DICTUM_DUP_REPLACE, DICTUM_OK) != PASS ||
      change_one(suite, writer, &added.entry, DICTUM_DUP_REFUSE, DICTUM_OK) != PASS ||
      expect(suite, reader, &new.entry) != PASS)
    return FAIL;
  return expect(suite, reader, &added.entry);
}

static enum verdict delete_twice(struct suite *suite, dictum_table *writer, dictum_table *reader) {
  struct sample sample;
  make_sample(&sample, 4, 1);
  dictum_entry key = sample.entry;
  key.value = NULL;
  if (change_one(suite, writer, &key, DICTUM_DUP_REFUSE, DICTUM_OK) != PASS ||
      expect_absent(suite, reader, key.key, key.keylen) != PASS)
    return FAIL;
  return change_one(suite, writer, &key, DICTUM_DUP_REFUSE, DICTUM_NOTFOUND);
}

static enum verdict with_writer(struct suite *suite,
                                enum verdict (*check)(struct suite *suite, dictum_table *writer,
                                                      dictum_table *reader)) {
  if (fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *writer;
  dictum_status status = open_to_write(suite, false, &writer, &err);
  if (status != DICTUM_OK)
    return fail_call(suite, "opening to write", status, &err);
  dictum_table *reader = open_to_read(suite, raw);
  enum verdict verdict = reader ? check(suite, writer, reader) : FAIL;
  dictum_close(reader);
  dictum_close(writer);
  return verdict;
}

static enum verdict check_put(struct suite *suite) {
  return suite->caps & DICTUM_CAP_UPDATE ? with_writer(suite, put_three_ways) : SKIP;
}

static enum verdict check_delete(struct suite *suite) {
  return suite->caps & DICTUM_CAP_DELETE ? with_writer(suite, delete_twice) : SKIP;
}

/* ---- the checks: threads and processes --------------------------------- */

/* What the threads of one check share. */
struct race {
  unsigned entries;
  bool endless; /* until `stop`, instead of a fixed number of lookups */
  atomic_bool stop;
  atomic_uint answers;
};

/* One thread's part; it has a suite of its own, so that reasons do not mix. */
struct crew {
  struct suite suite;
  struct race *race;
  dictum_table *table;
  unsigned seed;
  enum verdict verdict;
};

/* Any generation will do: the table may be replaced at any moment, but never be half there. */
static enum verdict expect_any_generation(struct suite *suite, dictum_table *table,
                                          const struct sample *sample) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, sample->key, sample->entry.keylen, &value, NULL,
                                       &err);
  enum verdict verdict = PASS;
  const char *number = strrchr(sample->value, ' ');
  if (status != DICTUM_OK)
    verdict = fail_call(suite, "a lookup beside others", status, &err);
  else if (strncmp(value.data, sample->value, (size_t)(number - sample->value)) != 0)
    verdict = fail(suite, "a wrong value beside others");
  dictum_buf_free(&value);
  return verdict;
}

static void *look_up_again_and_again(void *rock) {
  struct crew *crew = rock;
  struct race *race = crew->race;
  for (unsigned i = 0; crew->verdict == PASS; i++) {
    if (race->endless ? atomic_load(&race->stop) : i == lookups)
      break;
    struct sample sample;
    make_sample(&sample, (crew->seed + i * 7) % race->entries, 1);
    crew->verdict = expect_any_generation(&crew->suite, crew->table, &sample);
    atomic_fetch_add(&race->answers, crew->verdict == PASS ? 1 : threads * lookups);
  }
  return NULL;
}

/* Until the readers have had a fair chance to see something wrong. */
static enum verdict rebuild_again_and_again(struct suite *suite, struct race *race) {
  enum verdict verdict = PASS;
  for (unsigned i = 0; i < rebuilds_max && verdict == PASS; i++) {
    if (i >= rebuilds_min && atomic_load(&race->answers) >= threads * lookups)
      break;
    verdict = fill(suite, race->entries, i);
  }
  return verdict;
}

static enum verdict read_in_threads(struct suite *suite, dictum_table *table, struct race *race) {
  struct crew crews[threads];
  pthread_t ids[threads];
  unsigned started = 0;
  enum verdict verdict = PASS;
  for (; started < threads; started++) {
    crews[started] = (struct crew){*suite, race, table, started * 31, PASS};
    if (pthread_create(&ids[started], NULL, look_up_again_and_again, &crews[started]) != 0) {
      verdict = fail(suite, "cannot start a thread");
      break;
    }
  }
  if (verdict == PASS && race->endless)
    verdict = rebuild_again_and_again(suite, race);
  atomic_store(&race->stop, true);
  for (unsigned i = 0; i < started; i++) {
    pthread_join(ids[i], NULL);
    if (crews[i].verdict != PASS)
      verdict = fail(suite, "%s", crews[i].suite.why);
  }
  return verdict;
}

static enum verdict check_in_threads(struct suite *suite, unsigned entries, bool endless) {
  struct race race = {.entries = entries, .endless = endless};
  if (fill(suite, entries, 1) != PASS)
    return FAIL;
  dictum_table *table = open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = read_in_threads(suite, table, &race);
  dictum_close(table);
  return verdict;
}

static enum verdict check_threads(struct suite *suite) {
  return can_fill(suite) ? check_in_threads(suite, some_entries, false) : SKIP;
}

static enum verdict check_readers_and_writer(struct suite *suite) {
  return suite->caps & DICTUM_CAP_REPLACE ? check_in_threads(suite, many_entries, true) : SKIP;
}

/* Reads in the child what the parent opened, closes it there, and ends without a trace. */
static _Noreturn void be_child(struct suite *suite, dictum_table *table, int out) {
  enum verdict verdict = expect_samples(suite, table, 10, 1);
  if (verdict == PASS)
    verdict = compare_batch(suite, table);
  dictum_close(table);
  if (verdict != PASS && write(out, suite->why, strlen(suite->why)) < 0)
    _exit(2);
  _exit(verdict == PASS ? 0 : 1);
}

static enum verdict wait_for_child(struct suite *suite, pid_t child, int in) {
  char why[sizeof suite->why] = "";
  ssize_t len = read(in, why, sizeof why - 1);
  int status;
  if (waitpid(child, &status, 0) < 0)
    return fail(suite, "cannot wait for the child");
  if (WIFSIGNALED(status))
    return fail(suite, "the child died of signal %d", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? PASS : fail(suite, "child: %s", len > 0 ? why : "?");
}

static enum verdict read_in_child(struct suite *suite, dictum_table *table) {
  int ends[2];
  if (pipe(ends) != 0)
    return fail(suite, "cannot make a pipe");
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    be_child(suite, table, ends[1]);
  }
  close(ends[1]);
  enum verdict verdict = child < 0 ? fail(suite, "cannot fork")
                                   : wait_for_child(suite, child, ends[0]);
  close(ends[0]);
  return verdict;
}

static enum verdict check_fork(struct suite *suite) {
  if (!can_fill(suite))
    return SKIP;
  if (fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_table *table = open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = expect_samples(suite, table, 10, 1);
  if (verdict == PASS)
    verdict = read_in_child(suite, table);
  if (verdict == PASS) /* what the child closed is still open here */
    verdict = expect_samples(suite, table, 10, 1);
  dictum_close(table);
  return verdict;
}

/* ---- the suite --------------------------------------------------------- */

static const struct {
  const char *what;
  enum verdict (*check)(struct suite *suite);
} checks[] = {
    {"what was put is found, and nothing else", check_fill},
    {"a table without entries", check_empty},
    {"any bytes in keys and values come back or are refused", check_bytes},
    {"an empty value comes back or is refused", check_empty_value},
    {"a value of 1 MB and long keys come back or are refused", check_long},
    {"case is folded", check_folding},
    {"a batch answers as single lookups do", check_batch},
    {"a walk gives every entry once", check_walk},
    {"an abandoned replacement leaves the old content", check_abort},
    {"a reader sees the old content until commit, then the new", check_commit},
    {"put refuses, ignores or replaces a key that is there", check_put},
    {"del removes, and knows what is not there", check_delete},
    {"threads share one table", check_threads},
    {"threads read while the table is replaced", check_readers_and_writer},
    {"a child process goes on with its parent's table", check_fork},
};

/* A scratch table may not be there yet, and a table that cannot be written must be. */
static enum verdict learn_caps(struct suite *suite) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table;
  dictum_status status = open_to_write(suite, true, &table, &err);
  if (status == DICTUM_UNSUPPORTED)
    status = open_to_write(suite, false, &table, &err);
  if (status == DICTUM_UNSUPPORTED)
    status = dictum_open(suite->ctx, suite->spec, raw, &table, &err);
  if (status != DICTUM_OK)
    return fail_call(suite, "opening", status, &err);
  suite->caps = dictum_caps(table);
  dictum_close(table);
  return PASS;
}

static void print_line(struct tap *tap, bool ok, const char *spec, const char *what,
                       const char *skip) {
  fprintf(tap->stream, "%s %u - %s%s%s%s\n", ok ? "ok" : "not ok", ++tap->count, spec,
          *spec ? ": " : "", what, skip);
  if (!ok)
    tap->failed++;
}

static void print_why(struct tap *tap, const char *why) {
  if (why && *why)
    fprintf(tap->stream, "# %s\n", why);
}

void tap_result(struct tap *tap, bool ok, const char *what, const char *why) {
  print_line(tap, ok, "", what, "");
  print_why(tap, why);
  fflush(tap->stream);
}

void tap_end(const struct tap *tap) {
  fprintf(tap->stream, "1..%u\n", tap->count);
}

void conformance_run(dictum_ctx *ctx, const char *spec, struct tap *tap) {
  struct suite suite = {.ctx = ctx, .spec = spec};
  enum verdict verdict = learn_caps(&suite);
  print_line(tap, verdict == PASS, spec, "opens", "");
  print_why(tap, suite.why);
  for (size_t i = 0; i < sizeof checks / sizeof checks[0] && verdict != FAIL; i++) {
    suite.why[0] = '\0';
    fflush(tap->stream); /* a plugin that crashes has told how far it came */
    enum verdict this = checks[i].check(&suite);
    print_line(tap, this != FAIL, spec, checks[i].what,
               this == SKIP ? " # SKIP the type cannot do that" : "");
    print_why(tap, suite.why);
  }
}
