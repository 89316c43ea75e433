/* SPDX-License-Identifier: BSD-2-Clause */
/* buf.h - the growing buffer behind dictum_buf; after each call data[len] is NUL. */
#ifndef DICTUM_CORE_BUF_H
#define DICTUM_CORE_BUF_H

#include <stdbool.h>
#include "include/dictum.h"

/** Makes room for @p extra more bytes and a NUL. @return false when memory is out. */
bool buf_reserve(dictum_buf *buf, size_t extra);
/** Appends bytes. @return false when memory is out; @p buf is then unchanged. */
bool buf_append(dictum_buf *buf, const char *data, size_t len);
bool buf_append_str(dictum_buf *buf, const char *text);
bool buf_append_char(dictum_buf *buf, char c);
/** Empties without releasing memory. */
void buf_clear(dictum_buf *buf);
/** What begins at @p off; of a buffer that nothing was ever put in, an empty text. */
static inline const char *buf_at(const dictum_buf *buf, size_t off) {
  return buf->data ? buf->data + off : "";
}

#endif
