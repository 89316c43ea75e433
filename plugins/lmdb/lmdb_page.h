/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lmdb_page.h - the format of LMDB files: where things stand on a page.
 *
 * Shared by those who look something up (lmdb_tree.c) and those who look at all
 * of a file (lmdb_check.c). Every function answers only for what lies within the
 * map, whatever the bytes are.
 */
#ifndef DICTUM_PLUGINS_LMDB_PAGE_H
#define DICTUM_PLUGINS_LMDB_PAGE_H

#include <stdbool.h>
#include <string.h>

#include "lmdb_tree.h"

/* ---- the format ----------------------------------------------------------------------------- */

struct lmdb_page_header {
  size_t number;
  uint16_t unused, flags;
  union {
    struct {
      uint16_t lower, upper; /* the free room */
    };
    uint32_t run; /* page_overflow: how many pages */
  };
};

/* A kind, alone, is what stands in a file; other flags are for pages in memory. */
enum { page_branch = 1, page_leaf = 2, page_overflow = 4, page_meta = 8 };

/* Of a database: no kind of order but the usual, no other kind of entry. The first database, of
 * free pages, has numbers for keys; in its flags are those of the environment, too. */
enum { flags_of_order = 0x7f, flag_numbers = 8 };

static const size_t lmdb_no_page = (size_t)-1;

struct lmdb_database {
  uint32_t page_bytes; /* of the first database: the file's */
  uint16_t flags, depth;
  size_t branches, leaves, overflows, entries, root;
};

struct lmdb_meta {
  uint32_t magic, version;
  void *address;
  size_t map_bytes;
  struct lmdb_database free, main;
  size_t last_page, transaction;
};

struct lmdb_meta_page {
  struct lmdb_page_header header;
  struct lmdb_meta meta;
};

struct lmdb_entry_header {
  uint32_t size; /* leaf: of the value; branch: the lower bits of a page number */
  uint16_t flags, keylen;
};

enum { entry_is_large = 1 };

/* ---- pages ---------------------------------------------------------------------------------- */

/** Reads a number of a page once. Who reads without the lock may see it change, and what was
 * checked must be what is used. */
#define LMDB_LOAD(number) __atomic_load_n(&(number), __ATOMIC_RELAXED)

static inline const unsigned char *lmdb_page_at(const struct lmdb_tree *tree, size_t number,
                                                unsigned kind) {
  if (number < 2 || number >= tree->pages)
    return NULL;
  const unsigned char *page = tree->map + number * tree->page_bytes;
  const struct lmdb_page_header *header = (const void *)page;
  return header->number == number && header->flags == kind ? page : NULL;
}

/* How many entries a page of the tree has; 0 when that cannot be. */
static inline size_t lmdb_page_entries(const struct lmdb_tree *tree, const unsigned char *page) {
  const struct lmdb_page_header *header = (const void *)page;
  const uint16_t lower = LMDB_LOAD(header->lower), upper = LMDB_LOAD(header->upper);
  if (lower <= sizeof *header || lower % 2 != 0 || lower > upper || upper > tree->page_bytes)
    return 0;
  return (lower - sizeof *header) / sizeof(uint16_t);
}

/* ---- entries -------------------------------------------------------------------------------- */

struct lmdb_entry {
  struct lmdb_entry_header header;
  dictum_key key;
  size_t room; /* on its page, from the end of the key */
};

/* Where on its page an entry says that it is. */
static inline uint16_t lmdb_entry_offset(const unsigned char *page, size_t i) {
  uint16_t at;
  memcpy(&at, page + sizeof(struct lmdb_page_header) + i * sizeof at, sizeof at);
  return at;
}

static inline bool lmdb_entry_at(const struct lmdb_tree *tree, const unsigned char *page, size_t i,
                                 struct lmdb_entry *entry) {
  const uint16_t at = lmdb_entry_offset(page, i);
  if (at < sizeof(struct lmdb_page_header) || at > tree->page_bytes - sizeof entry->header)
    return false;
  memcpy(&entry->header, page + at, sizeof entry->header);
  size_t room = tree->page_bytes - at - sizeof entry->header;
  if (entry->header.keylen > room)
    return false;
  entry->key = (dictum_key){(const char *)page + at + sizeof entry->header, entry->header.keylen};
  entry->room = room - entry->header.keylen;
  return true;
}

static inline size_t lmdb_entry_child(const struct lmdb_entry *entry) {
  size_t number = entry->header.size;
  if (sizeof number > sizeof entry->header.size)
    number |= (size_t)entry->header.flags << 16 << 16;
  return number;
}

static inline bool lmdb_entry_large_value(const struct lmdb_tree *tree,
                                          const struct lmdb_entry *entry, dictum_key *value) {
  size_t number;
  if (entry->room < sizeof number)
    return false;
  memcpy(&number, entry->key.p + entry->key.n, sizeof number);
  const unsigned char *page = lmdb_page_at(tree, number, page_overflow);
  if (!page)
    return false;
  const struct lmdb_page_header *header = (const void *)page;
  const uint32_t run = LMDB_LOAD(header->run);
  if (run == 0 || run > tree->pages - number ||
      entry->header.size > run * tree->page_bytes - sizeof *header)
    return false;
  *value = (dictum_key){(const char *)page + sizeof *header, entry->header.size};
  return true;
}

static inline bool lmdb_entry_value(const struct lmdb_tree *tree, const struct lmdb_entry *entry,
                                    dictum_key *value) {
  if (entry->header.flags & ~(unsigned)entry_is_large)
    return false;
  if (entry->header.flags & entry_is_large)
    return lmdb_entry_large_value(tree, entry, value);
  *value = (dictum_key){entry->key.p + entry->key.n, entry->header.size};
  return entry->header.size <= entry->room;
}

/* How many bytes an entry takes up on its page. In a branch, what else is a size is a page. */
static inline size_t lmdb_entry_bytes(const struct lmdb_entry *entry, bool branch) {
  size_t bytes = sizeof entry->header + entry->key.n;
  if (!branch)
    bytes += entry->header.flags & entry_is_large ? sizeof(size_t) : entry->header.size;
  return bytes + (bytes & 1);
}

/* Do the entries of this page fill the room that is taken up, each byte once? */
bool lmdb_page_is_whole(const struct lmdb_tree *tree, const unsigned char *page, bool branch);
/* Do they, with keys that rise, or did they when they were looked at last? */
bool lmdb_page_is_sound(const struct lmdb_tree *tree, const unsigned char *page, bool branch);

#endif
