/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb_frames.c - pages of a file that others may change, read one by one into a little memory. */
#include "bdb_frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { frames_of_set = 4, fewest_sets = 2 };

struct bdb_frame {
  uint32_t page; /* 0, which is never asked for: none */
  uint32_t used; /* when, by the clock */
};

void bdb_frames_free(struct bdb_frames *frames) {
  free(frames->frames);
  free(frames->pages);
  *frames = (struct bdb_frames){0};
}

static int allocate(struct bdb_frames *frames, uint32_t sets) {
  const size_t n = (size_t)sets * frames_of_set;
  frames->frames = malloc(n * sizeof *frames->frames);
  frames->pages = malloc(n * frames->page_bytes);
  frames->sets = sets;
  if (frames->frames && frames->pages)
    return 0;
  bdb_frames_free(frames);
  return ENOMEM;
}

int bdb_frames_reset(struct bdb_frames *frames, int fd, uint32_t page_bytes, size_t bytes) {
  size_t sets = bytes / page_bytes / frames_of_set;
  if (sets > UINT16_MAX)
    sets = UINT16_MAX;
  if (sets < fewest_sets)
    sets = fewest_sets;
  if (frames->page_bytes != page_bytes || frames->sets != sets) {
    bdb_frames_free(frames);
    frames->page_bytes = page_bytes;
    int error = allocate(frames, (uint32_t)sets);
    if (error)
      return error;
  }
  frames->fd = fd;
  memset(frames->frames, 0, frames->sets * frames_of_set * sizeof *frames->frames);
  return 0;
}

/* The frame of a set that has the page; else the one that was asked for longest ago. */
static uint32_t choose(const struct bdb_frames *frames, uint32_t first, uint32_t number) {
  uint32_t oldest = first;
  for (uint32_t i = first; i < first + frames_of_set; i++) {
    if (frames->frames[i].page == number)
      return i;
    if (frames->clock - frames->frames[i].used > frames->clock - frames->frames[oldest].used)
      oldest = i;
  }
  return oldest;
}

const unsigned char *bdb_frames_get(struct bdb_frames *frames, uint32_t number) {
  const uint32_t first = number % frames->sets * frames_of_set;
  const uint32_t at = choose(frames, first, number);
  struct bdb_frame *frame = &frames->frames[at];
  unsigned char *page = frames->pages + (size_t)at * frames->page_bytes;
  frame->used = ++frames->clock;
  if (frame->page == number)
    return page;
  frame->page = 0;
  ssize_t got = pread(frames->fd, page, frames->page_bytes, (off_t)number * frames->page_bytes);
  if (got != (ssize_t)frames->page_bytes)
    return NULL;
  frame->page = number;
  return page;
}
