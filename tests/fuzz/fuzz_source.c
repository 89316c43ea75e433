/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_source.c - feeds the readers of logical lines and entries. The first byte picks the flags.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctx.h"
#include "lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum;

/* Reads every byte that is handed over, for the sanitizer's sake. */
static void touch(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++)
    sum += (unsigned char)text[i];
}

static void on_event(void *rock, const dictum_event *event) {
  (void)rock;
  touch(event->text, strlen(event->text) + 1);
}

static dictum_ctx ctx = {.events = {on_event, NULL}};

static void read_entries(int fd, uint32_t flags) {
  dictum_source *source;
  dictum_entry entry;
  if (dictum_source_open(&ctx, fd, "fuzz", flags, &source, NULL) != DICTUM_OK)
    return;
  while (dictum_source_next(source, &entry, NULL) == DICTUM_OK) {
    touch(entry.key, entry.keylen);
    touch(entry.value, entry.valuelen);
  }
  dictum_source_close(source);
}

/* The same bytes as a table's name. */
static void read_text(const uint8_t *data, size_t size) {
  static const struct lines_owner owner = {&ctx.events, ""};
  char *text = malloc(size + 1);
  if (!text)
    return;
  memcpy(text, data, size);
  text[size] = '\0';
  dictum_lines *lines;
  struct line line;
  if (lines_open_text(text, "fuzz map", &owner, &lines, NULL) == DICTUM_OK) {
    while (lines_next(lines, &line, NULL) == DICTUM_OK) {
      line_trim(&line);
      touch(line.text, line.len + 1);
      memset(line.text, 'x', line.len); /* it is ours to change */
    }
    lines_close(lines);
  }
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  read_text(data + 1, size - 1);
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0)
    return 0;
  /* Values that name files would make the outcome depend on the machine. */
  uint32_t flags = data[0] & (DICTUM_SOURCE_ALIASES | DICTUM_SOURCE_UTF8);
  if (write(fd, data + 1, size - 1) == (ssize_t)(size - 1) && lseek(fd, 0, SEEK_SET) == 0)
    read_entries(fd, flags);
  close(fd);
  return 0;
}
