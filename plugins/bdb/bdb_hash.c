/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_hash.c - searching a hash: the pages of the bucket that the hash of a key chooses.
 *
 * The library keeps the keys of a page in order, which is looked at once for each
 * page. Where it holds, a few comparisons find a key; else each key of the right
 * size is compared.
 */
#include <db.h>

#include "bdb_page.h"
#include "keyorder.h"

static const char test_key[] = "%$sniglet^&"; /* its hash is kept, NUL included */

uint32_t bdb_hash(const char *key, size_t len, bool with_nul) {
  const uint32_t prime = 16777619; /* FNV-1, started at zero */
  uint32_t hash = 0;
  for (size_t i = 0; i < len; i++)
    hash = (hash * prime) ^ (unsigned char)key[i];
  return with_nul ? hash * prime : hash;
}

uint32_t bdb_test_hash(void) {
  return bdb_hash(test_key, sizeof test_key - 1, true);
}

/* ---- buckets -------------------------------------------------------------------------------- */

uint32_t bdb_image_bucket(const struct bdb_image *image, const dictum_key *key, bool with_nul) {
  uint32_t bucket = bdb_hash(key->p, key->n, with_nul) & image->high_mask;
  return bucket > image->max_bucket ? bucket & image->low_mask : bucket;
}

/* Buckets are made in doublings, each a row of pages that `spares` says the place of. */
uint32_t bdb_image_bucket_page(const struct bdb_image *image, uint32_t bucket) {
  unsigned doubling = 0;
  while (doubling < 31 && (UINT32_C(1) << doubling) < bucket + 1)
    doubling++;
  return bucket + image->spares[doubling];
}

bool bdb_page_is_of_bucket(const struct bdb_image *image, const struct bdb_page *page,
                           uint32_t bucket, uint32_t before) {
  struct bdb_item item;
  if (bdb_page_previous(image, page) != before)
    return false;
  if (page->n == 0)
    return true;
  if (!bdb_hash_item(image, page, 0, &item))
    return false;
  const dictum_key first = {(const char *)item.bytes, item.n};
  return item.chain || bdb_image_bucket(image, &first, false) == bucket;
}

/* ---- searching ------------------------------------------------------------------------------ */

/* A key in a chain is gathered even if its length is another one: that may be what is damaged. */
static bool is_key(const struct bdb_image *image, const struct bdb_item *item,
                   const dictum_key *key, struct bdb_scratch *scratch, int *error) {
  dictum_key found;
  if (!item->chain)
    return item->n == key->n && (key->n == 0 || memcmp(item->bytes, key->p, key->n) == 0);
  *error = bdb_item_content(image, item, &found, scratch);
  return *error == 0 && keyorder_compare(&found, key) == 0;
}

/* Could item @p i be a key of @p n bytes? Its size tells, without a look at it. */
static bool could_be_key(const struct bdb_image *image, const struct bdb_page *page, uint32_t i,
                         size_t n) {
  const uint32_t size = bdb_hash_item_bytes(image, page, i);
  return size == n + 1 || size == chain_bytes;
}

/* @return 0, and *at is where @p key is; DB_NOTFOUND; any error */
static int search_all(const struct bdb_image *image, const struct bdb_page *page,
                      const dictum_key *key, uint32_t *at, struct bdb_scratch *scratch) {
  for (uint32_t i = 0; i + 1 < page->n; i += 2) {
    struct bdb_item item;
    int error = 0;
    if (!could_be_key(image, page, i, key->n))
      continue;
    if (!bdb_hash_item(image, page, i, &item))
      return DB_VERIFY_BAD;
    *at = i;
    if (is_key(image, &item, key, scratch, &error) || error)
      return error;
  }
  return DB_NOTFOUND;
}

/* The same on a page that is sorted. */
static int search_sorted(const struct bdb_image *image, const struct bdb_page *page,
                         const dictum_key *key, uint32_t *at) {
  for (uint32_t low = 0, high = page->n / 2; low < high;) {
    const uint32_t middle = low + (high - low) / 2;
    struct bdb_item item;
    if (!bdb_hash_item(image, page, middle * 2, &item))
      return DB_VERIFY_BAD;
    const dictum_key there = {(const char *)item.bytes, item.n};
    const int order = bdb_hash_order(&there, key);
    *at = middle * 2;
    if (order == 0)
      return 0;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return DB_NOTFOUND;
}

static int value_behind(const struct bdb_image *image, const struct bdb_page *page, uint32_t at,
                        dictum_key *value, struct bdb_scratch *scratch) {
  struct bdb_item item;
  return bdb_hash_item(image, page, at + 1, &item) ? bdb_item_content(image, &item, value, scratch)
                                                   : DB_VERIFY_BAD;
}

/* Every item is looked at first: were one out of its place, the ends of others would be in doubt.
 */
static int find_on_page(const struct bdb_image *image, const struct bdb_page *page,
                        struct bdb_finger *finger, const dictum_key *key, dictum_key *value,
                        struct bdb_scratch *scratch) {
  if (!bdb_page_is_sound(image, page))
    return DB_VERIFY_BAD;
  uint32_t at;
  const int error = bdb_page_is_sorted(image, page) ? search_sorted(image, page, key, &at)
                                                    : search_all(image, page, key, &at, scratch);
  if (error)
    return error;
  *finger = (struct bdb_finger){bdb_page_number(image, page), at};
  return value_behind(image, page, at, value, scratch);
}

/* Is @p key just where the finger is? */
static bool is_at_finger(const struct bdb_image *image, const struct bdb_finger *finger,
                         const dictum_key *key, struct bdb_page *page) {
  struct bdb_item item;
  return finger->page != 0 && bdb_page_open(image, finger->page, type_hash, page) &&
         bdb_page_is_sound(image, page) && bdb_hash_item(image, page, finger->at, &item) &&
         !item.chain && item.n == key->n && (key->n == 0 || !memcmp(item.bytes, key->p, key->n));
}

int bdb_find_in_hash(const struct bdb_image *image, struct bdb_finger *finger,
                     const dictum_key *key, dictum_key *value, struct bdb_scratch *scratch) {
  struct bdb_page near;
  if (is_at_finger(image, finger, key, &near))
    return value_behind(image, &near, finger->at, value, scratch);
  uint32_t bucket = bdb_image_bucket(image, key, false);
  uint32_t number = bdb_image_bucket_page(image, bucket), before = 0;
  if (bdb_page_is_blank(image, number))
    return DB_NOTFOUND;
  /* Each page is behind the one before, which no circle can be. */
  do {
    struct bdb_page page;
    if (!bdb_page_open(image, number, type_hash, &page) ||
        !bdb_page_is_of_bucket(image, &page, bucket, before))
      return DB_VERIFY_BAD;
    int error = find_on_page(image, &page, finger, key, value, scratch);
    if (error != DB_NOTFOUND)
      return error;
    before = number;
    number = bdb_page_next(image, &page);
  } while (number != 0);
  return DB_NOTFOUND;
}
