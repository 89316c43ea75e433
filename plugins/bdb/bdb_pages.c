/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb_pages.c - writing the pages of a new Berkeley DB file. */
#include "bdb_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "newfile.h"

enum { most_late = 64, version = 9 };

int bdb_pages_begin(struct bdb_pages *pages, int fd, bool nul) {
  *pages = (struct bdb_pages){.fd = fd, .nul = nul, .next = 1};
  pages->late = malloc(most_late * bdb_page_bytes);
  return pages->late ? 0 : ENOMEM;
}

void bdb_pages_free(struct bdb_pages *pages) {
  free(pages->late);
  pages->late = NULL;
}

int bdb_pages_take(struct bdb_pages *pages, uint32_t *number) {
  if (pages->next == UINT32_MAX)
    return EFBIG;
  *number = pages->next++;
  return 0;
}

/* ---- output --------------------------------------------------------------------------------- */

/* As many as these follow each other only in what is written from begin to end: a btree, and
 * chains. */
static int flush(struct bdb_pages *pages) {
  const uint32_t n = pages->late_n;
  const off_t at = (off_t)pages->late_first * bdb_page_bytes;
  pages->late_n = 0;
  return n == most_late ? newfile_append(pages->fd, pages->late, (size_t)n * bdb_page_bytes, at)
                        : newfile_write(pages->fd, pages->late, (size_t)n * bdb_page_bytes, at);
}

int bdb_pages_write(struct bdb_pages *pages, uint32_t number, const unsigned char *page) {
  bool follows = number == pages->late_first + pages->late_n && pages->late_n < most_late;
  int error = follows ? 0 : flush(pages);
  if (error)
    return error;
  if (pages->late_n == 0)
    pages->late_first = number;
  memcpy(pages->late + (size_t)pages->late_n++ * bdb_page_bytes, page, bdb_page_bytes);
  return 0;
}

/* ---- pages ---------------------------------------------------------------------------------- */

/* The sign that a page never was in a log. */
static void set_no_log(unsigned char *page) {
  bdb_set_u32(page + 4, 1);
}

void bdb_page_begin(unsigned char *page, uint32_t number, unsigned type, unsigned level) {
  memset(page, 0, page_content);
  set_no_log(page);
  bdb_set_u32(page + page_number, number);
  bdb_set_u16(page + page_lowest, bdb_page_bytes);
  page[page_level] = (unsigned char)level;
  page[page_type] = (unsigned char)type;
}

/* One page of a chain, with the part of @p bytes that begins at @p done. */
static void fill_link(unsigned char *page, const dictum_key *bytes, size_t done, size_t n) {
  size_t part = done < bytes->n ? bytes->n - done : 0;
  if (part > n)
    part = n;
  memset(page + page_content, 0, bdb_page_bytes - page_content); /* the NUL byte, too */
  if (part > 0)
    memcpy(page + page_content, bytes->p + done, part);
  bdb_set_u16(page + page_used, (uint32_t)n);
}

int bdb_pages_write_chain(struct bdb_pages *pages, const dictum_key *bytes, bool nul,
                          uint32_t *first) {
  const size_t room = bdb_page_bytes - page_content, total = bytes->n + nul;
  uint32_t number = 0, previous = 0;
  int error = bdb_pages_take(pages, &number);
  *first = number;
  for (size_t done = 0; !error && done < total;) {
    unsigned char page[bdb_page_bytes];
    size_t n = total - done < room ? total - done : room;
    uint32_t next = 0;
    if (done + n < total)
      error = bdb_pages_take(pages, &next);
    bdb_page_begin(page, number, type_chain, 0);
    bdb_set_u32(page + page_previous, previous);
    bdb_set_u32(page + page_next, next);
    bdb_set_u16(page + page_items, 1); /* how often it is referred to */
    fill_link(page, bytes, done, n);
    if (!error)
      error = bdb_pages_write(pages, number, page);
    previous = number;
    number = next;
    done += n;
  }
  return error;
}

/* A number of its own for each file, by which environments, which we do not use, know it. */
static int set_identity(const struct bdb_pages *pages, unsigned char *at) {
  struct stat st;
  struct timespec now;
  if (fstat(pages->fd, &st) != 0)
    return errno;
  clock_gettime(CLOCK_REALTIME, &now);
  const uint32_t parts[] = {(uint32_t)st.st_ino, (uint32_t)st.st_dev, (uint32_t)now.tv_sec,
                            (uint32_t)now.tv_nsec, (uint32_t)getpid()};
  memcpy(at, parts, sizeof parts);
  return 0;
}

int bdb_pages_end(struct bdb_pages *pages, unsigned char *meta, uint32_t magic, unsigned type) {
  set_no_log(meta);
  bdb_set_u32(meta + meta_magic, magic);
  bdb_set_u32(meta + meta_version, version);
  bdb_set_u32(meta + meta_page_bytes, bdb_page_bytes);
  meta[meta_type] = (unsigned char)type;
  bdb_set_u32(meta + meta_last_page, pages->next - 1);
  int error = set_identity(pages, meta + meta_identity);
  if (!error)
    error = flush(pages);
  return error ? error : newfile_write(pages->fd, meta, bdb_page_bytes, 0);
}
