/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_write_btree.c - writes a new btree, page by page, as Berkeley DB would leave it.
 *
 * Records come in order, so each page of a level is full before the next is
 * begun. Of a page that is full, the level above gets its number, and the least
 * bytes that tell its first key from the last one before. The root is page 1,
 * and becomes known at the end.
 */
#include <errno.h>
#include <stdlib.h>

#include "bdb_pages.h"
#include "bdb_write.h"

enum {
  root = 1,
  largest_item = 1007, /* of two records on a page, none takes more; else it goes to a chain */
  most_levels = 40,    /* three entries a page at least, and pages have numbers of 32 bits */
  alignment = 4
};

/* Bytes that are kept. */
struct kept {
  char *p;
  size_t n, room;
};

/* The page of a level that is under way. */
struct level {
  struct kept first; /* what the level above calls it */
  unsigned n, lowest;
  unsigned char page[bdb_page_bytes];
};

struct writer {
  struct bdb_pages pages;
  struct level *levels[most_levels]; /* [0]: the leaves */
  unsigned nlevels;
  uint32_t leaf, previous; /* the leaf under way; 0: has no number yet */
  struct kept last;        /* the last key, if it is not on the leaf's page */
  struct kept now;         /* the next one */
};

/* @p nul: with a NUL byte behind. */
static int keep(struct kept *kept, const char *p, size_t n, bool nul) {
  if (n + nul > kept->room) {
    char *larger = realloc(kept->p, n + nul);
    if (!larger)
      return ENOMEM;
    kept->p = larger;
    kept->room = n + nul;
  }
  if (n > 0)
    memcpy(kept->p, p, n);
  if (nul)
    kept->p[n] = '\0';
  kept->n = n + nul;
  return 0;
}

/* ---- items ---------------------------------------------------------------------------------- */

static unsigned aligned(size_t n) {
  return (unsigned)((n + alignment - 1) & ~(size_t)(alignment - 1));
}

static bool has_room(const struct level *level, unsigned items, unsigned bytes) {
  return page_content + 2 * (level->n + items) + bytes <= level->lowest;
}

/* Room for the next item of a page, of zeros. */
static unsigned char *next_item(struct level *level, unsigned size) {
  level->lowest -= size;
  bdb_set_u16(level->page + page_content + 2 * level->n++, level->lowest);
  return level->page + level->lowest;
}

static void begin_page(struct level *level) {
  memset(level->page, 0, bdb_page_bytes);
  level->n = 0;
  level->lowest = bdb_page_bytes;
}

static void set_header(struct level *level, uint32_t number, unsigned height) {
  bdb_page_begin(level->page, number, height == 0 ? type_leaf : type_branch, height + 1);
  bdb_set_u16(level->page + page_items, level->n);
  bdb_set_u16(level->page + page_lowest, level->lowest);
}

static int describe_chain(struct writer *w, unsigned char *at, const dictum_key *bytes, bool nul) {
  uint32_t first;
  int error = bdb_pages_write_chain(&w->pages, bytes, nul, &first);
  at[leaf_type] = item_chain;
  bdb_set_u32(at + chain_first, first);
  bdb_set_u32(at + chain_length, (uint32_t)(bytes->n + nul));
  return error;
}

/* ---- branches ------------------------------------------------------------------------------- */

static int add_level(struct writer *w) {
  if (w->nlevels == most_levels)
    return EFBIG;
  struct level *level = calloc(1, sizeof *level);
  if (!level)
    return ENOMEM;
  begin_page(level);
  w->levels[w->nlevels++] = level;
  return 0;
}

static int add_branch(struct writer *w, unsigned height, const struct kept *key, uint32_t child);

/* Writes the page of a level that is full, or the last one, and tells the level above. */
static int close_branch(struct writer *w, unsigned height) {
  struct level *level = w->levels[height];
  uint32_t number;
  int error = bdb_pages_take(&w->pages, &number);
  if (error)
    return error;
  set_header(level, number, height);
  error = bdb_pages_write(&w->pages, number, level->page);
  if (!error)
    error = add_branch(w, height + 1, &level->first, number);
  begin_page(level);
  return error;
}

/* A page as one entry of a branch. Of the first pages of all, the key does not count and is empty.
 */
static int add_branch(struct writer *w, unsigned height, const struct kept *key, uint32_t child) {
  int error = height == w->nlevels ? add_level(w) : 0;
  if (error)
    return error;
  struct level *level = w->levels[height];
  const bool large = key->n > largest_item;
  const unsigned size = aligned(branch_content + (large ? chain_bytes : key->n));
  if (!has_room(level, 1, size))
    error = close_branch(w, height);
  if (!error && level->n == 0)
    error = keep(&level->first, key->p, key->n, false);
  if (error)
    return error;
  unsigned char *at = next_item(level, size);
  bdb_set_u16(at, large ? chain_bytes : (unsigned)key->n);
  at[leaf_type] = large ? item_chain : item_here;
  bdb_set_u32(at + branch_page, child);
  if (large)
    return describe_chain(w, at + branch_content, &(dictum_key){key->p, key->n}, false);
  if (key->n > 0)
    memcpy(at + branch_content, key->p, key->n);
  return 0;
}

/* ---- leaves --------------------------------------------------------------------------------- */

static unsigned item_size(const struct writer *w, const dictum_key *bytes) {
  size_t n = bytes->n + w->pages.nul;
  return n > largest_item ? chain_bytes : aligned(leaf_content + n);
}

