/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_image.c - reading a mapped Berkeley DB file of type hash or btree.
 *
 * Why not with the library: it trusts the file. In a damaged one it reads
 * outside of a page, which ends the process, or follows links in a circle for
 * ever. And it has a cache of its own, which hides the changes of others. Here
 * each page, and each item that is looked at, is checked first.
 *
 * The format is that of Berkeley DB 4.7 to 5.3 (hash 8, 9; btree 8, 9) without
 * checksums, encryption, duplicates or sub-databases; others are refused. Every
 * page has a header, an array of offsets, and items that fill it from its end.
 * Keys and values take turns. What is too large for a page lies in a chain of
 * pages of its own.
 */
#include "bdb_image.h"

#include <db.h>
#include <errno.h>
#include <stdlib.h>

#include "bdb_page.h"
#include "keyorder.h"

enum { oldest_version = 8, newest_version = 9 };
enum { option_checksums = 1 };

/* ---- the first page ------------------------------------------------------------------------- */

/* Buckets are made one by one: of those of the highest doubling, some may not be there yet. */
static bool is_bucket_count_sound(const struct bdb_image *image) {
  uint32_t mask = image->high_mask;
  return image->max_bucket < image->pages && image->max_bucket <= mask &&
         (mask & (mask + 1)) == 0 && image->low_mask == mask >> 1 &&
         image->max_bucket > image->low_mask;
}

static int load_hash(struct bdb_image *image) {
  image->max_bucket = bdb_u32(image, image->map + meta_max_bucket);
  image->high_mask = bdb_u32(image, image->map + meta_high_mask);
  image->low_mask = bdb_u32(image, image->map + meta_low_mask);
  for (size_t i = 0; i < 32; i++)
    image->spares[i] = bdb_u32(image, image->map + meta_spares + 4 * i);
  if (bdb_u32(image, image->map + meta_test_hash) != bdb_test_hash())
    return BDB_OTHER_HASH;
  return is_bucket_count_sound(image) ? 0 : DB_VERIFY_BAD;
}

/* What a file of ours or of Postfix's does not have. */
static int check_kind(const struct bdb_image *image) {
  if (image->map[meta_encryption] != 0)
    return BDB_ENCRYPTED;
  if (image->map[meta_options] == option_checksums)
    return BDB_CHECKSUMS;
  if (image->map[meta_options] != 0 || bdb_u32(image, image->map + meta_flags) != 0)
    return BDB_OTHER_KIND;
  return 0;
}

static int check_version(const struct bdb_image *image) {
  uint32_t version = bdb_u32(image, image->map + meta_version);
  return version < oldest_version ? DB_OLD_VERSION : version > newest_version ? BDB_NEW_VERSION : 0;
}

int bdb_image_load(struct bdb_image *image, const void *map, size_t bytes, bool hash) {
  const uint32_t magic = hash ? magic_hash : magic_btree;
  if (bytes < meta_bytes)
    return EINVAL;
  *image = (struct bdb_image){.map = map, .hash = hash};
  image->swapped = bdb_u32(image, image->map + meta_magic) != magic;
  if (bdb_u32(image, image->map + meta_magic) != magic)
    return EINVAL;
  int error = check_version(image);
  if (!error)
    error = check_kind(image);
  if (error)
    return error;
  image->page_bytes = bdb_u32(image, image->map + meta_page_bytes);
  uint32_t last = bdb_u32(image, image->map + meta_last_page);
  if (image->page_bytes < 512 || image->page_bytes > 65536 ||
      (image->page_bytes & (image->page_bytes - 1)) != 0 || last >= bytes / image->page_bytes ||
      bdb_u32(image, image->map + page_number) != 0 ||
      image->map[meta_type] != (hash ? type_hash_meta : type_btree_meta))
    return DB_VERIFY_BAD;
  image->pages = last + 1;
  image->root = bdb_u32(image, image->map + meta_root);
  return hash ? load_hash(image) : 0;
}

/* ---- chains --------------------------------------------------------------------------------- */

void bdb_scratch_free(struct bdb_scratch *scratch) {
  free(scratch->data);
  *scratch = (struct bdb_scratch){0};
}

static bool reserve(struct bdb_scratch *scratch, size_t bytes) {
  if (bytes <= scratch->room)
    return true;
  char *data = realloc(scratch->data, bytes);
  if (!data)
    return false;
  scratch->data = data;
  scratch->room = bytes;
  return true;
}

/* Is this page of a chain as full as it should be when @p left bytes are to come, it is one of @p
 * before, and ends the chain when it has the last of them? */
