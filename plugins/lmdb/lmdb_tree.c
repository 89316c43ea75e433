/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_tree.c - reading the main database of a mapped LMDB file.
 *
 * Why not with the library: it maps the file and trusts it. A damaged page
 * makes it abort or read behind the map, which ends the process. Here each
 * page, and each entry of a page that is looked at, is checked first. The format
 * is that of LMDB 0.9 (MDB_DATA_VERSION 1), in the byte order and word size of
 * this machine, as for the library; files of another are refused.
 *
 * A file is a row of pages. The first two describe a state each; the one with
 * the higher transaction number is the newer. Pages of a tree begin with a
 * header, an array of offsets follows, and the entries fill the page from its
 * end. A page for a large value begins a run of pages.
 */
#include "lmdb_tree.h"

#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyorder.h"
#include "lmdb_page.h"

static const uint32_t magic = 0xBEEFC0DE, version = 1;

/* ---- states --------------------------------------------------------------------------------- */

static int check_meta_page(const struct lmdb_meta_page *page, size_t number) {
  const struct lmdb_meta *meta = &page->meta;
  if (!(page->header.flags & page_meta) || meta->magic != magic)
    return MDB_INVALID;
  if (meta->version != version)
    return MDB_VERSION_MISMATCH;
  /* Another order of the keys, or several values for one. */
  if (meta->main.flags != 0)
    return MDB_INCOMPATIBLE;
  bool sound = page->header.number == number && page->header.flags == page_meta &&
               (meta->free.flags & flags_of_order) == flag_numbers && meta->main.page_bytes == 0;
  return sound ? 0 : MDB_CORRUPTED;
}

static int read_meta_page(int fd, size_t page_bytes, size_t number, struct lmdb_meta_page *page) {
  ssize_t got = pread(fd, page, sizeof *page, (off_t)(number * page_bytes));
  if (got < 0)
    return errno;
  return got == (ssize_t)sizeof *page ? check_meta_page(page, number) : MDB_INVALID;
}

int lmdb_tree_check(int fd, size_t *page_bytes) {
  struct lmdb_meta_page first, second;
  int error = read_meta_page(fd, 0, 0, &first);
  if (error)
    return error;
  size_t bytes = first.meta.free.page_bytes;
  if (bytes < 256 || bytes > lmdb_largest_page || (bytes & (bytes - 1)) != 0)
    return MDB_CORRUPTED;
  error = read_meta_page(fd, bytes, 1, &second);
  if (!error && second.meta.free.page_bytes != bytes)
    error = MDB_CORRUPTED;
  *page_bytes = bytes;
  return error;
}

bool lmdb_tree_has_trace(int fd) {
  struct lmdb_meta_page page;
  if (pread(fd, &page, sizeof page, 0) == (ssize_t)sizeof page && page.meta.magic == magic)
    return true;
  for (off_t bytes = 256; bytes <= lmdb_largest_page; bytes *= 2)
    if (pread(fd, &page, sizeof page, bytes) == (ssize_t)sizeof page && page.meta.magic == magic)
      return true;
  return false;
}

static size_t transaction_at(const unsigned char *meta_page) {
  const struct lmdb_meta_page *page = (const void *)meta_page;
  return __atomic_load_n(&page->meta.transaction, __ATOMIC_ACQUIRE);
}

static void copy_newest(const unsigned char *map, size_t page_bytes, struct lmdb_meta_page *newest,
                        size_t *number) {
  *number = transaction_at(map + page_bytes) > transaction_at(map);
  memcpy(newest, map + *number * page_bytes, sizeof *newest);
}

/* A writer may be putting a newer state in the other place at this moment: what looks the same
 * twice is not half of it. */
static bool copy_settled(const unsigned char *map, size_t page_bytes, struct lmdb_meta_page *newest,
                         size_t *number) {
  struct lmdb_meta_page again;
  size_t number_again;
  copy_newest(map, page_bytes, newest, number);
  copy_newest(map, page_bytes, &again, &number_again);
  return *number == number_again && memcmp(newest, &again, sizeof again) == 0;
}

/* Do the counts of a database go with its depth? Then a damaged root is mostly found out. */
static bool is_shape_sound(const struct lmdb_database *database) {
  if (database->root == lmdb_no_page)
    return database->depth == 0 && database->entries == 0;
  if (database->depth == 1)
    return database->leaves == 1 && database->branches == 0 && database->entries > 0;
  return database->depth > 1 && database->depth <= lmdb_deepest_tree && database->leaves > 1 &&
         database->branches + 1 >= database->depth;
}

