/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_image.h - reading a mapped Berkeley DB file of type hash or btree.
 *
 * Nothing in the file is trusted: whatever its bytes are, nothing outside of
 * the map is looked at, and every walk ends.
 *
 * A search can do without the map, with pages that are read one by one. It then
 * gives up where it would need many, with DB_VERIFY_BAD.
 */
#ifndef DICTUM_PLUGINS_BDB_IMAGE_H
#define DICTUM_PLUGINS_BDB_IMAGE_H

#include <dictum_plugin.h>
#include <stdbool.h>

#include "bdb_frames.h"
#include "pageset.h"

/** Errors beside those of the library and the system. */
enum {
  BDB_ENCRYPTED = -1,
  BDB_CHECKSUMS = -2,
  BDB_OTHER_KIND = -3, /**< duplicates, record numbers, several tables in a file, ... */
  BDB_OTHER_HASH = -4, /**< not the usual hash function */
  BDB_NEW_VERSION = -5
};

struct bdb_image {
  const unsigned char *map;
  uint32_t page_bytes, pages;
  bool hash;    /**< else a btree */
  bool swapped; /**< made by a machine of the other byte order */
  uint32_t root;
  uint32_t max_bucket, high_mask, low_mask, spares[32];
  struct pageset *sound;     /**< pages that need not be looked at again; NULL: none */
  struct pageset *sorted;    /**< those of a hash whose keys are in order; NULL: none */
  struct bdb_frames *frames; /**< where pages are to be taken from, instead of the map; or NULL */
};

/** Memory for keys or values that lie in pieces; starts as {0}. */
struct bdb_scratch {
  char *data;
  size_t room;
};
void bdb_scratch_free(struct bdb_scratch *scratch);

/** Reads the first page of a file of @p bytes. To be done again after every change of the file.
 * `sound`, `sorted` and `frames` are left NULL.
 * @return 0; EINVAL for no such file; DB_OLD_VERSION; DB_VERIFY_BAD when it is damaged; BDB_*. */
int bdb_image_load(struct bdb_image *image, const void *map, size_t bytes, bool hash);

/** Where a search ended, or may end: the next one begins there. Starts as {0}; good as long as the
 * file is not loaded anew. A wrong one only costs time. */
struct bdb_finger {
  uint32_t page; /**< the number of a sound page with records; 0: none */
  uint32_t at;   /**< item; of a hash only when the key was found, or may be there */
};

/** Has the processor fetch what searches for these keys need (probes.h), and tells where they will
 * probably end. The image is one of a map.
 * @param with_nul  the keys will be asked for with a NUL behind them
 * @param n         at most tablefile_fetched */
void bdb_image_fetch(const struct bdb_image *image, const dictum_key *keys, size_t n, bool with_nul,
                     struct bdb_finger *fingers);

/** Looks up the bytes @p key. *value points into the map, a frame or @p scratch.
 * @return 0; DB_NOTFOUND; DB_VERIFY_BAD; ENOMEM. */
int bdb_image_find(const struct bdb_image *image, struct bdb_finger *finger, const dictum_key *key,
                   dictum_key *value, struct bdb_scratch *scratch);

/** The first page of a bucket, if it is one. */
uint32_t bdb_image_bucket_page(const struct bdb_image *image, uint32_t bucket);

/** Where @p key is: near numbers are near in the file. Only for a hash. */
uint32_t bdb_image_bucket(const struct bdb_image *image, const dictum_key *key, bool with_nul);

/** A place in a file: in the order of the keys for a btree, in none for a hash. Stays good as long
 * as the file is not changed; when it was, unnoticed, the records may be others. */
struct bdb_walk {
  uint32_t bucket; /**< of a hash */
  uint32_t page, at;
};

struct bdb_record {
  dictum_key key, value;
  bool deleted; /**< it is not to be counted any more */
};

/** Goes to the first record. @return 0; DB_NOTFOUND: there is none; DB_VERIFY_BAD. */
int bdb_walk_first(struct bdb_walk *walk, const struct bdb_image *image);
/** Goes to the first record of a btree whose key is not before @p key. @return as before; ENOMEM.
 */
int bdb_walk_from(struct bdb_walk *walk, const struct bdb_image *image, const dictum_key *key,
                  struct bdb_scratch *scratch);
/** Goes on to the next record. @return as before. */
int bdb_walk_next(struct bdb_walk *walk, const struct bdb_image *image);
/** The record at this place. @return 0; DB_VERIFY_BAD; ENOMEM. */
int bdb_walk_get(const struct bdb_walk *walk, const struct bdb_image *image, struct bdb_record *out,
                 struct bdb_scratch *key_scratch, struct bdb_scratch *value_scratch);

/** Looks at all of the file, before the library is let to change it: every page belongs to one
 * place, every link, order and count is right.
 * @return 0; DB_VERIFY_BAD; ENOMEM. */
int bdb_image_check(const struct bdb_image *image);

/** Berkeley DB's hash function. */
uint32_t bdb_hash(const char *key, size_t len, bool with_nul);
/** That of a text that is the same in all files. */
uint32_t bdb_test_hash(void);

#endif
