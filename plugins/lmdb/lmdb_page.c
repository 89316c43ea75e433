/* SPDX-License-Identifier: BSD-2-Clause */
/* lmdb_page.c - is all of a page of an LMDB file accounted for? */
#include "lmdb_page.h"

#include "keyorder.h"

enum { alignment = 2 };

/* Where entries begin, a bit for each place that they may. */
struct starts {
  uint64_t bits[lmdb_largest_page / alignment / 64];
};

static bool is_start(const struct starts *starts, size_t offset) {
  return starts->bits[offset / alignment / 64] >> (offset / alignment % 64) & 1;
}

static bool add_start(struct starts *starts, size_t offset, size_t page_bytes) {
  if (offset >= page_bytes || offset % alignment != 0 || is_start(starts, offset))
    return false;
  starts->bits[offset / alignment / 64] |= UINT64_C(1) << (offset / alignment % 64);
  return true;
}

/* Every entry begins where no other does and ends where another begins, or the page does, and
 * together they are as large as the room taken up: so they fill it without a gap. */
bool lmdb_page_is_whole(const struct lmdb_tree *tree, const unsigned char *page, bool branch) {
  const struct lmdb_page_header *header = (const void *)page;
  size_t n = lmdb_page_entries(tree, page), taken = 0;
  struct starts starts UNINITIALIZED;
  memset(&starts, 0, tree->page_bytes / alignment / 8);
  for (size_t i = 0; i < n; i++)
    if (!add_start(&starts, lmdb_entry_offset(page, i), tree->page_bytes))
      return false;
  for (size_t i = 0; i < n; i++) {
    struct lmdb_entry entry;
    if (!lmdb_entry_at(tree, page, i, &entry))
      return false;
    size_t bytes = lmdb_entry_bytes(&entry, branch), end = lmdb_entry_offset(page, i) + bytes;
    if (end > tree->page_bytes || (end < tree->page_bytes && !is_start(&starts, end)))
      return false;
    taken += bytes;
  }
  return taken == tree->page_bytes - header->upper;
}

/* The key of a branch's first entry does not count. */
static bool is_in_order(const struct lmdb_tree *tree, const unsigned char *page, bool branch) {
  const size_t n = lmdb_page_entries(tree, page);
  dictum_key before = {0};
  for (size_t i = branch; i < n; i++) {
    struct lmdb_entry entry;
    if (!lmdb_entry_at(tree, page, i, &entry) ||
        (i > branch && keyorder_compare(&before, &entry.key) >= 0))
      return false;
    before = entry.key;
  }
  return true;
}

bool lmdb_page_is_sound(const struct lmdb_tree *tree, const unsigned char *page, bool branch) {
  const struct lmdb_page_header *header = (const void *)page;
  if (pageset_has(tree->sound, header->number))
    return true;
  if (!lmdb_page_is_whole(tree, page, branch) || !is_in_order(tree, page, branch))
    return false;
  pageset_add(tree->sound, header->number);
  return true;
}