int lmdb_tree_load(struct lmdb_tree *tree, const void *map, size_t bytes, size_t page_bytes) {
  struct lmdb_meta_page newest;
  size_t number;
  if (bytes < 2 * page_bytes)
    return MDB_CORRUPTED;
  for (int tries = 0; !copy_settled(map, page_bytes, &newest, &number); tries++)
    if (tries == 1000)
      return MDB_CORRUPTED;
  int error = check_meta_page(&newest, number);
  if (error)
    return error;
  const struct lmdb_meta *meta = &newest.meta;
  if (meta->free.page_bytes != page_bytes || !is_shape_sound(&meta->main) ||
      !is_shape_sound(&meta->free) || meta->last_page < 1 || meta->last_page == lmdb_no_page)
    return MDB_CORRUPTED;
  *tree = (struct lmdb_tree){.map = map,
                             .page_bytes = page_bytes,
                             .newest = number,
                             .pages = meta->last_page + 1,
                             .root = meta->main.root,
                             .depth = meta->main.depth,
                             .transaction = meta->transaction};
  return tree->pages <= bytes / page_bytes ? 0 : MDB_MAP_RESIZED;
}

bool lmdb_tree_is_newest(const struct lmdb_tree *tree) {
  atomic_thread_fence(memory_order_acquire); /* what was looked at was looked at before */
  const size_t other = (1 - tree->newest) * tree->page_bytes;
  return transaction_at(tree->map + tree->newest * tree->page_bytes) == tree->transaction &&
         transaction_at(tree->map + other) < tree->transaction;
}

/* ---- searching ------------------------------------------------------------------------------ */

/* The page of a tree on a level counted from the root, with its number of entries. A leaf is looked
 * at as a whole: whatever is wrong with it could hide a key. */
static const unsigned char *tree_page(const struct lmdb_tree *tree, size_t number, size_t level,
                                      size_t *n) {
  bool leaf = level + 1 == tree->depth;
  const unsigned char *page = lmdb_page_at(tree, number, leaf ? page_leaf : page_branch);
  *n = page ? lmdb_page_entries(tree, page) : 0;
  if (leaf)
    return *n >= 1 && lmdb_page_is_sound(tree, page, false) ? page : NULL;
  return *n >= 2 ? page : NULL;
}

/* The first of entries from..n-1 whose key is not before @p key. @return -1 for a bad entry. */
static int search(const struct lmdb_tree *tree, const unsigned char *page, size_t from, size_t n,
                  const dictum_key *key, size_t *found, bool *exact) {
  size_t low = from, high = n;
  *exact = false;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    struct lmdb_entry entry;
    if (!lmdb_entry_at(tree, page, middle, &entry))
      return -1;
    int order = keyorder_compare(&entry.key, key);
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
    *exact |= order == 0;
  }
  *found = low;
  return 0;
}

/* Where a way down goes. */
enum way { to_first, to_last, to_key };

/* Which child of a branch leads there. The first entry's key counts as lower than all. */
static int choose_child(const struct lmdb_tree *tree, const unsigned char *page, size_t n,
                        enum way way, const dictum_key *key, size_t *child) {
  bool exact;
  *child = way == to_last ? n - 1 : 0;
  if (way != to_key)
    return 0;
  if (search(tree, page, 1, n, key, child, &exact) != 0)
    return -1;
  if (!exact)
    (*child)--;
  return 0;
}

/* Goes down from @p level to a leaf. */
static int descend(struct lmdb_walk *walk, size_t number, size_t level, enum way way,
                   const dictum_key *key) {
  const struct lmdb_tree *tree = walk->tree;
  for (;; level++) {
    size_t n, child = 0;
    struct lmdb_entry entry;
    const unsigned char *page = tree_page(tree, number, level, &n);
    if (!page)
      return MDB_CORRUPTED;
    walk->levels[level].page = page;
    walk->levels[level].n = n;
    walk->levels[level].at = 0;
    if (level + 1 == tree->depth)
      return 0;
    if (choose_child(tree, page, n, way, key, &child) != 0 ||
        !lmdb_entry_at(tree, page, child, &entry))
      return MDB_CORRUPTED;
    walk->levels[level].at = child;
    number = lmdb_entry_child(&entry);
  }
}

