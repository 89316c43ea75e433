/* SPDX-License-Identifier: BSD-2-Clause */
/* buf.c - the growing buffer behind dictum_buf. */
#include "buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const size_t first_capacity = 128;

bool buf_reserve(dictum_buf *buf, size_t extra) {
  size_t need;
  if (__builtin_add_overflow(buf->len, extra, &need) || __builtin_add_overflow(need, 1, &need))
    return false;
  if (need <= buf->cap)
    return true;
  size_t cap = buf->cap ? buf->cap : first_capacity;
  while (cap < need) {
    if (cap > SIZE_MAX / 2) {
      cap = need;
      break;
    }
    cap *= 2;
  }
  char *data = realloc(buf->data, cap);
  if (!data)
    return false;
  buf->data = data;
  buf->cap = cap;
  return true;
}

bool buf_append(dictum_buf *buf, const char *data, size_t len) {
  if (!buf_reserve(buf, len))
    return false;
  if (len > 0)
    memcpy(buf->data + buf->len, data, len);
  buf->len += len;
  buf->data[buf->len] = '\0';
  return true;
}

bool buf_append_str(dictum_buf *buf, const char *text) {
  return buf_append(buf, text, strlen(text));
}

bool buf_append_char(dictum_buf *buf, char c) {
  return buf_append(buf, &c, 1);
}

void buf_clear(dictum_buf *buf) {
  buf->len = 0;
  if (buf->data)
    buf->data[0] = '\0';
}

void dictum_buf_free(dictum_buf *buf) {
  if (!buf)
    return;
  free(buf->data);
  *buf = (dictum_buf){0};
}
