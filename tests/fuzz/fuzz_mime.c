/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_mime.c - feeds a message to the reader of postmap's -h, -b and -m. The first byte says
 * whether parts are looked for, and how narrow the limits are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was told must be no more than what there was: an empty line after the headers, and the
 * newlines within them, aside. */
struct told {
  size_t bytes;
  size_t texts;
};

static dictum_status take(void *rock, const char *text, size_t len) {
  struct told *told = rock;
  if (memchr(text, '\0', len)) /* reads every byte, for the sanitizer's sake */
    abort();
  told->bytes += len;
  told->texts++;
  return DICTUM_OK;
}

static dictum_status take_few(void *rock, const char *text, size_t len) {
  dictum_status status = take(rock, text, len);
  return ((struct told *)rock)->texts < 5 ? status : DICTUM_CONFIG;
}

/* Each line is a copy of its own, so that reading beyond its end is noticed. */
static dictum_status feed(struct mime *mime, const char *text, size_t size) {
  dictum_status status = DICTUM_OK;
  while (size > 0 && status == DICTUM_OK) {
    const char *end = memchr(text, '\n', size);
    size_t len = end ? (size_t)(end - text) : size;
    char *line = malloc(len ? len : 1);
    if (!line)
      return DICTUM_NOMEM;
    memcpy(line, text, len);
    status = mime_line(mime, line, len);
    free(line);
    size_t taken = end ? len + 1 : len;
    text += taken;
    size -= taken;
  }
  return status == DICTUM_OK ? mime_end(mime) : status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const bool narrow = data[0] & 2, few = data[0] & 4;
  const struct mime_options options = {
      .parts = data[0] & 1,
      .header_size = narrow ? 20 : 102400,
      .boundary_size = narrow ? 2 : 2048,
      .nesting = narrow ? 1 : 100,
  };
  struct told told = {0};
  const struct mime_sink sink = {few ? take_few : take, few ? take_few : take, &told};
  struct mime *mime = mime_new(&options, &sink);
  if (!mime)
    return 0;
  feed(mime, (const char *)data + 1, size - 1);
  mime_free(mime);
  if (told.bytes > size || told.texts > size + 1)
    abort();
  return 0;
}