static int compare_entry(const struct lmdb_walk *walk, size_t level, size_t i,
                         const dictum_key *key, int *order) {
  struct lmdb_entry entry;
  if (!lmdb_entry_at(walk->tree, walk->levels[level].page, i, &entry))
    return MDB_CORRUPTED;
  *order = keyorder_compare(&entry.key, key);
  return 0;
}

/* The leaf before that of @p walk, or behind it. @return MDB_NOTFOUND: there is none. */
static int go_beside(struct lmdb_walk *walk, bool behind) {
  size_t level = walk->tree->depth - 1;
  struct lmdb_entry entry;
  do
    if (level-- == 0)
      return MDB_NOTFOUND;
  while (behind ? walk->levels[level].at + 1 == walk->levels[level].n
                : walk->levels[level].at == 0);
  walk->levels[level].at += behind ? 1 : (size_t)-1;
  if (!lmdb_entry_at(walk->tree, walk->levels[level].page, walk->levels[level].at, &entry))
    return MDB_CORRUPTED;
  return descend(walk, lmdb_entry_child(&entry), level + 1, behind ? to_first : to_last, NULL);
}

/* Is the whole leaf on the right side of the keys that led to it from this level? */
static bool is_within(const struct lmdb_walk *walk, size_t level) {
  const size_t leaf = walk->tree->depth - 1, last = walk->levels[leaf].n - 1;
  const size_t at = walk->levels[level].at, n = walk->levels[level].n;
  const unsigned char *page = walk->levels[level].page;
  struct lmdb_entry bound;
  int order;
  if (at > 0 && (!lmdb_entry_at(walk->tree, page, at, &bound) ||
                 compare_entry(walk, leaf, 0, &bound.key, &order) != 0 || order < 0))
    return false;
  return at + 1 == n || (lmdb_entry_at(walk->tree, page, at + 1, &bound) &&
                         compare_entry(walk, leaf, last, &bound.key, &order) == 0 && order < 0);
}

/* Are the branches sound, and is the leaf where each of them says? A wrong child may be right for
 * the level below. */
static bool is_leaf_in_place(const struct lmdb_walk *walk) {
  for (size_t level = walk->tree->depth - 1; level-- > 0;)
    if (!lmdb_page_is_sound(walk->tree, walk->levels[level].page, true) || !is_within(walk, level))
      return false;
  return true;
}

/* A key that would have to be the first of its leaf, or the last, may be missed because a damaged
 * branch led to the wrong leaf. Then that leaf is out of its place, or the key does not lie between
 * it and that beside it. */
static int confirm_miss(const struct lmdb_walk *walk, size_t at, const dictum_key *key) {
  size_t leaf = walk->tree->depth - 1;
  bool behind = at == walk->levels[leaf].n;
  int order;
  if (at != 0 && !behind)
    return MDB_NOTFOUND;
  if (!is_leaf_in_place(walk))
    return MDB_CORRUPTED;
  struct lmdb_walk beside = *walk;
  int error = go_beside(&beside, behind);
  if (!error)
    error = compare_entry(&beside, leaf, behind ? 0 : beside.levels[leaf].n - 1, key, &order);
  if (error)
    return error;
  return (behind ? order > 0 : order < 0) ? MDB_NOTFOUND : MDB_CORRUPTED;
}

/* Goes to the first entry of a leaf whose key is not before @p key, which may be behind its end. */
static int find_place(struct lmdb_walk *walk, const dictum_key *key, bool *exact) {
  const struct lmdb_tree *tree = walk->tree;
  size_t leaf = tree->depth - 1, at;
  if (descend(walk, tree->root, 0, to_key, key) != 0 ||
      search(tree, walk->levels[leaf].page, 0, walk->levels[leaf].n, key, &at, exact) != 0)
    return MDB_CORRUPTED;
  int error = *exact ? MDB_NOTFOUND : confirm_miss(walk, at, key);
  walk->levels[leaf].at = at;
  return error == MDB_NOTFOUND ? 0 : error;
}

static int take_value(const struct lmdb_tree *tree, const unsigned char *leaf, size_t at,
                      dictum_key *value) {
  struct lmdb_entry entry;
  bool sound = lmdb_entry_at(tree, leaf, at, &entry) && lmdb_entry_value(tree, &entry, value);
  return sound ? 0 : MDB_CORRUPTED;
}

