/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_lmdb_tree.c - reads the input as an LMDB file.
 *
 * What all of the checks find sound must be consistent: every record of a walk is found by its key.
 */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lmdb/lmdb_tree.h"

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

static void look_up(const struct lmdb_tree *tree, struct lmdb_finger *finger,
                    const dictum_key *key) {
  struct lmdb_walk walk;
  dictum_key value;
  lmdb_tree_fetch(tree, key);
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
