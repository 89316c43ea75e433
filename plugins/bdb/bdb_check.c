/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_check.c - is all of a Berkeley DB file sound?
 *
 * A lookup checks what it looks at. The library, when it changes a file, trusts
 * all of it: it splits, joins and frees pages, moves items by their lengths, and
 * takes pages from the list of free ones. So before a file is given to it, every
 * page is visited, and must belong to one place only.
 */
#include <db.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bdb_page.h"
#include "keyorder.h"

enum { least_keys_on_page = 2 };

/* A key that is remembered: it lies in the map, or in memory of its own. */
struct kept {
  dictum_key key; /* p is NULL: there is none */
  bool chain;
  struct bdb_scratch own;
};

struct check {
  const struct bdb_image *image;
  unsigned char *taken; /* for each page: it has its place */
  uint16_t *uses;       /* for each page: how often it is the first of a chain */
  struct kept last;     /* the highest key so far */
  struct kept floor;    /* what the following keys are not before */
  struct kept now;
  struct bdb_scratch found;
  uint32_t leaf, next_leaf; /* of a btree: the last one seen, and which it says is behind it */
};

static int take(struct check *check, uint32_t number) {
  if (number == 0 || number >= check->image->pages || check->taken[number])
    return DB_VERIFY_BAD;
  check->taken[number] = 1;
  return 0;
}

static void exchange(struct kept *a, struct kept *b) {
  struct kept other = *a;
  *a = *b;
  *b = other;
}

/* ---- items ---------------------------------------------------------------------------------- */

/* Only the first page of a chain counts how often it is referred to. */
static int take_chain(struct check *check, uint32_t first) {
  struct bdb_page page;
  for (uint32_t number = first; number != 0; number = bdb_page_next(check->image, &page)) {
    int error = take(check, number);
    if (error || !bdb_page_open(check->image, number, type_chain, &page) ||
        (number != first && page.n != 1))
      return DB_VERIFY_BAD;
  }
  return 0;
}

/* Reads an item, of which only a chain is new ground. A chain is taken at its first use. */
static int read_item(struct check *check, const struct bdb_item *item, struct kept *out) {
  int error = bdb_item_content(check->image, item, &out->key, &out->own);
  out->chain = item->chain;
  if (error || !item->chain)
    return error;
  uint32_t first = bdb_u32(check->image, item->bytes + chain_first);
  if (first == 0 || first >= check->image->pages || check->uses[first] == UINT16_MAX)
    return DB_VERIFY_BAD;
  return check->uses[first]++ == 0 ? take_chain(check, first) : 0;
}

static int check_chain_uses(const struct check *check) {
  for (uint32_t i = 1; i < check->image->pages; i++)
    if (check->uses[i] != 0 &&
        bdb_u16(check->image, bdb_page_at(check->image, i) + page_items) != check->uses[i])
      return DB_VERIFY_BAD;
  return 0;
}

/* ---- a hash --------------------------------------------------------------------------------- */

/* The order of the keys on a page: by their bytes, and of two with the same beginning the longer
 * comes first, but in chains the shorter. With one of each it depends on which was there before.
 * Keys that all end in a NUL byte never have that. */
static bool is_behind(const struct kept *before, const struct kept *now) {
  const dictum_key *a = &before->key, *b = &now->key;
  const size_t n = a->n < b->n ? a->n : b->n;
  const bool same_beginning = a->n != b->n && (n == 0 || memcmp(a->p, b->p, n) == 0);
  if (!same_beginning || (!before->chain && !now->chain))
    return bdb_hash_order(a, b) < 0;
  return before->chain != now->chain || a->n < b->n;
}

/* A key that is in a bucket twice is found once only, and comes back when that is removed. The
 * order tells of those on one page, if it has one. */
