/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_page.h - the format of Berkeley DB files: where things stand on a page.
 *
 * Shared by those who look something up (bdb_image.c) and those who look at all
 * of a file (bdb_check.c). Every function answers only for what lies within the
 * page, whatever the bytes are.
 */
#ifndef DICTUM_PLUGINS_BDB_PAGE_H
#define DICTUM_PLUGINS_BDB_PAGE_H

#include <string.h>

#include "bdb_image.h"

/* Where things stand on the first page. */
enum {
  meta_magic = 12,
  meta_version = 16,
  meta_page_bytes = 20,
  meta_encryption = 24,
  meta_type = 25,
  meta_options = 26,
  meta_free = 28,
  meta_last_page = 32,
  meta_flags = 48,
  meta_identity = 52, /* 20 bytes */
  meta_max_bucket = 72,
  meta_high_mask = 76,
  meta_low_mask = 80,
  meta_fill_factor = 84,
  meta_padding = 84,    /* of a btree, though only other kinds use it */
  meta_records = 88,    /* of a hash: an estimate */
  meta_least_keys = 76, /* of a btree: on a page */
  meta_root = 88,
  meta_test_hash = 92,
  meta_spares = 96,
  meta_bytes = 512
};

enum { magic_btree = 0x053162, magic_hash = 0x061561 };

/* Where things stand on any page. Items fill it from its end down to page_lowest. */
enum {
  page_number = 8,
  page_previous = 12,
  page_next = 16,
  page_items = 20, /* how many; of a chain: how often it is referred to */
  page_lowest = 22,
  page_used = 22, /* of a chain: how many bytes */
  page_level = 24,
  page_type = 25,
  page_content = 26
};
enum {
  type_free = 0,
  type_hash_unsorted = 2,
  type_branch = 3,
  type_leaf = 5,
  type_chain = 7,
  type_hash_meta = 8,
  type_btree_meta = 9,
  type_hash = 13
};

/* Items. A chain is described by twelve bytes: a type, its first page, its length. */
enum { item_here = 1, item_chain = 3, item_deleted = 0x80 };
enum { chain_first = 4, chain_length = 8, chain_bytes = 12 };
enum { leaf_type = 2, leaf_content = 3 };
enum { branch_page = 4, branch_content = 12 };

static inline uint32_t bdb_u32(const struct bdb_image *image, const unsigned char *at) {
  uint32_t number;
  memcpy(&number, at, sizeof number);
  return image->swapped ? __builtin_bswap32(number) : number;
}

