/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb_fetch.c - finding where the next searches will end, all at once. */
#include "bdb_page.h"
#include "probes.h"
#include "tablefile.h"

/* A page's header and its offsets; an item. */
enum { head_bytes = 192, item_bytes = 64 };
/* Of a hash; more are rare, and damage can make it any number. */
enum { most_pages_of_bucket = 4 };

static void send_for_page(const struct bdb_image *image, uint32_t number) {
  if (number > 0 && number < image->pages)
    probe_send_for(image->map + (size_t)number * image->page_bytes, head_bytes);
}

/* Entries are pairs of items, but for those of branches. */
static struct bdb_page page_of(const struct probe *probe, bool pairs) {
  return (struct bdb_page){probe->page, (uint32_t)probe->n * (pairs ? 2 : 1)};
}

static const unsigned char *entry_of_pairs(const void *rock, const struct probe *probe, size_t at) {
  const struct bdb_page page = page_of(probe, true);
  return probe->page + bdb_item_offset(rock, &page, (uint32_t)at * 2, 1);
}

/* ---- a hash --------------------------------------------------------------------------------- */

static void send_for_item(const struct bdb_image *image, const struct bdb_page *page, uint32_t i) {
  probe_send_for(page->at + bdb_item_offset(image, page, i, 1), item_bytes);
}

/* The first key tells the bucket. A page whose keys were not seen to be in order is left alone. */
static struct probe begin_on_page(const struct bdb_image *image, const dictum_key *key,
                                  uint32_t number) {
  struct bdb_page page;
  if (!bdb_page_open(image, number, type_hash, &page) || !bdb_page_is_sound(image, &page) ||
      !bdb_page_is_sorted(image, &page))
    return (struct probe){.key = key};
  send_for_item(image, &page, 0);
  return (struct probe){.key = key, .page = page.at, .n = page.n / 2, .high = page.n / 2};
}

static bool key_at(const struct bdb_image *image, const struct probe *probe, size_t at,
                   dictum_key *key) {
  const struct bdb_page page = page_of(probe, true);
  struct bdb_item item;
  if (!bdb_hash_item(image, &page, (uint32_t)at * 2, &item))
    return false;
  *key = (dictum_key){(const char *)item.bytes, item.n};
  return true;
}

static bool is_before_in_hash(const void *rock, const struct probe *probe, size_t at) {
  dictum_key there;
  return key_at(rock, probe, at, &there) && bdb_hash_order(&there, probe->key) < 0;
}

/* Of keys that end in a NUL byte and have no other, none is the beginning of another. So they are
 * in the usual order, in which the one without that byte comes just before it. */
static bool is_before_with_nul(const void *rock, const struct probe *probe, size_t at) {
  dictum_key there;
  return key_at(rock, probe, at, &there) && keyorder_compare(&there, probe->key) < 0;
}

/* Where a search of page @p number ended: notes it if the key is there, and has its value fetched.
 * @return the page to be searched next; 0: none */
static uint32_t go_on(const struct bdb_image *image, const struct probe *probe, uint32_t number,
                      bool with_nul, struct bdb_finger *finger) {
  const struct bdb_page page = page_of(probe, true);
  const uint32_t at = (uint32_t)probe->low * 2;
  const dictum_key *key = probe->key;
  dictum_key there;
  if (!probe->page)
    return 0;
  if (!key_at(image, probe, probe->low, &there) || there.n != key->n + with_nul ||
      (key->n > 0 && memcmp(there.p, key->p, key->n) != 0))
    return bdb_page_next(image, &page);
  send_for_item(image, &page, at + 1);
  *finger = (struct bdb_finger){number, at};
  return 0;
}

/* Searches the pages of all buckets together, the first of each, then the second. */
static void fetch_from_hash(const struct bdb_image *image, const dictum_key *keys, size_t n,
                            bool with_nul, struct bdb_finger *fingers) {
  const struct probe_pages pages = {image, entry_of_pairs,
                                    with_nul ? is_before_with_nul : is_before_in_hash};
  struct probe probes[tablefile_fetched] UNINITIALIZED;
  uint32_t numbers[tablefile_fetched];
  for (size_t i = 0; i < n; i++) {
    fingers[i] = (struct bdb_finger){0};
    numbers[i] = bdb_image_bucket_page(image, bdb_image_bucket(image, &keys[i], with_nul));
    send_for_page(image, numbers[i]);
  }
  bool going = true;
  for (unsigned round = 0; going && round < most_pages_of_bucket; round++) {
    going = false;
    for (size_t i = 0; i < n; i++)
      probes[i] = begin_on_page(image, &keys[i], numbers[i]);
    probes_run(probes, n, &pages);
    for (size_t i = 0; i < n; i++) {
      numbers[i] = go_on(image, &probes[i], numbers[i], with_nul, &fingers[i]);
      send_for_page(image, numbers[i]);
      going |= numbers[i] != 0;
    }
  }
}

/* ---- a btree -------------------------------------------------------------------------------- */

static const unsigned char *entry_of_branch(const void *rock, const struct probe *probe,
                                            size_t at) {
  const struct bdb_page page = page_of(probe, false);
  return probe->page + bdb_item_offset(rock, &page, (uint32_t)at, 1);
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
                           leaves = {image, entry_of_pairs, is_before_in_leaf};
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
    fetch_from_hash(image, keys, n, with_nul, fingers);
  else
    fetch_from_btree(image, keys, n, fingers);
}