static int check_is_first(struct check *check, const struct bdb_page *page, uint32_t i) {
  struct bdb_finger finger = {0};
  dictum_key value;
  if (page->at[page_type] == type_hash && bdb_page_previous(check->image, page) == 0)
    return 0;
  int error = bdb_image_find(check->image, &finger, &check->now.key, &value, &check->found);
  if (error)
    return error == DB_NOTFOUND ? DB_VERIFY_BAD : error;
  return finger.page == bdb_page_number(check->image, page) && finger.at == i ? 0 : DB_VERIFY_BAD;
}

static int check_hash_record(struct check *check, const struct bdb_page *page, uint32_t i,
                             uint32_t bucket) {
  struct bdb_item item;
  if (!bdb_hash_item(check->image, page, i, &item))
    return DB_VERIFY_BAD;
  int error = read_item(check, &item, &check->now);
  if (error)
    return error;
  if (bdb_image_bucket(check->image, &check->now.key, false) != bucket)
    return DB_VERIFY_BAD;
  if (page->at[page_type] == type_hash && i > 0 && !is_behind(&check->last, &check->now))
    return DB_VERIFY_BAD;
  error = check_is_first(check, page, i);
  if (error)
    return error;
  exchange(&check->last, &check->now);
  return bdb_hash_item(check->image, page, i + 1, &item) ? read_item(check, &item, &check->now)
                                                         : DB_VERIFY_BAD;
}

static int check_bucket(struct check *check, uint32_t bucket) {
  const struct bdb_image *image = check->image;
  uint32_t number = bdb_image_bucket_page(image, bucket), before = 0;
  if (bdb_page_is_blank(image, number))
    return take(check, number);
  do {
    struct bdb_page page;
    int error = take(check, number);
    if (!error && (!bdb_page_open(image, number, type_hash, &page) ||
                   bdb_page_previous(image, &page) != before || !bdb_page_is_whole(image, &page)))
      error = DB_VERIFY_BAD;
    for (uint32_t i = 0; !error && i < page.n; i += 2)
      error = check_hash_record(check, &page, i, bucket);
    if (error)
      return error;
    before = number;
    number = bdb_page_next(image, &page);
  } while (number != 0);
  return 0;
}

/* The place of a bucket that is still to be made. */
static int check_unmade_bucket(struct check *check, uint32_t bucket) {
  struct bdb_page page;
  uint32_t number = bdb_image_bucket_page(check->image, bucket);
  int error = take(check, number);
  if (error || bdb_page_is_blank(check->image, number))
    return error;
  return bdb_page_open(check->image, number, type_hash, &page) && page.n == 0 &&
                 bdb_page_next(check->image, &page) == 0
             ? 0
             : DB_VERIFY_BAD;
}

static int check_hash(struct check *check) {
  int error = 0;
  uint32_t bucket = 0;
  for (; !error && bucket <= check->image->max_bucket; bucket++)
    error = check_bucket(check, bucket);
  for (; !error && bucket <= check->image->high_mask; bucket++)
    error = check_unmade_bucket(check, bucket);
  return error;
}

/* ---- a btree -------------------------------------------------------------------------------- */

/* Keys rise, and none is before the branch's key that led to it. */
static int check_order(const struct check *check) {
  if (check->last.key.p && keyorder_compare(&check->last.key, &check->now.key) >= 0)
    return DB_VERIFY_BAD;
  if (check->floor.key.p && keyorder_compare(&check->floor.key, &check->now.key) > 0)
    return DB_VERIFY_BAD;
  return 0;
}

static int check_leaf_record(struct check *check, const struct bdb_page *page, uint32_t i) {
  struct bdb_item item;
  if (!bdb_leaf_item(check->image, page, i, &item))
    return DB_VERIFY_BAD;
  int error = read_item(check, &item, &check->now);
  if (!error)
    error = check_order(check);
  if (error)
    return error;
  exchange(&check->last, &check->now);
  return bdb_leaf_item(check->image, page, i + 1, &item) ? read_item(check, &item, &check->now)
                                                         : DB_VERIFY_BAD;
}