static int add_item(struct writer *w, const dictum_key *bytes) {
  const size_t n = bytes->n + w->pages.nul;
  unsigned char *at = next_item(w->levels[0], item_size(w, bytes));
  if (n > largest_item)
    return describe_chain(w, at, bytes, w->pages.nul);
  bdb_set_u16(at, (uint32_t)n);
  at[leaf_type] = item_here;
  if (bytes->n > 0)
    memcpy(at + leaf_content, bytes->p, bytes->n);
  return 0;
}

/* The last key that was added, as it is stored. */
static dictum_key last_key(const struct writer *w) {
  const struct level *leaf = w->levels[0];
  uint16_t offset, n;
  memcpy(&offset, leaf->page + page_content + 2 * (leaf->n - 2), sizeof offset);
  if (leaf->page[offset + leaf_type] == item_chain)
    return (dictum_key){w->last.p, w->last.n};
  memcpy(&n, leaf->page + offset, sizeof n);
  return (dictum_key){(const char *)leaf->page + offset + leaf_content, n};
}

/* The least bytes that are behind the last key and not behind @p key: what a new leaf is called. */
static int name_leaf(struct writer *w, struct kept *name, const dictum_key *key) {
  const dictum_key last = last_key(w);
  int error = keep(&w->now, key->p, key->n, w->pages.nul);
  size_t common = 0;
  while (!error && common < last.n && common < w->now.n && last.p[common] == w->now.p[common])
    common++;
  return error ? error : keep(name, w->now.p, common < w->now.n ? common + 1 : common, false);
}

static int write_leaf(struct writer *w, uint32_t next) {
  struct level *leaf = w->levels[0];
  set_header(leaf, w->leaf, 0);
  bdb_set_u32(leaf->page + page_previous, w->previous);
  bdb_set_u32(leaf->page + page_next, next);
  return bdb_pages_write(&w->pages, w->leaf, leaf->page);
}

/* Goes on with a new leaf, of which @p key is to be the first. */
static int next_leaf(struct writer *w, const dictum_key *key) {
  struct level *leaf = w->levels[0];
  struct kept name = {0};
  uint32_t next;
  int error = name_leaf(w, &name, key);
  if (!error && w->leaf == 0)
    error = bdb_pages_take(&w->pages, &w->leaf);
  if (!error)
    error = bdb_pages_take(&w->pages, &next);
  if (!error)
    error = write_leaf(w, next);
  if (!error)
    error = add_branch(w, 1, &leaf->first, w->leaf);
  if (error) {
    free(name.p);
    return error;
  }
  free(leaf->first.p);
  leaf->first = name;
  w->previous = w->leaf;
  w->leaf = next;
  begin_page(leaf);
  return 0;
}

static int add(struct writer *w, const dictum_rec *rec) {
  const unsigned bytes = item_size(w, &rec->key) + item_size(w, &rec->value);
  int error = has_room(w->levels[0], 2, bytes) ? 0 : next_leaf(w, &rec->key);
  if (!error)
    error = add_item(w, &rec->key);
  if (!error)
    error = add_item(w, &rec->value);
  if (!error && rec->key.n + w->pages.nul > largest_item)
    error = keep(&w->last, rec->key.p, rec->key.n, w->pages.nul);
  return error;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int add_all(struct writer *w, const dictum_rec *recs, size_t n) {
  int error = 0;
  for (size_t i = 0; i < n && !error; i++)
    error = add(w, &recs[i]);
  return error;
}

/* Closes the last page of each level; the highest has only one, the root. */
static int close_levels(struct writer *w) {
  if (w->nlevels == 1) {
    w->leaf = root;
    return write_leaf(w, 0);
  }
  int error = write_leaf(w, 0);
  if (!error)
    error = add_branch(w, 1, &w->levels[0]->first, w->leaf);
  unsigned height = 1;
  for (; !error && height + 1 < w->nlevels; height++)
    error = close_branch(w, height);
  if (error)
    return error;
  set_header(w->levels[height], root, height);
  return bdb_pages_write(&w->pages, root, w->levels[height]->page);
}

static int end(struct writer *w) {
  unsigned char meta[bdb_page_bytes] = {0};
  int error = close_levels(w);
  if (error)
    return error;
  bdb_set_u32(meta + meta_least_keys, 2);
  bdb_set_u32(meta + meta_padding, ' ');
  bdb_set_u32(meta + meta_root, root);
  return bdb_pages_end(&w->pages, meta, magic_btree, type_btree_meta);
}

static void writer_free(struct writer *w) {
  for (unsigned i = 0; i < w->nlevels; i++) {
    free(w->levels[i]->first.p);
    free(w->levels[i]);
  }
  free(w->last.p);
  free(w->now.p);
  bdb_pages_free(&w->pages);
}

dictum_status bdb_write_btree(int fd, bool nul, dictum_bulk *bulk, int *error, dictum_error *err) {
  struct writer w = {0};
  const dictum_rec *recs;
  size_t n;
  dictum_status status = DICTUM_OK;
  *error = bdb_pages_begin(&w.pages, fd, nul);
  if (!*error)
    *error = add_level(&w);
  w.pages.next = root + 1;
  while (!*error && (status = bulk->next(bulk, &recs, &n, err)) == DICTUM_OK)
    *error = add_all(&w, recs, n);
  if (!*error && status == DICTUM_END)
    *error = end(&w);
  writer_free(&w);
  return status == DICTUM_END ? DICTUM_OK : status;
}
