/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw.h - what a client library takes by itself: raw.c reads text and keys, and raw_bdb.c,
 * raw_lmdb.c and raw_cdb.c do with their library what can be done.
 */
#ifndef DICTUM_TESTS_BENCH_RAW_H
#define DICTUM_TESTS_BENCH_RAW_H

#include <stddef.h>
#include <stdint.h>

struct record {
  const char *key, *value; /* each has a null byte after it */
  uint32_t key_len, value_len;
  uint64_t order; /* to sort by, as raw.c or the library's file pleases */
};

/* @return records of different keys in the order of their keys */
void sort_by_key(struct record *records, size_t *n);
/* The first of each key stays, in the order of the source. */
void drop_duplicates(struct record *records, size_t *n);

/* Writes a new table. The records are in the order of the source. */
void store_build(const char *kind, const char *path, struct record *records, size_t n);
/* What a table is opened for: to ask it for one key, for many with all the memory that helps, or
 * for many with the memory that the library takes by itself. */
enum purpose { ONE_KEY, MANY_KEYS, MANY_KEYS_AS_IT_COMES };
void store_open(const char *kind, const char *path, enum purpose purpose);
/* A null byte follows @p key. @return whether it is there, with its value until the next call */
int store_get(const char *key, size_t len, const char **value, size_t *value_len);

_Noreturn void die(const char *what, const char *why);

#endif