/* Does @p key come behind entry @p before of the finger's leaf, and before entry @p after? Then it
 * is on no other leaf, and between them if anywhere. */
static bool is_between(const struct lmdb_tree *tree, const struct lmdb_finger *finger,
                       size_t before, size_t after, const dictum_key *key) {
  struct lmdb_entry entry;
  return after < finger->n && lmdb_entry_at(tree, finger->leaf, before, &entry) &&
         keyorder_compare(&entry.key, key) < 0 &&
         lmdb_entry_at(tree, finger->leaf, after, &entry) && keyorder_compare(key, &entry.key) < 0;
}

/* Is the answer just at the finger? */
static bool is_at(const struct lmdb_tree *tree, const struct lmdb_finger *finger,
                  const dictum_key *key, bool *exact) {
  struct lmdb_entry entry;
  if (!finger->leaf || finger->at >= finger->n ||
      !lmdb_entry_at(tree, finger->leaf, finger->at, &entry))
    return false;
  *exact = keyorder_compare(&entry.key, key) == 0;
  return *exact || (finger->at > 0 && is_between(tree, finger, finger->at - 1, finger->at, key));
}

/* Is it on the finger's leaf? */
static bool is_on(const struct lmdb_tree *tree, const struct lmdb_finger *finger,
                  const dictum_key *key) {
  return finger->leaf && is_between(tree, finger, 0, finger->n - 1, key);
}

static int find_from_root(const struct lmdb_tree *tree, struct lmdb_finger *finger,
                          const dictum_key *key, bool *exact) {
  struct lmdb_walk walk UNINITIALIZED;
  const size_t leaf = tree->depth - 1;
  walk.tree = tree;
  int error = find_place(&walk, key, exact);
  if (!error)
    *finger = (struct lmdb_finger){walk.levels[leaf].page, walk.levels[leaf].n,
                                   walk.levels[leaf].at};
  return error;
}

/* Puts the finger on it, or where it would have to be. */
static int find(const struct lmdb_tree *tree, struct lmdb_finger *finger, const dictum_key *key,
                bool *exact) {
  if (is_at(tree, finger, key, exact))
    return 0;
  if (!is_on(tree, finger, key))
    return find_from_root(tree, finger, key, exact);
  return search(tree, finger->leaf, 0, finger->n, key, &finger->at, exact) ? MDB_CORRUPTED : 0;
}

int lmdb_tree_find(const struct lmdb_tree *tree, struct lmdb_finger *finger, const dictum_key *key,
                   dictum_key *value) {
  bool exact;
  if (tree->depth == 0)
    return MDB_NOTFOUND;
  int error = find(tree, finger, key, &exact);
  if (error)
    return error;
  return exact ? take_value(tree, finger->leaf, finger->at, value) : MDB_NOTFOUND;
}

/* ---- walking -------------------------------------------------------------------------------- */

/* Moves to the next leaf when this one is used up. No lookup confirms what a walk finds: a branch
 * that lost its last entries would end it early. */
static int settle(struct lmdb_walk *walk) {
  size_t leaf = walk->tree->depth - 1;
  if (walk->levels[leaf].at < walk->levels[leaf].n)
    return 0;
  int error = go_beside(walk, true);
  return error ? error : is_leaf_in_place(walk) ? 0 : MDB_CORRUPTED;
}

int lmdb_walk_start(struct lmdb_walk *walk, const struct lmdb_tree *tree, const dictum_key *key) {
  bool exact;
  walk->tree = tree;
  if (tree->depth == 0)
    return MDB_NOTFOUND;
  int error = key ? find_place(walk, key, &exact) : descend(walk, tree->root, 0, to_first, NULL);
  if (error)
    return error;
  return is_leaf_in_place(walk) ? settle(walk) : MDB_CORRUPTED;
}

int lmdb_walk_next(struct lmdb_walk *walk) {
  walk->levels[walk->tree->depth - 1].at++;
  return settle(walk);
}

int lmdb_walk_get(const struct lmdb_walk *walk, dictum_key *key, dictum_key *value) {
  size_t leaf = walk->tree->depth - 1;
  struct lmdb_entry entry;
  if (!lmdb_entry_at(walk->tree, walk->levels[leaf].page, walk->levels[leaf].at, &entry) ||
      !lmdb_entry_value(walk->tree, &entry, value))
    return MDB_CORRUPTED;
  *key = entry.key;
  return 0;
}
