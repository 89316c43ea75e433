/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_check.c - is all of an LMDB file sound?
 *
 * A lookup checks what it looks at. The library, when it changes a file, trusts
 * all of it: it splits and joins pages, moves entries by their lengths, and takes
 * pages from the database of free ones. So before a file is given to it, every
 * page of the newest state is visited, and must belong to one place only.
 */
#include <errno.h>
#include <lmdb.h>
#include <stdlib.h>

#include "keyorder.h"
#include "lmdb_page.h"

enum { longest_key = 511 };

struct check {
  struct lmdb_tree tree; /* of the database at hand */
  const struct lmdb_meta *meta;
  unsigned char *taken; /* for each page: it has its place */
  bool is_free;         /* the database of free pages */
  dictum_key last;      /* the highest key so far; p is NULL: none */
  dictum_key floor;     /* what the following keys are not before */
  struct lmdb_database found;
};

static int take(struct check *check, size_t number) {
  if (number < 2 || number >= check->tree.pages || check->taken[number])
    return MDB_CORRUPTED;
  check->taken[number] = 1;
  return 0;
}

static size_t number_of(const dictum_key *key) {
  size_t number;
  memcpy(&number, key->p, sizeof number);
  return number;
}

/* Free pages are kept under numbers, which are compared as such. */
static int compare(const struct check *check, const dictum_key *a, const dictum_key *b) {
  if (!check->is_free)
    return keyorder_compare(a, b);
  size_t left = number_of(a), right = number_of(b);
  return left < right ? -1 : left > right;
}

static bool is_key_sound(const struct check *check, const dictum_key *key) {
  if (check->is_free ? key->n != sizeof(size_t) : key->n == 0 || key->n > longest_key)
    return false;
  return (!check->last.p || compare(check, &check->last, key) < 0) &&
         (!check->floor.p || compare(check, &check->floor, key) <= 0);
}

/* ---- values --------------------------------------------------------------------------------- */

/* Two entries and more must find room on a page. */
static bool may_be_on_page(const struct check *check, const struct lmdb_entry *entry) {
  size_t room = check->tree.page_bytes - sizeof(struct lmdb_page_header);
  size_t most = (room / 2 & ~(size_t)1) - sizeof(uint16_t);
  return sizeof entry->header + entry->key.n + entry->header.size <= most;
}

static int take_large_value(struct check *check, const struct lmdb_entry *entry) {
  size_t number;
  memcpy(&number, entry->key.p + entry->key.n, sizeof number);
  const struct lmdb_page_header *header = (const void *)(check->tree.map +
                                                         number * check->tree.page_bytes);
  int error = 0;
  for (uint32_t i = 0; !error && i < header->run; i++)
    error = take(check, number + i);
  check->found.overflows += header->run;
  return error;
}

/* A list of free pages: how many, and their numbers, falling. */
static int take_free_pages(struct check *check, const dictum_key *value) {
  size_t n, before = check->tree.pages;
  if (value->n < sizeof n)
    return MDB_CORRUPTED;
  memcpy(&n, value->p, sizeof n);
  if (n > value->n / sizeof n - 1)
    return MDB_CORRUPTED;
  for (size_t i = 1; i <= n; i++) {
    size_t number;
    memcpy(&number, value->p + i * sizeof number, sizeof number);
    if (number >= before || take(check, number) != 0)
      return MDB_CORRUPTED;
    before = number;
  }
  return 0;
}

static int check_record(struct check *check, const struct lmdb_entry *entry) {
  dictum_key value;
  if (!is_key_sound(check, &entry->key) || !lmdb_entry_value(&check->tree, entry, &value))
    return MDB_CORRUPTED;
  check->last = entry->key;
  check->found.entries++;
  int error = 0;
  if (entry->header.flags & entry_is_large)
    error = take_large_value(check, entry);
  else if (!may_be_on_page(check, entry))
    error = MDB_CORRUPTED;
  if (!error && check->is_free)
    error = number_of(&entry->key) <= check->meta->transaction ? take_free_pages(check, &value)
                                                               : MDB_CORRUPTED;
  return error;
}

/* ---- trees ---------------------------------------------------------------------------------- */

static int check_subtree(struct check *check, size_t number, size_t depth);

/* The first key of a branch counts as lower than all, whatever it is. */
static int check_child(struct check *check, const struct lmdb_entry *entry, bool is_first,
                       size_t depth) {
  if (entry->key.n > longest_key || (!is_first && !is_key_sound(check, &entry->key)))
    return MDB_CORRUPTED;
  if (!is_first)
    check->floor = entry->key;
  return check_subtree(check, lmdb_entry_child(entry), depth - 1);
}

static int check_subtree(struct check *check, size_t number, size_t depth) {
  bool leaf = depth == 1;
  struct lmdb_entry entry;
  const unsigned char *page = lmdb_page_at(&check->tree, number, leaf ? page_leaf : page_branch);
  size_t n = page ? lmdb_page_entries(&check->tree, page) : 0;
  if (take(check, number) != 0 || n < (leaf ? 1 : 2) ||
      !lmdb_page_is_whole(&check->tree, page, !leaf))
    return MDB_CORRUPTED;
  *(leaf ? &check->found.leaves : &check->found.branches) += 1;
  int error = 0;
  for (size_t i = 0; !error && i < n; i++) {
    if (!lmdb_entry_at(&check->tree, page, i, &entry))
      return MDB_CORRUPTED;
    error = leaf ? check_record(check, &entry) : check_child(check, &entry, i == 0, depth);
  }
  return error;
}

static int check_database(struct check *check, const struct lmdb_database *told) {
  check->last = check->floor = (dictum_key){NULL, 0};
  check->found = (struct lmdb_database){0};
  check->is_free = told == &check->meta->free;
  int error = told->root == lmdb_no_page ? 0 : check_subtree(check, told->root, told->depth);
  if (error)
    return error;
  const struct lmdb_database *found = &check->found;
  return found->branches == told->branches && found->leaves == told->leaves &&
                 found->overflows == told->overflows && found->entries == told->entries
             ? 0
             : MDB_CORRUPTED;
}

int lmdb_tree_check_all(const struct lmdb_tree *tree) {
  const struct lmdb_meta_page *newest = (const void *)(tree->map + tree->newest * tree->page_bytes);
  struct check check = {.tree = *tree, .meta = &newest->meta, .taken = calloc(tree->pages, 1)};
  if (!check.taken)
    return ENOMEM;
  int error = check_database(&check, &check.meta->main);
  if (!error)
    error = check_database(&check, &check.meta->free);
  if (!error && check.meta->transaction > SIZE_MAX / 2)
    error = MDB_CORRUPTED;
  free(check.taken);
  return error;
}
