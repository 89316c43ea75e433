/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb_page.c - is all of a page of a Berkeley DB file accounted for? */
#include "bdb_page.h"

#include "keyorder.h"

enum { alignment = 4, largest_page = 65536 };

/* How many bytes an item of a btree takes up; 0 when it is not sound. */
static uint32_t size_of(const struct bdb_image *image, const struct bdb_page *page, uint32_t i,
                        bool branch) {
  struct bdb_item item;
  uint32_t size = 0;
  if (branch && bdb_branch_item(image, page, i, &item))
    size = branch_content + item.n;
  else if (!branch && bdb_leaf_item(image, page, i, &item))
    size = item.chain ? chain_bytes : leaf_content + item.n;
  return (size + alignment - 1) / alignment * alignment;
}

/* Where items begin, a bit for each place that they may. */
struct starts {
  uint64_t bits[largest_page / alignment / 64];
};

static bool is_start(const struct starts *starts, uint32_t offset) {
  return starts->bits[offset / alignment / 64] >> (offset / alignment % 64) & 1;
}

static bool add_start(struct starts *starts, uint32_t offset, uint32_t page_bytes) {
  if (offset >= page_bytes || offset % alignment != 0 || is_start(starts, offset))
    return false;
  starts->bits[offset / alignment / 64] |= UINT64_C(1) << (offset / alignment % 64);
  return true;
}

/* Every item of a btree begins where no other does and ends where another begins, or the page does,
 * and together they are as large as the room taken up: so they fill it without a gap. */
static bool is_sorted_page_whole(const struct bdb_image *image, const struct bdb_page *page,
                                 bool branch) {
  struct starts starts UNINITIALIZED;
  uint32_t taken = 0, lowest = bdb_u16(image, page->at + page_lowest);
  if (page->n == 0)
    return lowest == (image->page_bytes & 0xffff);
  memset(&starts, 0, image->page_bytes / alignment / 8);
  for (uint32_t i = 0; i < page->n; i++)
    if (!add_start(&starts, bdb_u16(image, page->at + page_content + 2 * i), image->page_bytes))
      return false;
  for (uint32_t i = 0; i < page->n; i++) {
    uint32_t size = size_of(image, page, i, branch);
    uint32_t end = bdb_u16(image, page->at + page_content + 2 * i) + size;
    if (size == 0 || end > image->page_bytes ||
        (end < image->page_bytes && !is_start(&starts, end)))
      return false;
    taken += size;
  }
  return taken == image->page_bytes - lowest;
}

static bool is_hash_page_whole(const struct bdb_image *image, const struct bdb_page *page) {
  struct bdb_item item;
  for (uint32_t i = 0; i < page->n; i++)
    if (!bdb_hash_item(image, page, i, &item))
      return false;
  return bdb_hash_page_ends(image, page);
}

/* Keys in chains would have to be gathered; those beside them are compared as neighbours. */
static bool is_leaf_in_order(const struct bdb_image *image, const struct bdb_page *page) {
  dictum_key before = {0};
  bool first = true;
  for (uint32_t i = 0; i < page->n; i += 2) {
    struct bdb_item item;
    if (!bdb_leaf_item(image, page, i, &item))
      return false;
    if (item.chain)
      continue;
    const dictum_key key = {(const char *)item.bytes, item.n};
    if (!first && keyorder_compare(&before, &key) >= 0)
      return false;
    before = key;
    first = false;
  }
  return true;
}

/* A key in a chain is compared by another rule, so with one of those there is no order to go by. */
static bool is_hash_page_sorted(const struct bdb_image *image, const struct bdb_page *page) {
  dictum_key before = {0};
  if (page->at[page_type] != type_hash)
    return false;
  for (uint32_t i = 0; i + 1 < page->n; i += 2) {
    struct bdb_item item;
    if (!bdb_hash_item(image, page, i, &item) || item.chain)
      return false;
    const dictum_key key = {(const char *)item.bytes, item.n};
    if (i > 0 && bdb_hash_order(&before, &key) >= 0)
      return false;
    before = key;
  }
  return true;
}

bool bdb_page_is_whole(const struct bdb_image *image, const struct bdb_page *page) {
  if (image->hash)
    return is_hash_page_whole(image, page);
  bool branch = page->at[page_type] == type_branch;
  return (branch || page->n % 2 == 0) && is_sorted_page_whole(image, page, branch);
}

bool bdb_page_is_sound(const struct bdb_image *image, const struct bdb_page *page) {
  const uint32_t number = bdb_page_number(image, page);
  if (pageset_has(image->sound, number))
    return true;
  if (!bdb_page_is_whole(image, page) || (!image->hash && !is_leaf_in_order(image, page)))
    return false;
  pageset_add(image->sound, number);
  if (image->sorted && image->hash && is_hash_page_sorted(image, page))
    pageset_add(image->sorted, number);
  return true;
}
