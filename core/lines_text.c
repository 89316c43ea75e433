/* SPDX-License-Identifier: BSD-2-Clause */
/* lines_text.c - logical lines that stand in a table's name: "{ {line}, {line} }". */
#include "lines.h"

#include "braces.h"
#include "buf.h"
#include "error.h"

static dictum_status unbrace(struct piece whole, const char *label, struct piece *inner,
                             dictum_error *err) {
  const char *mistake = braces_strip(whole, inner);
  if (!mistake)
    return DICTUM_OK;
  return error_set(err, DICTUM_CONFIG, 0, "%s: %s in \"%.*s\"", label, mistake,
                   (int)(whole.len < 200 ? whole.len : 200), whole.text);
}

/* Writes each piece as a line of its own, as if it stood in a file. */
static dictum_status write_lines(struct piece rest, const char *label, dictum_buf *out,
                                 dictum_error *err) {
  struct piece word, line;
  while (braces_next_word(&rest, &word)) {
    dictum_status status = unbrace(word, label, &line, err);
    if (status != DICTUM_OK)
      return status;
    line = piece_trim(line);
    if (!buf_append(out, line.text, line.len) || !buf_append_char(out, '\n'))
      return error_nomem(err);
  }
  return DICTUM_OK;
}

dictum_status lines_open_text(const char *text, const char *label, const struct lines_owner *owner,
                              dictum_lines **out, dictum_error *err) {
  *out = NULL;
  struct piece inner;
  dictum_status status = unbrace(piece_of(text), label, &inner, err);
  if (status != DICTUM_OK)
    return status;
  dictum_buf content = {0};
  /* Also for no lines at all: the reader wants a place for its NUL. */
  if (!buf_reserve(&content, 0))
    return error_nomem(err);
  status = write_lines(inner, label, &content, err);
  if (status == DICTUM_OK)
    return lines_open_content(&content, label, owner, out, err);
  dictum_buf_free(&content);
  return status;
}
