/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_lmdb_tree.c - reads the input as an LMDB file.
 *
 * What all of the checks find sound must be consistent: every record of a walk is found by its key,
 * and a lookup that was prepared for comes to the same as one that was not.
 */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lmdb/lmdb_tree.h"
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

static void walk_all(const struct lmdb_tree *tree, bool sound) {
  struct lmdb_walk walk;
  dictum_key key, value, again;
  struct lmdb_finger finger = {0};
  int error = lmdb_walk_start(&walk, tree, NULL);
  while (!error) {
    error = lmdb_walk_get(&walk, &key, &value);
    if (error)
      break;
    touch(&key);
    touch(&value);
    int found = lmdb_tree_find(tree, &finger, &key, &again);
    must(!sound || (found == 0 && again.p == value.p && again.n == value.n));
    error = lmdb_walk_next(&walk);
  }
  must(!sound || error == MDB_NOTFOUND);
}

/* Of some records, the keys, and those keys without their last byte. @return how many */
static size_t some_keys(const struct lmdb_tree *tree, dictum_key *keys) {
  struct lmdb_walk walk;
  dictum_key value;
  size_t n = 0;
  int error = lmdb_walk_start(&walk, tree, NULL);
  for (; !error && n + 2 <= tablefile_fetched; error = lmdb_walk_next(&walk)) {
    if (lmdb_walk_get(&walk, &keys[n], &value) != 0 || keys[n].n == 0)
      break;
    keys[n + 1] = (dictum_key){keys[n].p, keys[n].n - 1};
    n += 2;
  }
  return n;
}

static void look_up_together(const struct lmdb_tree *tree, const dictum_key *keys, size_t n,
                             bool sound) {
  struct lmdb_finger fingers[tablefile_fetched];
  lmdb_tree_fetch(tree, keys, n, fingers);
  for (size_t i = 0; i < n; i++) {
    struct lmdb_finger none = {0};
    dictum_key value = {0}, alone = {0};
    int error = lmdb_tree_find(tree, &fingers[i], &keys[i], &value);
    must(!sound || (error == lmdb_tree_find(tree, &none, &keys[i], &alone) && value.p == alone.p &&
                    value.n == alone.n));
    if (error == 0)
      touch(&value);
  }
}

static void look_up(const struct lmdb_tree *tree, struct lmdb_finger *finger,
                    const dictum_key *key) {
  struct lmdb_walk walk;
  dictum_key value;
  if (lmdb_tree_find(tree, finger, key, &value) == 0)
    touch(&value);
  int error = lmdb_walk_start(&walk, tree, key);
  for (size_t i = 0; !error && i < 100; i++)
    error = lmdb_walk_next(&walk);
}

static void read_as_tree(const void *map, size_t size, size_t page_bytes) {
  static const dictum_key keys[] = {{"", 0}, {"user35", 7}, {"zzz", 3}};
  struct lmdb_tree tree;
  if (lmdb_tree_load(&tree, map, size, page_bytes) != 0)
    return;
  bool sound = lmdb_tree_check_all(&tree) == 0;
  /* In a damaged file a walk may come by the same page again and again. */
  if (sound)
    walk_all(&tree, sound);
  /* Twice: the second time, what is remembered of the first counts. */
  struct lmdb_finger finger = {0};
  struct pageset set = {0};
  pageset_reset(&set, tree.pages);
  tree.sound = &set;
  for (size_t i = 0; i < 2 * (sizeof keys / sizeof *keys); i++)
    look_up(&tree, &finger, &keys[i / 2]);
  look_up_together(&tree, keys, sizeof keys / sizeof *keys, sound);
  dictum_key found[tablefile_fetched];
  look_up_together(&tree, found, some_keys(&tree, found), sound);
  pageset_free(&set);
}

static size_t check_as_file(const uint8_t *data, size_t size) {
  size_t page_bytes = 0;
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0)
    return 0;
  bool sound = write(fd, data, size) == (ssize_t)size && lmdb_tree_check(fd, &page_bytes) == 0;
  sum += lmdb_tree_has_trace(fd);
  close(fd);
  return sound ? page_bytes : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t page_bytes = check_as_file(data, size);
  /* A copy of just that size, so that reading beyond its end is noticed. */
  void *map = page_bytes ? malloc(size) : NULL;
  if (!map)
    return 0;
  memcpy(map, data, size);
  read_as_tree(map, size, page_bytes);
  free(map);
  return 0;
}
