/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_bdb_image.c - reads the input as a Berkeley DB file, a hash or a btree as it says.
 *
 * What all of the checks find sound must be consistent: every record of a walk is found by its key,
 * and a lookup that was prepared for comes to the same as one that was not.
 */
#include <db.h>
#include <stdlib.h>
#include <string.h>

#include "bdb/bdb_image.h"
#include "tablefile.h"

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

/* Of some records, the keys, and those keys without their last byte. @return how many */
static size_t some_keys(const struct bdb_image *image, dictum_key *keys) {
  struct bdb_walk walk;
  struct bdb_record record;
  struct bdb_scratch key = {0}, value = {0};
  size_t n = 0;
  int error = bdb_walk_first(&walk, image);
  for (; !error && n + 2 <= tablefile_fetched; error = bdb_walk_next(&walk, image)) {
    if (bdb_walk_get(&walk, image, &record, &key, &value) != 0 || record.key.n == 0)
      break;
    if (record.key.p == key.data) /* it lies in pieces, and the next would take its place */
      continue;
    keys[n] = record.key;
    keys[n + 1] = (dictum_key){record.key.p, record.key.n - 1};
    n += 2;
  }
  bdb_scratch_free(&key);
  bdb_scratch_free(&value);
  return n;
}

static void look_up_together(const struct bdb_image *image, const dictum_key *keys, size_t n,
                             bool sound, bool with_nul) {
  struct bdb_finger fingers[tablefile_fetched] = {0};
  struct bdb_scratch scratch = {0}, other = {0};
  dictum_key fetched[tablefile_fetched] = {0};
  for (size_t i = 0; i < n; i++)
    fetched[i] = with_nul ? tablefile_without_nul(keys[i]) : keys[i];
  bdb_image_fetch(image, fetched, n, with_nul, fingers);
  for (size_t i = 0; i < n; i++) {
    struct bdb_finger none = {0};
    dictum_key value = {0}, alone = {0};
    int error = bdb_image_find(image, &fingers[i], &keys[i], &value, &scratch);
    must(!sound || (error == bdb_image_find(image, &none, &keys[i], &alone, &other) &&
                    value.n == alone.n && (value.n == 0 || !memcmp(value.p, alone.p, value.n))));
    if (error == 0)
      touch(&value);
  }
  bdb_scratch_free(&scratch);
  bdb_scratch_free(&other);
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
  bool is_sound = bdb_image_check(&image) == 0;
  walk_all(&image, is_sound);
  /* Twice: the second time, what is remembered of the first counts. */
  struct bdb_finger finger = {0};
  struct pageset sound = {0}, sorted = {0};
  pageset_reset(&sound, image.pages);
  pageset_reset(&sorted, image.pages);
  image.sound = &sound;
  image.sorted = &sorted;
  for (size_t i = 0; i < 2 * (sizeof keys / sizeof *keys); i++) {
    look_up(&image, &finger, &keys[i / 2]);
    walk_from(&image, &keys[i / 2]);
  }
  look_up_together(&image, keys, sizeof keys / sizeof *keys, is_sound, false);
  dictum_key found[tablefile_fetched];
  const size_t n = some_keys(&image, found);
  look_up_together(&image, found, n, is_sound, false);
  look_up_together(&image, found, n, is_sound, true);
  pageset_free(&sound);
  pageset_free(&sorted);
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
