/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conformance_suite.h - the checks of a type, and what they have in common.
 *
 * Each check answers PASS, FAIL with a reason, or SKIP when the type does not
 * claim to be able to do what is checked. A check that needs content puts it
 * there itself, so that checks do not lean on each other.
 */
#ifndef DICTUM_CLI_CONFORMANCE_SUITE_H
#define DICTUM_CLI_CONFORMANCE_SUITE_H

#include <dictum.h>
#include <stdbool.h>

enum verdict { PASS, FAIL, SKIP };

/** A table that is checked. */
struct suite {
  dictum_ctx *ctx;
  const char *spec;
  uint32_t caps;
  char why[512]; /**< after FAIL */
};

enum { some_entries = 200 };

/** Bytes are bytes in most checks: neither folded nor checked. */
enum { raw = DICTUM_OPEN_NOFOLD };

/** @return FAIL, with the text as its reason */
enum verdict suite_fail(struct suite *suite, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** @return FAIL: the @p call of the interface answered something else than it should. */
enum verdict suite_fail_call(struct suite *suite, const char *call, dictum_status status,
                             const dictum_error *err);

/** The entries of the checks: number and generation make key and value. */
struct sample {
  char key[32], value[64];
  dictum_entry entry; /**< points to these two */
};
void sample_make(struct sample *sample, unsigned number, unsigned generation);
bool same_bytes(const char *a, size_t na, const char *b, size_t nb);

/** Can the type be given content? */
bool suite_can_fill(const struct suite *suite);
dictum_status suite_open_to_write(struct suite *suite, bool replace, dictum_table **table,
                                  dictum_error *err);
/** Opens the table, and begins a replacement, or an update where the type cannot replace.
 * @param table  also after a failure: to be closed
 * @param txn    also after a failure: to be ended */
dictum_status suite_begin_fill(struct suite *suite, dictum_table **table, dictum_txn **txn,
                               dictum_error *err);
/** Fills the table with these entries. */
dictum_status suite_fill_entries(struct suite *suite, const dictum_entry *entries, size_t n,
                                 dictum_error *err);
/** Puts samples 0 .. n-1. */
dictum_status suite_put_samples(dictum_txn *txn, unsigned n, unsigned generation,
                                dictum_error *err);
/** Fills the table with them. */
enum verdict suite_fill(struct suite *suite, unsigned n, unsigned generation);

/** @return NULL when it cannot be opened, and the reason is kept */
dictum_table *suite_open_to_read(struct suite *suite, uint32_t flags);
/** Looks the key up, which must have that value. */
enum verdict suite_expect(struct suite *suite, dictum_table *table, const dictum_entry *entry);
enum verdict suite_expect_absent(struct suite *suite, dictum_table *table, const char *key,
                                 size_t keylen);
/** Samples 0 .. n-1 must be there, and no others. */
enum verdict suite_expect_samples(struct suite *suite, dictum_table *table, unsigned n,
                                  unsigned generation);
/** A batch must answer as its keys alone do. */
enum verdict suite_compare_batch(struct suite *suite, dictum_table *table);

/* ---- conformance_content.c ---- */
enum verdict check_fill(struct suite *suite);
enum verdict check_empty(struct suite *suite);
enum verdict check_bytes(struct suite *suite);
enum verdict check_empty_value(struct suite *suite);
enum verdict check_long(struct suite *suite);
enum verdict check_folding(struct suite *suite);

/* ---- conformance_reading.c ---- */
enum verdict check_batch(struct suite *suite);
enum verdict check_walk(struct suite *suite);

/* ---- conformance_changing.c ---- */
enum verdict check_abort(struct suite *suite);
enum verdict check_commit(struct suite *suite);
enum verdict check_put(struct suite *suite);
enum verdict check_delete(struct suite *suite);

/* ---- conformance_sharing.c ---- */
enum verdict check_threads(struct suite *suite);
enum verdict check_readers_and_writer(struct suite *suite);
enum verdict check_fork(struct suite *suite);

#endif
