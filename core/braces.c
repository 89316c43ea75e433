/* SPDX-License-Identifier: BSD-2-Clause */
/* braces.c - the syntax of table names that hold text: "{ word, {text of any kind} }". */
#include "braces.h"

#include <string.h>

#include "lines.h"

struct piece piece_of(const char *text) {
  return (struct piece){text, strlen(text)};
}

struct piece piece_trim(struct piece piece) {
  while (piece.len > 0 && is_space(piece.text[0])) {
    piece.text++;
    piece.len--;
  }
  while (piece.len > 0 && is_space(piece.text[piece.len - 1]))
    piece.len--;
  return piece;
}

/* Returns the length up to the brace that closes the one at the start, with it, or 0. */
static size_t braced_len(struct piece piece) {
  size_t depth = 0;
  for (size_t i = 0; i < piece.len; i++) {
    if (piece.text[i] == '{')
      depth++;
    else if (piece.text[i] == '}' && --depth == 0)
      return i + 1;
  }
  return 0;
}

const char *braces_strip(struct piece whole, struct piece *inner) {
  if (whole.len == 0 || whole.text[0] != '{')
    return "no '{' at start of text";
  size_t len = braced_len(whole);
  if (len == 0)
    return "missing '}'";
  if (len < whole.len)
    return "syntax error after '}'";
  *inner = (struct piece){whole.text + 1, len - 2};
  return NULL;
}

static bool is_separator(char c) {
  return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool braces_next_word(struct piece *rest, struct piece *word) {
  while (rest->len > 0 && is_separator(rest->text[0])) {
    rest->text++;
    rest->len--;
  }
  size_t depth = 0, len = 0;
  for (; len < rest->len && (depth > 0 || !is_separator(rest->text[len])); len++) {
    if (rest->text[len] == '{')
      depth++;
    else if (rest->text[len] == '}' && depth > 0)
      depth--;
  }
  *word = (struct piece){rest->text, len};
  rest->text += len;
  rest->len -= len;
  return len > 0;
}
