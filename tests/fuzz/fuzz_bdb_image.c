/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_bdb_image.c - reads the input as a Berkeley DB file, a hash or a btree as it says.
 *
 * What all of the checks find sound must be consistent: every record of a walk is found by its key.
 */
#include <db.h>
#include <stdlib.h>
#include <string.h>

#include "bdb/bdb_image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum;

/* Reads every byte that is handed over, for the sanitizer's sake. */
static void touch(const dictum_key *bytes) {
  for (size_t i = 0; i < bytes->n; i++)
    sum += (unsigned char)bytes->p[i];
}

static void must(bool holds) {
  if (!holds)
    abort();
}

static void find_again(const struct bdb_image *image, const struct bdb_record *record, bool sound) {
  struct bdb_scratch scratch = {0};
  dictum_key value;
  struct bdb_finger finger = {0};
  int error = bdb_image_find(image, &finger, &record->key, &value, &scratch);
  if (!error)
    touch(&value);
  if (sound && !record->deleted)
    must(!error && value.n == record->value.n &&
         (value.n == 0 || memcmp(value.p, record->value.p, value.n) == 0));
  bdb_scratch_free(&scratch);
}

static void walk_all(const struct bdb_image *image, bool sound) {
  struct bdb_walk walk;
  struct bdb_record record;
  struct bdb_scratch key = {0}, value = {0};
  int error = bdb_walk_first(&walk, image);
  while (!error) {
    error = bdb_walk_get(&walk, image, &record, &key, &value);
    if (error)
      break;
    touch(&record.key);
    touch(&record.value);
    find_again(image, &record, sound);
    error = bdb_walk_next(&walk, image);
  }
  must(!sound || error == DB_NOTFOUND);
  bdb_scratch_free(&key);
  bdb_scratch_free(&value);
}

static void walk_from(const struct bdb_image *image, const dictum_key *key) {
  struct bdb_walk walk;
  struct bdb_scratch scratch = {0};
  if (!image->hash)
    for (int error = bdb_walk_from(&walk, image, key, &scratch); !error;)
      error = bdb_walk_next(&walk, image);
  bdb_scratch_free(&scratch);
}

static void look_up(const struct bdb_image *image, struct bdb_finger *finger,
                    const dictum_key *key) {
  struct bdb_scratch scratch = {0};
  dictum_key value;
  if (bdb_image_find(image, finger, key, &value, &scratch) == 0)
    touch(&value);
  bdb_scratch_free(&scratch);
}

static void read_as(const void *map, size_t size, bool hash) {
  static const dictum_key keys[] = {{"", 0}, {"user35", 7}, {"zzz", 3}};
  struct bdb_image image;
  if (bdb_image_load(&image, map, size, hash) != 0)
    return;
  walk_all(&image, bdb_image_check(&image) == 0);
  /* Twice: the second time, what is remembered of the first counts. */
  struct bdb_finger finger = {0};
  struct pageset sound = {0};
  pageset_reset(&sound, image.pages);
  image.sound = &sound;
  for (size_t i = 0; i < 2 * (sizeof keys / sizeof *keys); i++) {
    look_up(&image, &finger, &keys[i / 2]);
    walk_from(&image, &keys[i / 2]);
  }
  pageset_free(&sound);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  /* A copy of just that size, so that reading beyond its end is noticed. */
  void *map = malloc(size ? size : 1);
  if (!map)
    return 0;
  memcpy(map, data, size);
  read_as(map, size, true);
  read_as(map, size, false);
  free(map);
  return 0;
}
