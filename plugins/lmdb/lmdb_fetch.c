/* SPDX-License-Identifier: BSD-2-Clause */
/* lmdb_fetch.c - finding where the next searches will end, all at once. */
#include "lmdb_page.h"
#include "probes.h"
#include "tablefile.h"

/* A page's header and its offsets. */
enum { head_bytes = 256 };

static const unsigned char *entry(const void *rock, const struct probe *probe, size_t at) {
  const struct lmdb_tree *tree = rock;
  const size_t offset = lmdb_entry_offset(probe->page, at);
  return probe->page + (offset < tree->page_bytes ? offset : 0);
}

/* The child to take is the last that does not begin behind the key. */
static bool is_before_in_branch(const void *rock, const struct probe *probe, size_t at) {
  struct lmdb_entry found;
  return lmdb_entry_at(rock, probe->page, at, &found) &&
         keyorder_compare(&found.key, probe->key) <= 0;
}

static bool is_before_in_leaf(const void *rock, const struct probe *probe, size_t at) {
  struct lmdb_entry found;
  return lmdb_entry_at(rock, probe->page, at, &found) &&
         keyorder_compare(&found.key, probe->key) < 0;
}

/* Begins to search page @p number. The key of a branch's first entry does not count. */
static void enter(const struct lmdb_tree *tree, struct probe *probe, size_t number, bool leaf) {
  probe->page = lmdb_page_at(tree, number, leaf ? page_leaf : page_branch);
  probe->n = probe->page ? lmdb_page_entries(tree, probe->page) : 0;
  if (probe->n == 0 || (leaf && !lmdb_page_is_sound(tree, probe->page, false)))
    probe->page = NULL;
  probe->low = leaf ? 0 : 1;
  probe->high = probe->n;
}

/* The page that a search of a branch leads to; 0, which is none of the tree, when it failed. */
static size_t child_of(const struct lmdb_tree *tree, const struct probe *probe) {
  struct lmdb_entry found;
  if (!probe->page || !lmdb_entry_at(tree, probe->page, probe->low - 1, &found))
    return 0;
  const size_t number = lmdb_entry_child(&found);
  if (number >= tree->pages)
    return 0;
  probe_send_for(tree->map + number * tree->page_bytes, head_bytes);
  return number;
}

void lmdb_tree_fetch(const struct lmdb_tree *tree, const dictum_key *keys, size_t n,
                     struct lmdb_finger *fingers) {
  const struct probe_pages branches = {tree, entry, is_before_in_branch},
                           leaves = {tree, entry, is_before_in_leaf};
  struct probe probes[tablefile_fetched] UNINITIALIZED;
  size_t numbers[tablefile_fetched];
  for (size_t i = 0; i < n; i++) {
    probes[i] = (struct probe){.key = &keys[i]};
    numbers[i] = tree->root;
  }
  for (size_t level = 1; level <= tree->depth; level++) {
    const bool leaf = level == tree->depth;
    for (size_t i = 0; i < n; i++)
      enter(tree, &probes[i], numbers[i], leaf);
    probes_run(probes, n, leaf ? &leaves : &branches);
    for (size_t i = 0; i < n && !leaf; i++)
      numbers[i] = child_of(tree, &probes[i]);
  }
  for (size_t i = 0; i < n; i++)
    fingers[i] = (struct lmdb_finger){probes[i].page, probes[i].n, probes[i].low};
}