static inline uint16_t bdb_u16(const struct bdb_image *image, const unsigned char *at) {
  uint16_t number;
  memcpy(&number, at, sizeof number);
  return image->swapped ? __builtin_bswap16(number) : number;
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* One page, found sound as far as its header goes. */
struct bdb_page {
  const unsigned char *at;
  uint32_t n; /* items */
};

/* One that the file has. @return NULL when it cannot be read, which no page of a map is. */
static inline const unsigned char *bdb_page_at(const struct bdb_image *image, uint32_t number) {
  if (image->frames)
    return bdb_frames_get(image->frames, number);
  return image->map + (size_t)number * image->page_bytes;
}

static inline uint32_t bdb_page_next(const struct bdb_image *image, const struct bdb_page *page) {
  return bdb_u32(image, page->at + page_next);
}

static inline uint32_t bdb_page_previous(const struct bdb_image *image,
                                         const struct bdb_page *page) {
  return bdb_u32(image, page->at + page_previous);
}

/* Are there as many items as the room that is taken up says? */
static inline bool bdb_page_has_room(const struct bdb_image *image, const struct bdb_page *page) {
  uint32_t lowest = bdb_u16(image, page->at + page_lowest);
  if (lowest == 0 && page->n == 0 && image->page_bytes == 65536)
    return true; /* the end does not fit in the number */
  return lowest >= page_content + 2 * page->n && lowest <= image->page_bytes;
}

static inline bool bdb_page_open(const struct bdb_image *image, uint32_t number, unsigned wanted,
                                 struct bdb_page *page) {
  if (number == 0 || number >= image->pages)
    return false;
  page->at = bdb_page_at(image, number);
  if (!page->at)
    return false;
  page->n = bdb_u16(image, page->at + page_items);
  unsigned type = page->at[page_type];
  if (type == type_hash_unsorted && image->hash)
    type = type_hash;
  if (bdb_u32(image, page->at + page_number) != number || type != wanted)
    return false;
  return wanted == type_chain || bdb_page_has_room(image, page);
}

/* Do the items of a hash's page, each sound, end where the page says? */
static inline bool bdb_hash_page_ends(const struct bdb_image *image, const struct bdb_page *page) {
  uint32_t lowest = bdb_u16(image, page->at + page_lowest);
  if (page->n == 0)
    return lowest == (image->page_bytes & 0xffff);
  return page->n % 2 == 0 && bdb_u16(image, page->at + page_content + 2 * (page->n - 1)) == lowest;
}

static inline uint32_t bdb_page_number(const struct bdb_image *image, const struct bdb_page *page) {
  return bdb_u32(image, page->at + page_number);
}

/* Do the items of this page fill the room that is taken up, each byte once? */
bool bdb_page_is_whole(const struct bdb_image *image, const struct bdb_page *page);
/* Do they, with keys that rise on a leaf, or did they when they were looked at last? Not for
 * branches. */
bool bdb_page_is_sound(const struct bdb_image *image, const struct bdb_page *page);
/* Were the keys of this page of a hash, which is sound, seen to be in order? */
static inline bool bdb_page_is_sorted(const struct bdb_image *image, const struct bdb_page *page) {
  return pageset_has(image->sorted, bdb_page_number(image, page));
}

/* The order of keys on a page of a hash: by their bytes, and of two with the same beginning the
 * longer comes first. @return as memcmp() */
static inline int bdb_hash_order(const dictum_key *a, const dictum_key *b) {
  const size_t n = a->n < b->n ? a->n : b->n;
  const int order = n ? memcmp(a->p, b->p, n) : 0;
  return order ? order : (a->n < b->n) - (a->n > b->n);
}

/* The first page of a bucket that nothing was ever put in may be all zero. */
static inline bool bdb_page_is_blank(const struct bdb_image *image, uint32_t number) {
  static const unsigned char zero[page_content];
  const unsigned char *page = number != 0 && number < image->pages ? bdb_page_at(image, number)
                                                                   : NULL;
  return page && memcmp(page, zero, sizeof zero) == 0;
}

/* ---- items ---------------------------------------------------------------------------------- */

/* An item of any kind of page: bytes here, or a description of a chain. */
struct bdb_item {
  const unsigned char *bytes;
  uint32_t n;
  bool chain, deleted;
};

/* Where item @p i begins; 0 when that cannot be, or when @p bytes from there are not on the page.
 */
static inline uint32_t bdb_item_offset(const struct bdb_image *image, const struct bdb_page *page,
                                       uint32_t i, uint32_t bytes) {
  if (i >= page->n)
    return 0;
  uint32_t offset = bdb_u16(image, page->at + page_content + 2 * i);
  return offset >= page_content + 2 * page->n && offset + bytes <= image->page_bytes ? offset : 0;
}

/* How many bytes an item of a hash takes up, which ends where the one before begins; 0 when that
 * cannot be. */
static inline uint32_t bdb_hash_item_bytes(const struct bdb_image *image,
                                           const struct bdb_page *page, uint32_t i) {
  uint32_t begin = bdb_item_offset(image, page, i, 1);
  uint32_t end = i == 0 ? image->page_bytes : bdb_item_offset(image, page, i - 1, 1);
  return begin == 0 || end <= begin ? 0 : end - begin;
}

static inline bool bdb_hash_item(const struct bdb_image *image, const struct bdb_page *page,
                                 uint32_t i, struct bdb_item *item) {
  const uint32_t bytes = bdb_hash_item_bytes(image, page, i);
  if (bytes == 0)
    return false;
  const unsigned char *begin = page->at + bdb_item_offset(image, page, i, 1);
  unsigned type = *begin;
  *item = (struct bdb_item){.bytes = begin, .n = bytes};
  item->chain = type == item_chain;
  if (item->chain)
    return item->n == chain_bytes;
  item->bytes++;
  item->n--;
  return type == item_here;
}

static inline bool bdb_leaf_item(const struct bdb_image *image, const struct bdb_page *page,
                                 uint32_t i, struct bdb_item *item) {
  uint32_t begin = bdb_item_offset(image, page, i, leaf_content);
  if (begin == 0)
    return false;
  unsigned type = page->at[begin + leaf_type];
  item->deleted = type & item_deleted;
  type &= ~(unsigned)item_deleted;
  item->chain = type == item_chain;
  item->n = item->chain ? chain_bytes : bdb_u16(image, page->at + begin);
  item->bytes = page->at + begin + (item->chain ? 0 : leaf_content);
  if (item->chain)
    return begin + chain_bytes <= image->page_bytes;
  return type == item_here && begin + leaf_content + item->n <= image->page_bytes;
}

/* The key of a branch's entry. */
static inline bool bdb_branch_item(const struct bdb_image *image, const struct bdb_page *page,
                                   uint32_t i, struct bdb_item *item) {
  uint32_t begin = bdb_item_offset(image, page, i, branch_content);
  if (begin == 0)
    return false;
  unsigned type = page->at[begin + leaf_type] & ~(unsigned)item_deleted;
  *item = (struct bdb_item){.bytes = page->at + begin + branch_content,
                            .n = bdb_u16(image, page->at + begin),
                            .chain = type == item_chain};
  return (type == item_here || (item->chain && item->n == chain_bytes)) &&
         begin + branch_content + item->n <= image->page_bytes;
}

/* What an item holds: bytes of the page or, gathered in @p scratch, of a chain.
 * @return 0; DB_VERIFY_BAD; ENOMEM. */
int bdb_item_content(const struct bdb_image *image, const struct bdb_item *item, dictum_key *out,
                     struct bdb_scratch *scratch);

/* The page that a branch's entry leads to; 0 when that cannot be. */
static inline uint32_t bdb_branch_child(const struct bdb_image *image, const struct bdb_page *page,
                                        uint32_t i) {
  uint32_t begin = bdb_item_offset(image, page, i, branch_content);
  return begin == 0 ? 0 : bdb_u32(image, page->at + begin + branch_page);
}

/* ---- bdb_hash.c: a hash --------------------------------------------------------------------- */

/* Is this a page of that bucket, behind page @p before of it? The first key tells, for a damaged
 * first page of the file leads to wrong places. */
bool bdb_page_is_of_bucket(const struct bdb_image *image, const struct bdb_page *page,
                           uint32_t bucket, uint32_t before);
/* bdb_image_find() of a hash. */
int bdb_find_in_hash(const struct bdb_image *image, struct bdb_finger *finger,
                     const dictum_key *key, dictum_key *value, struct bdb_scratch *scratch);

#endif