static bool is_link_sound(const struct bdb_image *image, const struct bdb_page *page,
                          uint32_t before, uint32_t left) {
  uint32_t room = image->page_bytes - page_content, used = left < room ? left : room;
  return bdb_u16(image, page->at + page_used) == used && bdb_page_previous(image, page) == before &&
         (bdb_page_next(image, page) == 0) == (used == left);
}

/* Gathers a chain in @p scratch. Its length limits how many pages can count. */
static int gather(const struct bdb_image *image, const unsigned char *chain, dictum_key *out,
                  struct bdb_scratch *scratch) {
  uint32_t number = bdb_u32(image, chain + chain_first),
           length = bdb_u32(image, chain + chain_length);
  /* What is asked for lies on a page whose frame a long chain would take away. */
  if (image->frames || length / image->page_bytes >= image->pages)
    return DB_VERIFY_BAD;
  if (length == 0) /* what is empty needs no chain */
    return DB_VERIFY_BAD;
  if (!reserve(scratch, length))
    return ENOMEM;
  for (uint32_t done = 0, before = 0, room = image->page_bytes - page_content; done < length;) {
    struct bdb_page page;
    if (!bdb_page_open(image, number, type_chain, &page) ||
        !is_link_sound(image, &page, before, length - done))
      return DB_VERIFY_BAD;
    uint32_t used = length - done < room ? length - done : room;
    memcpy(scratch->data + done, page.at + page_content, used);
    done += used;
    before = number;
    number = bdb_page_next(image, &page);
  }
  *out = (dictum_key){scratch->data, length};
  return 0;
}

int bdb_item_content(const struct bdb_image *image, const struct bdb_item *item, dictum_key *out,
                     struct bdb_scratch *scratch) {
  if (item->chain)
    return gather(image, item->bytes, out, scratch);
  *out = (dictum_key){(const char *)item->bytes, item->n};
  return 0;
}

/* ---- a btree -------------------------------------------------------------------------------- */

/* The first of the entries from..n-1 whose key is not before @p key. On a leaf, entries are pairs
 * of items. */
static int search(const struct bdb_image *image, const struct bdb_page *page, bool leaf,
                  const dictum_key *key, uint32_t *found, bool *exact,
                  struct bdb_scratch *scratch) {
  uint32_t step = leaf ? 2 : 1, low = leaf ? 0 : 1, high = page->n / step;
  *exact = false;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    struct bdb_item item;
    dictum_key there;
    bool sound = leaf ? bdb_leaf_item(image, page, middle * step, &item)
                      : bdb_branch_item(image, page, middle, &item);
    if (!sound)
      return DB_VERIFY_BAD;
    int error = bdb_item_content(image, &item, &there, scratch);
    if (error)
      return error;
    int order = keyorder_compare(&there, key);
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
    *exact |= order == 0;
  }
  *found = low * step;
  return 0;
}

/* Where a way down from the root goes. */
enum way { to_first, to_last, to_key };

static int choose_child(const struct bdb_image *image, const struct bdb_page *page, enum way way,
                        const dictum_key *key, uint32_t *child, struct bdb_scratch *scratch) {
  bool exact = true;
  *child = way == to_last ? page->n - 1 : 0;
  int error = way == to_key ? search(image, page, false, key, child, &exact, scratch) : 0;
  if (!exact)
    (*child)--;
  return error;
}

/* Goes down to a leaf. Levels count down to 1, so that there is an end. */
static int find_leaf(const struct bdb_image *image, enum way way, const dictum_key *key,
                     struct bdb_page *leaf, struct bdb_scratch *scratch) {
  uint32_t number = image->root;
  for (unsigned level = 0; !bdb_page_open(image, number, type_leaf, leaf);) {
    struct bdb_page page;
    uint32_t child;
    if (!bdb_page_open(image, number, type_branch, &page) || page.n == 0 ||
        page.at[page_level] <= 1 || (level != 0 && page.at[page_level] != level))
      return DB_VERIFY_BAD;
    level = page.at[page_level] - 1u;
    int error = choose_child(image, &page, way, key, &child, scratch);
    if (error)
      return error;
    number = bdb_branch_child(image, &page, child);
  }
  bool is_root = number == image->root;
  if (is_root && (bdb_page_next(image, leaf) != 0 || bdb_page_previous(image, leaf) != 0))
    return DB_VERIFY_BAD;
  return bdb_page_is_sound(image, leaf) ? 0 : DB_VERIFY_BAD;
}

