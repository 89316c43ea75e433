/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_tree.h - reading the main database of a mapped LMDB file.
 *
 * Nothing in the file is trusted: whatever its bytes are, nothing outside of
 * the map is looked at. A walk ends if it is given up when a key does not rise.
 */
#ifndef DICTUM_PLUGINS_LMDB_TREE_H
#define DICTUM_PLUGINS_LMDB_TREE_H

#include <dictum_plugin.h>
#include <stdbool.h>
#include <sys/types.h>

#include "pageset.h"

/** One state of a file, as one of its two meta pages describes it. */
struct lmdb_tree {
  const unsigned char *map;
  size_t page_bytes;
  size_t newest; /**< which meta page */
  size_t pages;  /**< how many there are of this state; all are mapped */
  size_t root;   /**< page number */
  size_t depth;  /**< levels, leaves included; 0: empty */
  size_t transaction;
  struct pageset *sound; /**< pages of this state that need not be looked at; NULL: none */
};

enum { lmdb_deepest_tree = 32, lmdb_largest_page = 32768 };

/** Looks whether @p fd is a file of LMDB's, and of a kind that we and Postfix use.
 * @return 0, an errno or an error of LMDB's. */
int lmdb_tree_check(int fd, size_t *page_bytes);
/** Looks whether @p fd has any trace of a file of LMDB's, which may be damaged. */
bool lmdb_tree_has_trace(int fd);

/** Finds the newest state. @p map holds @p bytes of a file that passed lmdb_tree_check().
 * `sound` of the tree is left NULL.
 * @return 0; MDB_CORRUPTED; MDB_MAP_RESIZED when the state has pages behind the map's end. */
int lmdb_tree_load(struct lmdb_tree *tree, const void *map, size_t bytes, size_t page_bytes);

/** Is the state still the newest? Until then no writer has touched its pages: one that writes the
 * next state writes on other pages, and only when that is in the file may they be used again.
 * So if this holds after a look at some pages, they were what they seemed. */
bool lmdb_tree_is_newest(const struct lmdb_tree *tree);

/** Looks at all of the newest state, before the library is let to change it: every page belongs to
 * one place, every link, order and count is right. The map is that of @p tree.
 * @return 0; MDB_CORRUPTED; ENOMEM. */
int lmdb_tree_check_all(const struct lmdb_tree *tree);

/** Where a search ended, or another may end: the next one begins there. Starts as {0}; good as long
 * as the state is not loaded anew. A wrong one only costs time. */
struct lmdb_finger {
  const unsigned char *leaf; /**< a sound one */
  size_t n;                  /**< of its entries */
  size_t at;                 /**< at most n */
};

/** Finds where searches for these keys will probably end, and has the processor fetch what they
 * need (probes.h).
 * @param n  at most tablefile_fetched */
void lmdb_tree_fetch(const struct lmdb_tree *tree, const dictum_key *keys, size_t n,
                     struct lmdb_finger *fingers);

/** Looks up the bytes @p key. *value points into the map.
 * @return 0; MDB_NOTFOUND; MDB_CORRUPTED. */
int lmdb_tree_find(const struct lmdb_tree *tree, struct lmdb_finger *finger, const dictum_key *key,
                   dictum_key *value);

/** A place in the order of the records. */
struct lmdb_walk {
  const struct lmdb_tree *tree;
  struct {
    const unsigned char *page;
    size_t at, n; /**< which of its n entries */
  } levels[lmdb_deepest_tree];
};

/** Goes to the first record whose key is not before @p key; with NULL, to the first of all.
 * @return 0; MDB_NOTFOUND: there is none; MDB_CORRUPTED. */
int lmdb_walk_start(struct lmdb_walk *walk, const struct lmdb_tree *tree, const dictum_key *key);
/** Goes on to the next record. @return as before. */
int lmdb_walk_next(struct lmdb_walk *walk);
/** The record at this place; it points into the map. @return 0; MDB_CORRUPTED. */
int lmdb_walk_get(const struct lmdb_walk *walk, dictum_key *key, dictum_key *value);

#endif
