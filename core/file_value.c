/* SPDX-License-Identifier: BSD-2-Clause */
/* file_value.c - values that are names of files: postmap -F. */
#include "file_value.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "buf.h"
#include "error.h"
#include "lines.h"
#include "slurp.h"

static bool is_separator(char c) {
  return c == ',' || is_space(c);
}

static dictum_status append_file(const char *name, size_t len, dictum_buf *content,
                                 dictum_error *err) {
  if (memchr(name, '\0', len))
    return error_set(err, DICTUM_CONFIG, 0, "open %.*s: null byte in pathname", (int)strlen(name),
                     name);
  char *path = strndup(name, len);
  if (!path)
    return error_nomem(err);
  dictum_status status = slurp_file(path, content, err);
  free(path);
  return status;
}

static dictum_status append_files(const char *names, size_t len, dictum_buf *content,
                                  dictum_error *err) {
  bool any = false;
  for (size_t i = 0; i < len;) {
    if (is_separator(names[i])) {
      i++;
      continue;
    }
    size_t n = 1;
    while (i + n < len && !is_separator(names[i + n]))
      n++;
    if (any && !buf_append_char(content, '\n'))
      return error_nomem(err);
    dictum_status status = append_file(names + i, n, content, err);
    if (status != DICTUM_OK)
      return status;
    any = true;
    i += n;
  }
  if (any)
    return DICTUM_OK;
  return error_set(err, DICTUM_CONFIG, 0, "empty pathname list: \"%.*s\"",
                   (int)(len < 200 ? len : 200), names);
}

dictum_status file_value(const char *names, size_t len, dictum_buf *out, dictum_error *err) {
  buf_clear(out);
  dictum_buf content = {0};
  dictum_status status = append_files(names, len, &content, err);
  if (status == DICTUM_OK && !base64_encode(content.data, content.len, out))
    status = error_nomem(err);
  dictum_buf_free(&content);
  return status;
}
