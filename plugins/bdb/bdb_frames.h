/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_frames.h - pages of a file that others may change, read one by one into a little memory.
 *
 * For a lookup without a lock: a map may end behind a writer that cuts the file,
 * and with it the process. Whether what was read belongs together is for the
 * caller to find out.
 */
#ifndef DICTUM_PLUGINS_BDB_FRAMES_H
#define DICTUM_PLUGINS_BDB_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/** Starts as {0}. One thread at a time. */
struct bdb_frames {
  int fd; /**< not ours */
  uint32_t page_bytes;
  uint32_t sets;      /**< each page has a set of frames that it may be in */
  uint32_t clock;     /**< counts pages that were asked for again */
  uint32_t recent[2]; /**< frames whose pages are still being looked at */
  struct bdb_frame *frames;
  unsigned char *pages;
};

/** Forgets all pages. From now on they are of @p fd.
 * @param bytes  of memory, or a few pages if that is more
 * @return 0; ENOMEM. */
int bdb_frames_reset(struct bdb_frames *frames, int fd, uint32_t page_bytes, size_t bytes);
void bdb_frames_free(struct bdb_frames *frames);

/** A page, which stays until two others were asked for.
 * @return NULL when it cannot be read. */
const unsigned char *bdb_frames_get(struct bdb_frames *frames, uint32_t number);

#endif
