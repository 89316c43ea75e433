/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb_fetch.c - finding where the next searches will end, all at once. */
#include "bdb_page.h"
#include "probes.h"
#include "tablefile.h"

/* A page's header and its offsets; an item. */
enum { head_bytes = 192, item_bytes = 64 };

static void send_for_page(const struct bdb_image *image, uint32_t number) {
  if (number > 0 && number < image->pages)
    probe_send_for(image->map + (size_t)number * image->page_bytes, head_bytes);
}

/* ---- a hash --------------------------------------------------------------------------------- */

static void send_for_item(const struct bdb_image *image, const struct bdb_page *page, uint32_t i) {
  probe_send_for(page->at + bdb_item_offset(image, page, i, 1), item_bytes);
}

/* Those keys on the first page of a bucket that have the right size, and the first of all, which
 * tells the bucket. */
static void send_for_bucket(const struct bdb_image *image, uint32_t number, size_t key_bytes) {
  struct bdb_page page;
  if (!bdb_page_open(image, number, type_hash, &page) || page.n == 0)
    return;
  send_for_item(image, &page, 0);
  for (uint32_t i = 0; i + 1 < page.n; i += 2) {
    if (bdb_hash_item_bytes(image, &page, i) != key_bytes + 1)
      continue;
    send_for_item(image, &page, i);
    send_for_item(image, &page, i + 1);
  }
}

static void fetch_from_hash(const struct bdb_image *image, const dictum_key *keys, size_t n,
                            bool with_nul) {
  uint32_t numbers[tablefile_fetched];
  for (size_t i = 0; i < n; i++) {
    numbers[i] = bdb_image_bucket_page(image, bdb_image_bucket(image, &keys[i], with_nul));
    send_for_page(image, numbers[i]);
  }
  for (size_t i = 0; i < n; i++)
    send_for_bucket(image, numbers[i], keys[i].n + with_nul);
}

/* ---- a btree -------------------------------------------------------------------------------- */

static struct bdb_page page_of(const struct probe *probe, bool leaf) {
  return (struct bdb_page){probe->page, (uint32_t)probe->n * (leaf ? 2 : 1)};
}

static const unsigned char *entry_of_branch(const void *rock, const struct probe *probe,
                                            size_t at) {
  const struct bdb_page page = page_of(probe, false);
  return probe->page + bdb_item_offset(rock, &page, (uint32_t)at, 1);
}

static const unsigned char *entry_of_leaf(const void *rock, const struct probe *probe, size_t at) {
  const struct bdb_page page = page_of(probe, true);
  return probe->page + bdb_item_offset(rock, &page, (uint32_t)at * 2, 1);
}

/* A key in a chain would have to be gathered: the hint may as well be wrong. */
static int compare(const struct bdb_item *item, const dictum_key *key) {
  const dictum_key there = {(const char *)item->bytes, item->n};
  return item->chain ? 1 : keyorder_compare(&there, key);
}

/* The child to take is the last that does not begin behind the key. */
static bool is_before_in_branch(const void *rock, const struct probe *probe, size_t at) {
  const struct bdb_page page = page_of(probe, false);
  struct bdb_item item;
  return bdb_branch_item(rock, &page, (uint32_t)at, &item) && compare(&item, probe->key) <= 0;
}

static bool is_before_in_leaf(const void *rock, const struct probe *probe, size_t at) {
  const struct bdb_page page = page_of(probe, true);
  struct bdb_item item;
  return bdb_leaf_item(rock, &page, (uint32_t)at * 2, &item) && compare(&item, probe->key) < 0;
}

/* Begins to search page @p number. The key of a branch's first entry does not count. */
static void enter(const struct bdb_image *image, struct probe *probe, uint32_t number,
                  unsigned level) {
  const bool leaf = level == 1;
  struct bdb_page page;
  bool sound = bdb_page_open(image, number, leaf ? type_leaf : type_branch, &page) && page.n > 0 &&
               page.at[page_level] == level && (!leaf || bdb_page_is_sound(image, &page));
  probe->page = sound ? page.at : NULL;
  probe->n = sound ? page.n / (leaf ? 2 : 1) : 0;
  probe->low = leaf ? 0 : 1;
  probe->high = probe->n;
}

/* The page that a search of a branch leads to; 0, which is none of the tree, when it failed. */
static uint32_t child_of(const struct bdb_image *image, const struct probe *probe) {
  const struct bdb_page page = page_of(probe, false);
  const uint32_t number = probe->page ? bdb_branch_child(image, &page, (uint32_t)probe->low - 1)
                                      : 0;
  send_for_page(image, number);
  return number;
}

/* How many levels there are; 0 when there is only a leaf, which needs no search. */
static unsigned count_levels(const struct bdb_image *image) {
  struct bdb_page root;
  return bdb_page_open(image, image->root, type_branch, &root) ? root.at[page_level] : 0;
}

static void fetch_from_btree(const struct bdb_image *image, const dictum_key *keys, size_t n,
                             struct bdb_finger *fingers) {
  const struct probe_pages branches = {image, entry_of_branch, is_before_in_branch},
                           leaves = {image, entry_of_leaf, is_before_in_leaf};
  struct probe probes[tablefile_fetched] UNINITIALIZED;
  uint32_t numbers[tablefile_fetched];
  for (size_t i = 0; i < n; i++) {
    probes[i] = (struct probe){.key = &keys[i]};
    numbers[i] = image->root;
  }
  for (unsigned level = count_levels(image); level >= 1; level--) {
    for (size_t i = 0; i < n; i++)
      enter(image, &probes[i], numbers[i], level);
    probes_run(probes, n, level == 1 ? &leaves : &branches);
    for (size_t i = 0; i < n && level > 1; i++)
      numbers[i] = child_of(image, &probes[i]);
  }
  for (size_t i = 0; i < n; i++)
    fingers[i] = (struct bdb_finger){probes[i].page ? numbers[i] : 0, (uint32_t)probes[i].low * 2};
}

void bdb_image_fetch(const struct bdb_image *image, const dictum_key *keys, size_t n, bool with_nul,
                     struct bdb_finger *fingers) {
  if (image->hash)
    fetch_from_hash(image, keys, n, with_nul);
  else
    fetch_from_btree(image, keys, n, fingers);
}
