/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c - a growing piece of text, for plugins that put one together. */
#include "text.h"

#include <stdlib.h>
#include <string.h>

bool text_reserve(struct text *text, size_t len) {
  size_t needed;
  if (__builtin_add_overflow(text->len, len, &needed) || __builtin_add_overflow(needed, 1, &needed))
    return false;
  if (needed <= text->room)
    return true;
  size_t room = text->room < 32 ? 64 : text->room * 2;
  if (room < needed)
    room = needed;
  char *data = realloc(text->data, room);
  if (!data)
    return false;
  text->data = data;
  text->room = room;
  return true;
}

bool text_append(struct text *text, const char *bytes, size_t len) {
  if (!text_reserve(text, len))
    return false;
  if (len > 0)
    memcpy(text->data + text->len, bytes, len);
  text->len += len;
  text->data[text->len] = '\0';
  return true;
}

void text_clear(struct text *text) {
  text->len = 0;
  if (text->data)
    text->data[0] = '\0';
}

void text_free(struct text *text) {
  free(text->data);
  *text = (struct text){0};
}
