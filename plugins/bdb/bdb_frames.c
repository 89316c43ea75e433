/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb_frames.c - pages of a file that others may change, read one by one into a little memory. */
#include "bdb_frames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { frames_of_set = 4, fewest_sets = 2 };

struct bdb_frame {
  uint32_t page; /* 0, which is never asked for: none */
  uint32_t used; /* when, by the clock; 0: not again since it was read */
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

/* The frame of a set that has the page. Else one whose page was asked for only once, as most leaves
 * are; else the one that was asked for longest ago. */
static uint32_t choose(const struct bdb_frames *frames, uint32_t first, uint32_t number) {
  uint32_t oldest = first, most = 0;
  for (uint32_t i = first; i < first + frames_of_set; i++) {
    const struct bdb_frame *frame = &frames->frames[i];
    if (frame->page == number)
      return i;
    const bool looked_at = i == frames->recent[0] || i == frames->recent[1];
    const uint32_t age = frame->used == 0 ? UINT32_MAX : frames->clock - frame->used + 1;
    if (!looked_at && age > most) {
      most = age;
      oldest = i;
    }
  }
  return oldest;
}

/* Spreads pages that lie a power of two apart, as those of a level of a tree may. */
static uint32_t set_of(const struct bdb_frames *frames, uint32_t number) {
  return (uint32_t)((uint64_t)(number * UINT32_C(2654435769)) * frames->sets >> 32);
}

static void note_recent(struct bdb_frames *frames, uint32_t at) {
  if (frames->recent[0] == at)
    return;
  frames->recent[1] = frames->recent[0];
  frames->recent[0] = at;
}

static bool read_page(const struct bdb_frames *frames, unsigned char *page, uint32_t number) {
  const off_t at = (off_t)number * frames->page_bytes;
  return pread(frames->fd, page, frames->page_bytes, at) == (ssize_t)frames->page_bytes;
}

const unsigned char *bdb_frames_get(struct bdb_frames *frames, uint32_t number) {
  const uint32_t at = choose(frames, set_of(frames, number) * frames_of_set, number);
  struct bdb_frame *frame = &frames->frames[at];
  unsigned char *page = frames->pages + (size_t)at * frames->page_bytes;
  note_recent(frames, at);
  if (frame->page == number) {
    frame->used = ++frames->clock;
    return page;
  }
  const bool got = read_page(frames, page, number);
  *frame = (struct bdb_frame){got ? number : 0, 0};
  return got ? page : NULL;
}
