/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h - a growing piece of text, for plugins that put one together. */
#ifndef DICTUM_PLUGINS_TEXT_H
#define DICTUM_PLUGINS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/** Starts as {0}. After the first text_append(), data[len] is a NUL byte. */
struct text {
  char *data;
  size_t len, room;
};

/** False when memory is out; then nothing has changed. */
bool text_append(struct text *text, const char *bytes, size_t len);
/** Makes room for @p len more bytes and the NUL, for a caller that writes behind data + len. */
bool text_reserve(struct text *text, size_t len);
/** Empties it and keeps the memory. */
void text_clear(struct text *text);
/** Empties it and releases the memory. */
void text_free(struct text *text);

#endif