static int check_leaf(struct check *check, const struct bdb_page *page) {
  uint32_t number = bdb_u32(check->image, page->at + page_number);
  if (page->at[page_level] != 1 || bdb_page_previous(check->image, page) != check->leaf ||
      (check->leaf != 0 && check->next_leaf != number))
    return DB_VERIFY_BAD;
  check->leaf = number;
  check->next_leaf = bdb_page_next(check->image, page);
  int error = 0;
  for (uint32_t i = 0; !error && i < page->n; i += 2)
    error = check_leaf_record(check, page, i);
  return error;
}

/* The first key of a branch counts as lower than all, whatever it is. */
static int check_branch_key(struct check *check, const struct bdb_page *page, uint32_t i) {
  struct bdb_item item;
  if (!bdb_branch_item(check->image, page, i, &item))
    return DB_VERIFY_BAD;
  int error = read_item(check, &item, &check->now);
  if (error || i == 0)
    return error;
  error = check_order(check);
  exchange(&check->floor, &check->now);
  return error;
}

/* Levels count down to 1, so that this cannot go deep. */
static int check_subtree(struct check *check, uint32_t number, unsigned level) {
  struct bdb_page page;
  int error = take(check, number);
  if (error || !bdb_page_open(check->image, number, level == 1 ? type_leaf : type_branch, &page) ||
      !bdb_page_is_whole(check->image, &page))
    return DB_VERIFY_BAD;
  if (level == 1)
    return check_leaf(check, &page);
  if (page.at[page_level] != level || page.n == 0)
    return DB_VERIFY_BAD;
  for (uint32_t i = 0; !error && i < page.n; i++) {
    error = check_branch_key(check, &page, i);
    if (!error)
      error = check_subtree(check, bdb_branch_child(check->image, &page, i), level - 1);
  }
  return error;
}

static int check_btree(struct check *check) {
  const struct bdb_image *image = check->image;
  if (image->root == 0 || image->root >= image->pages ||
      bdb_u32(image, image->map + meta_least_keys) != least_keys_on_page)
    return DB_VERIFY_BAD;
  unsigned level = bdb_page_at(image, image->root)[page_level];
  int error = level == 0 ? DB_VERIFY_BAD : check_subtree(check, image->root, level);
  return error ? error : check->next_leaf == 0 ? 0 : DB_VERIFY_BAD;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int check_free_pages(struct check *check) {
  struct bdb_page page;
  uint32_t number = bdb_u32(check->image, check->image->map + meta_free);
  for (; number != 0; number = bdb_page_next(check->image, &page)) {
    int error = take(check, number);
    if (error)
      return error;
    page.at = bdb_page_at(check->image, number);
    if (page.at[page_type] != type_free || bdb_u32(check->image, page.at + page_number) != number)
      return DB_VERIFY_BAD;
  }
  return 0;
}

/* A page without a place was lost by a damaged link. */
static int check_other_pages(const struct check *check) {
  for (uint32_t i = 1; i < check->image->pages; i++)
    if (!check->taken[i] && !bdb_page_is_blank(check->image, i))
      return DB_VERIFY_BAD;
  return 0;
}

static int check_all(struct check *check) {
  int error = check->image->hash ? check_hash(check) : check_btree(check);
  if (!error)
    error = check_free_pages(check);
  if (!error)
    error = check_chain_uses(check);
  return error ? error : check_other_pages(check);
}

int bdb_image_check(const struct bdb_image *image) {
  struct check check = {.image = image,
                        .taken = calloc(image->pages, sizeof *check.taken),
                        .uses = calloc(image->pages, sizeof *check.uses)};
  int error = check.taken && check.uses ? check_all(&check) : ENOMEM;
  free(check.taken);
  free(check.uses);
  bdb_scratch_free(&check.last.own);
  bdb_scratch_free(&check.floor.own);
  bdb_scratch_free(&check.now.own);
  bdb_scratch_free(&check.found);
  return error;
}