/* The leaf beside another: both must know of each other. */
static bool open_beside(const struct bdb_image *image, const struct bdb_page *leaf, bool behind,
                        struct bdb_page *beside) {
  uint32_t number = behind ? bdb_page_next(image, leaf) : bdb_page_previous(image, leaf);
  if (!bdb_page_open(image, number, type_leaf, beside))
    return false;
  uint32_t back = behind ? bdb_page_previous(image, beside) : bdb_page_next(image, beside);
  return back == bdb_page_number(image, leaf);
}

static int key_of(const struct bdb_image *image, const struct bdb_page *leaf, uint32_t at,
                  dictum_key *key, struct bdb_scratch *scratch) {
  struct bdb_item item;
  return bdb_leaf_item(image, leaf, at, &item) ? bdb_item_content(image, &item, key, scratch)
                                               : DB_VERIFY_BAD;
}

/* A key that would have to be the first of its leaf, or the last, may be missed because a damaged
 * branch led to the wrong leaf. Then it does not lie between this one and that beside it. */
static int confirm_miss(const struct bdb_image *image, const struct bdb_page *leaf, uint32_t at,
                        const dictum_key *key, struct bdb_scratch *scratch) {
  struct bdb_page beside;
  dictum_key there;
  bool behind = at == leaf->n;
  if ((at != 0 && !behind) ||
      (behind ? bdb_page_next(image, leaf) : bdb_page_previous(image, leaf)) == 0)
    return DB_NOTFOUND;
  if (!open_beside(image, leaf, behind, &beside))
    return DB_VERIFY_BAD;
  if (beside.n < 2)
    return DB_NOTFOUND;
  int error = key_of(image, &beside, behind ? 0 : beside.n - 2, &there, scratch);
  if (error)
    return error;
  int order = keyorder_compare(&there, key);
  return (behind ? order > 0 : order < 0) ? DB_NOTFOUND : DB_VERIFY_BAD;
}

/* Does @p key come behind item @p before of this leaf, and before item @p after? Then it is on no
 * other leaf, and between them if anywhere. */
static bool is_between(const struct bdb_image *image, const struct bdb_page *leaf, uint32_t before,
                       uint32_t after, const dictum_key *key, struct bdb_scratch *scratch) {
  dictum_key there;
  return after < leaf->n && key_of(image, leaf, before, &there, scratch) == 0 &&
         keyorder_compare(&there, key) < 0 && key_of(image, leaf, after, &there, scratch) == 0 &&
         keyorder_compare(key, &there) < 0;
}

/* Is the answer just at the finger? */
static bool is_at(const struct bdb_image *image, const struct bdb_page *leaf, uint32_t at,
                  const dictum_key *key, bool *exact, struct bdb_scratch *scratch) {
  dictum_key there;
  if (at >= leaf->n || key_of(image, leaf, at, &there, scratch) != 0)
    return false;
  *exact = keyorder_compare(&there, key) == 0;
  return *exact || (at > 0 && is_between(image, leaf, at - 2, at, key, scratch));
}

/* Goes to the first key of a leaf that is not before @p key: to that where the finger is, if that
 * is the leaf. */
static int find_place(const struct bdb_image *image, struct bdb_finger *finger,
                      const dictum_key *key, struct bdb_page *leaf, bool *exact,
                      struct bdb_scratch *scratch) {
  int error = 0;
  bool near = finger->page != 0 && bdb_page_open(image, finger->page, type_leaf, leaf);
  if (near && is_at(image, leaf, finger->at, key, exact, scratch))
    return 0;
  if (!near || leaf->n < 2 || !is_between(image, leaf, 0, leaf->n - 2, key, scratch))
    error = find_leaf(image, to_key, key, leaf, scratch);
  if (error)
    return error;
  finger->page = bdb_page_number(image, leaf);
  return search(image, leaf, true, key, &finger->at, exact, scratch);
}

static int find_in_btree(const struct bdb_image *image, struct bdb_finger *finger,
                         const dictum_key *key, dictum_key *value, struct bdb_scratch *scratch) {
  struct bdb_page leaf;
  struct bdb_item item;
  bool exact;
  int error = find_place(image, finger, key, &leaf, &exact, scratch);
  if (error)
    return error;
  if (!exact)
    return confirm_miss(image, &leaf, finger->at, key, scratch);
  if (!bdb_leaf_item(image, &leaf, finger->at + 1, &item))
    return DB_VERIFY_BAD;
  return item.deleted ? DB_NOTFOUND : bdb_item_content(image, &item, value, scratch);
}

int bdb_image_find(const struct bdb_image *image, struct bdb_finger *finger, const dictum_key *key,
                   dictum_key *value, struct bdb_scratch *scratch) {
  return image->hash ? bdb_find_in_hash(image, finger, key, value, scratch)
                     : find_in_btree(image, finger, key, value, scratch);
}

