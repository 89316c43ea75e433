/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_pages.h - writing the pages of a new Berkeley DB file.
 *
 * Errors are those of the system.
 */
#ifndef DICTUM_PLUGINS_BDB_PAGES_H
#define DICTUM_PLUGINS_BDB_PAGES_H

#include <dictum_plugin.h>
#include <stdbool.h>
#include <string.h>

#include "bdb.h"
#include "bdb_page.h"

/** A file while it is written. */
struct bdb_pages {
  int fd;              /**< of a file aside (newfile.h) */
  bool nul;            /**< one ends each key and value */
  uint32_t next;       /**< the first page that nothing has been given yet */
  unsigned char *late; /**< pages that follow each other and are still to be written */
  uint32_t late_first, late_n;
};

/** @return 0; ENOMEM. */
int bdb_pages_begin(struct bdb_pages *pages, int fd, bool nul);
void bdb_pages_free(struct bdb_pages *pages);

/** Takes a page. @return 0; EFBIG. */
int bdb_pages_take(struct bdb_pages *pages, uint32_t *number);
/** Writes a page, soon. */
int bdb_pages_write(struct bdb_pages *pages, uint32_t number, const unsigned char *page);
/** Writes what is too large for a page, with a NUL byte if @p nul, to pages of its own. */
int bdb_pages_write_chain(struct bdb_pages *pages, const dictum_key *bytes, bool nul,
                          uint32_t *first);
/** Writes what is late, and then the first page, with what all kinds have in theirs. */
int bdb_pages_end(struct bdb_pages *pages, unsigned char *meta, uint32_t magic, unsigned type);

/** Sets the header of a page to that of an empty one. */
void bdb_page_begin(unsigned char *page, uint32_t number, unsigned type, unsigned level);

/** Puts numbers in their places; files are written in the byte order of the machine. */
static inline void bdb_set_u32(unsigned char *at, uint32_t number) {
  memcpy(at, &number, sizeof number);
}
static inline void bdb_set_u16(unsigned char *at, uint32_t number) {
  const uint16_t small = (uint16_t)number;
  memcpy(at, &small, sizeof small);
}

#endif
