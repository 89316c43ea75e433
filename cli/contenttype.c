/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contenttype.c - the value of a Content-Type header: its tokens, in segments
 * that end at a semicolon. Three tokens of a segment say all there is to say:
 * "multipart" "/" "digest", or "boundary" "=" "xyz".
 */
#include "contenttype.h"

#include <string.h>
#include <strings.h>

#define SPACES " \t\r\n"
/* RFC 2045, section 5.1. A backslash, too, stands for itself out of quotes. */
#define SPECIALS "()<>@,;:\\\"/[]?="

enum token_kind { TOKEN_NONE, TOKEN_ATOM, TOKEN_QUOTED, TOKEN_SPECIAL };

/* Points into the value. A quoted one is what is between the quotes, escapes and all. */
struct token {
  enum token_kind kind;
  const char *text;
  size_t len;
};

enum { SEGMENT_TOKENS = 3 };
struct segment {
  struct token tokens[SEGMENT_TOKENS];
};

static bool is_atom_char(char c) {
  unsigned char byte = (unsigned char)c;
  return byte > ' ' && byte != 0x7f && !strchr(SPECIALS, c);
}

/* Returns what follows a backslash and the character that it protects. */
static const char *skip_escape(const char *s) {
  return s[1] ? s + 2 : s + 1;
}

/* Comments nest. One that is not closed takes all that follows. */
static const char *skip_comment(const char *s) {
  int depth = 0;
  do {
    depth += *s == '(' ? 1 : *s == ')' ? -1 : 0;
    s = *s == '\\' ? skip_escape(s) : s + 1;
  } while (depth > 0 && *s);
  return s;
}

static const char *skip_blanks(const char *s) {
  for (;;) {
    s += strspn(s, SPACES);
    if (*s != '(')
      return s;
    s = skip_comment(s);
  }
}

static const char *read_quoted(const char *s, struct token *token) {
  const char *end = ++s;
  while (*end && *end != '"')
    end = *end == '\\' ? skip_escape(end) : end + 1;
  *token = (struct token){TOKEN_QUOTED, s, (size_t)(end - s)};
  return *end ? end + 1 : end;
}

static const char *read_token(const char *s, struct token *token) {
  *token = (struct token){TOKEN_NONE, NULL, 0};
  s = skip_blanks(s);
  if (*s == '\0')
    return s;
  if (*s == '"')
    return read_quoted(s, token);
  const char *end = s;
  while (is_atom_char(*end))
    end++;
  if (end > s)
    *token = (struct token){TOKEN_ATOM, s, (size_t)(end - s)};
  else
    *token = (struct token){TOKEN_SPECIAL, s, 1}, end++;
  return end;
}

static bool is_special(const struct token *token, char c) {
  return token->kind == TOKEN_SPECIAL && *token->text == c;
}

static bool is_atom(const struct token *token, const char *word) {
  return token->kind == TOKEN_ATOM && token->len == strlen(word) &&
         strncasecmp(token->text, word, token->len) == 0;
}

/* Reads to the semicolon; tokens beyond the first three are passed over. */
static const char *read_segment(const char *s, struct segment *segment) {
  *segment = (struct segment){0};
  size_t n = 0;
  for (;;) {
    struct token token;
    s = read_token(s, &token);
    if (token.kind == TOKEN_NONE || is_special(&token, ';'))
      return s;
    if (n < SEGMENT_TOKENS)
      segment->tokens[n++] = token;
  }
}

static const struct token *subtype(const struct segment *segment) {
  static const struct token none = {TOKEN_NONE, NULL, 0};
  return is_special(&segment->tokens[1], '/') ? &segment->tokens[2] : &none;
}

static enum content_kind kind_of(const struct segment *segment) {
  const struct token *type = &segment->tokens[0];
  if (type->kind == TOKEN_NONE || is_atom(type, "text"))
    return CONTENT_PLAIN;
  if (is_atom(type, "multipart"))
    return CONTENT_MULTIPART;
  if (!is_atom(type, "message"))
    return CONTENT_AS_BEFORE;
  bool whole = is_atom(subtype(segment), "rfc822") || is_atom(subtype(segment), "global");
  return whole ? CONTENT_MESSAGE : CONTENT_PLAIN;
}

struct content_type content_type_read(const char *value) {
  struct segment segment;
  struct content_type type = {.rest = read_segment(value, &segment)};
  type.kind = kind_of(&segment);
  type.digest = type.kind == CONTENT_MULTIPART && is_atom(subtype(&segment), "digest");
  return type;
}

/* Copies a token without its escapes and the line ends of folding. */
static size_t copy_text(const struct token *token, char *room, size_t size) {
  size_t n = 0;
  const char *end = token->text + token->len;
  bool quoted = token->kind == TOKEN_QUOTED;
  for (const char *s = token->text; s < end && n < size; s++) {
    if (quoted && *s == '\n')
      continue;
    if (quoted && *s == '\r' && s + 1 < end && s[1] == '\n')
      continue;
    if (quoted && *s == '\\' && ++s == end)
      break;
    room[n++] = *s;
  }
  return n;
}

bool content_type_boundary(struct content_type *type, char *room, size_t size, size_t *len) {
  while (*type->rest) {
    struct segment segment;
    type->rest = read_segment(type->rest, &segment);
    const struct token *text = &segment.tokens[2];
    if (!is_atom(&segment.tokens[0], "boundary") || !is_special(&segment.tokens[1], '=') ||
        text->kind == TOKEN_NONE)
      continue;
    *len = copy_text(text, room, size);
    return true;
  }
  return false;
}