/* ---- walking -------------------------------------------------------------------------------- */

static bool open_here(const struct bdb_walk *walk, const struct bdb_image *image,
                      struct bdb_page *page) {
  return bdb_page_open(image, walk->page, image->hash ? type_hash : type_leaf, page);
}

/* Goes to the first item of a page, which must be behind that page. */
static int visit(struct bdb_walk *walk, const struct bdb_image *image, uint32_t number,
                 uint32_t before) {
  struct bdb_page page;
  walk->page = number;
  walk->at = 0;
  if (!open_here(walk, image, &page) || !bdb_page_is_sound(image, &page))
    return DB_VERIFY_BAD;
  bool fits = image->hash ? bdb_page_is_of_bucket(image, &page, walk->bucket, before)
                          : bdb_page_previous(image, &page) == before;
  return fits ? 0 : DB_VERIFY_BAD;
}

/* Goes to the next bucket, from walk->bucket on, that has a page. */
static int visit_bucket(struct bdb_walk *walk, const struct bdb_image *image) {
  for (; walk->bucket <= image->max_bucket; walk->bucket++) {
    uint32_t number = bdb_image_bucket_page(image, walk->bucket);
    if (!bdb_page_is_blank(image, number))
      return visit(walk, image, number, 0);
  }
  return DB_NOTFOUND;
}

/* Is a leaf that says that none is behind it really the last? */
static int confirm_end(const struct bdb_image *image, const struct bdb_page *leaf) {
  struct bdb_page last;
  int error = find_leaf(image, to_last, NULL, &last, NULL);
  return error ? error : last.at == leaf->at ? DB_NOTFOUND : DB_VERIFY_BAD;
}

/* Moves to the next page when this one is used up. */
static int settle(struct bdb_walk *walk, const struct bdb_image *image) {
  for (;;) {
    struct bdb_page page;
    int error;
    if (!open_here(walk, image, &page))
      return DB_VERIFY_BAD;
    if (walk->at + 1 < page.n)
      return 0;
    uint32_t next = bdb_page_next(image, &page);
    if (next != 0) {
      error = visit(walk, image, next, walk->page);
    } else if (image->hash) {
      walk->bucket++;
      error = visit_bucket(walk, image);
    } else {
      error = confirm_end(image, &page);
    }
    if (error)
      return error;
  }
}

int bdb_walk_first(struct bdb_walk *walk, const struct bdb_image *image) {
  struct bdb_page leaf;
  *walk = (struct bdb_walk){0};
  int error = image->hash ? visit_bucket(walk, image)
                          : find_leaf(image, to_first, NULL, &leaf, NULL);
  if (!error && !image->hash)
    error = visit(walk, image, bdb_page_number(image, &leaf), 0);
  return error ? error : settle(walk, image);
}

int bdb_walk_from(struct bdb_walk *walk, const struct bdb_image *image, const dictum_key *key,
                  struct bdb_scratch *scratch) {
  struct bdb_page leaf;
  bool exact;
  *walk = (struct bdb_walk){0};
  int error = find_leaf(image, to_key, key, &leaf, scratch);
  if (!error)
    error = search(image, &leaf, true, key, &walk->at, &exact, scratch);
  if (!error && !exact) {
    error = confirm_miss(image, &leaf, walk->at, key, scratch);
    error = error == DB_NOTFOUND ? 0 : error;
  }
  if (error)
    return error;
  walk->page = bdb_page_number(image, &leaf);
  return settle(walk, image);
}

int bdb_walk_next(struct bdb_walk *walk, const struct bdb_image *image) {
  walk->at += 2;
  return settle(walk, image);
}

static int get_item(const struct bdb_image *image, const struct bdb_page *page, uint32_t i,
                    dictum_key *content, bool *deleted, struct bdb_scratch *scratch) {
  struct bdb_item item;
  if (!(image->hash ? bdb_hash_item(image, page, i, &item) : bdb_leaf_item(image, page, i, &item)))
    return DB_VERIFY_BAD;
  *deleted = item.deleted;
  return bdb_item_content(image, &item, content, scratch);
}

int bdb_walk_get(const struct bdb_walk *walk, const struct bdb_image *image, struct bdb_record *out,
                 struct bdb_scratch *key_scratch, struct bdb_scratch *value_scratch) {
  struct bdb_page page;
  if (!open_here(walk, image, &page))
    return DB_VERIFY_BAD;
  int error = get_item(image, &page, walk->at, &out->key, &out->deleted, key_scratch);
  return error ? error
               : get_item(image, &page, walk->at + 1, &out->value, &out->deleted, value_scratch);
}
