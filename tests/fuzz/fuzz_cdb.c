/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_cdb.c - takes any bytes for a cdb file, walks over its records and looks their keys up.
 *
 * No input may make a search read outside of the file, or go on for ever.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/cdb/cdb_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { most_records = 100 };

static uint64_t sum;

/* Reads every byte that is handed over, for the sanitizer's sake. */
static void touch(const dictum_key *bytes) {
  for (size_t i = 0; i < bytes->n; i++)
    sum += (unsigned char)bytes->p[i];
}

static void look_up(const struct cdb_map *map, const dictum_key *key, bool nul) {
  uint32_t hash = cdb_hash(cdb_hash_seed, key->p, key->n);
  const struct cdb_question question = {*key, nul, nul ? cdb_hash(hash, "", 1) : hash};
  dictum_key value;
  cdb_map_prefetch_slot(map, question.hash);
  cdb_map_prefetch_record(map, question.hash);
  if (cdb_map_find(map, &question, &value) == CDB_FOUND)
    touch(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* A copy of its own, so that reading beyond its end is noticed. */
  unsigned char *copy = malloc(size ? size : 1);
  if (!copy)
    return 0;
  memcpy(copy, data, size);
  struct cdb_map map = {.at = copy, .size = size, .fd = -1};
  if (cdb_map_check(&map)) {
    dictum_rec rec;
    size_t at = cdb_header;
    for (int i = 0; i < most_records && cdb_map_next(&map, &at, &rec) == CDB_FOUND; i++) {
      touch(&rec.key);
      touch(&rec.value);
      look_up(&map, &rec.key, false);
      look_up(&map, &rec.key, true);
    }
    look_up(&map, &(dictum_key){"", 0}, false);
    look_up(&map, &(dictum_key){"absent", 6}, true);
  }
  free(copy);
  return 0;
}
