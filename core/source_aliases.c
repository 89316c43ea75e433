/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source_aliases.c - one line of aliases(5): "name: value".
 *
 * Both sides are lists of RFC 822 tokens, and are written anew as they are read:
 *
 *     word     "quoted \" text"     (comment (nested))     [literal]
 *     and each of these for itself:   | % ! < > @ , ; : . ) ]
 *
 * Outside of comments "\x" stands for x, and a tab or line end for a space. A
 * word with something in it that only quotes can hold is written in quotes.
 *
 * Nearly all text is of characters that stay as they are: these are copied in stretches.
 */
#include "source.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"
#include "lines.h"

/* What a token is; one that stands for itself is its own character. */
enum { NO_TOKEN = 0, WORD = 256, QUOTED, COMMENT, LITERAL };

/* One bit for each byte that there is. */
typedef uint64_t char_set[4];

#define BIT(c) (UINT64_C(1) << ((c)&63))
/* What is written as a space. */
#define TURNED (BIT('\t') | BIT('\r') | BIT('\n'))
/* White space between tokens; narrower than that around lines. */
#define SEPARATORS (BIT(' ') | TURNED)
#define SINGLES_TO_63                                                                              \
  (BIT('%') | BIT('!') | BIT('<') | BIT('>') | BIT(',') | BIT(';') | BIT(':') | BIT('.') | BIT(')'))
#define SINGLES_FROM_64 (BIT('|') | BIT('@') | BIT(']'))
#define CONTROLS_TO_63 UINT64_C(0xffffffff)
#define CONTROLS_FROM_64 BIT(0x7f)

static const char_set singles = {SINGLES_TO_63, SINGLES_FROM_64};
static const char_set word_ends = {SINGLES_TO_63 | SEPARATORS | BIT('"') | BIT('('),
                                   SINGLES_FROM_64 | BIT('[')};
/* Where a stretch of characters that stay as they are is over. */
static const char_set word_stops = {SINGLES_TO_63 | SEPARATORS | BIT('"') | BIT('(') |
                                        CONTROLS_TO_63,
                                    SINGLES_FROM_64 | BIT('[') | BIT('\\') | CONTROLS_FROM_64};
static const char_set quoted_stops = {TURNED | BIT('"'), BIT('\\')};
static const char_set literal_stops = {TURNED, BIT(']') | BIT('\\')};

/* What is written with a backslash. */
static const char in_quotes[] = "\"\\", in_literals[] = "\\";

/* What is left to read. */
struct scan {
  const char *p, *end;
};

/* One side of the line while it is written. */
struct side {
  dictum_buf *out;
  int last; /* kind of the token before */
  bool has_at, has_comma;
};

static bool is_in(const char_set set, char c) {
  return set[(unsigned char)c >> 6] >> (c & 63) & 1;
}

static bool separates(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool ends_word(char c) {
  return is_in(word_ends, c);
}

static bool is_control(char c) {
  return (unsigned char)c < ' ' || c == 0x7f;
}

static int next_kind(struct scan *scan) {
  while (scan->p < scan->end && separates(*scan->p))
    scan->p++;
  if (scan->p == scan->end)
    return NO_TOKEN;
  switch (*scan->p) {
  case '"':
    return QUOTED;
  case '(':
    return COMMENT;
  case '[':
    return LITERAL;
  default:
    return is_in(singles, *scan->p) ? *scan->p : WORD;
  }
}

/* ---- reading a token, writing it ---------------------------------------------------------- */

/* Appends one character of a word, literal or quoted text, with a backslash if among @p special. */
static bool write_char(dictum_buf *out, char c, const char *special) {
  if (separates(c))
    c = ' ';
  if (c != '\0' && strchr(special, c) && !buf_append_char(out, '\\'))
    return false;
  return buf_append_char(out, c);
}

/* Copies characters up to one of @p stops. */
static bool copy_stretch(struct scan *scan, dictum_buf *out, const char_set stops) {
  const char *start = scan->p, *p = start;
  while (p < scan->end && !is_in(stops, *p))
    p++;
  scan->p = p;
  return buf_append(out, start, (size_t)(p - start));
}

/* Takes one character, or what a backslash protects. @return false at the end, or at an
 * unprotected @p close, which is taken too. */
static bool take_char(struct scan *scan, char close, char *c) {
  if (scan->p == scan->end)
    return false;
  *c = *scan->p++;
  if (*c == close)
    return false;
  if (*c != '\\')
    return true;
  if (scan->p == scan->end)
    return false;
  *c = *scan->p++;
  return true;
}

static bool copy_enclosed(struct scan *scan, dictum_buf *out, char open, char close,
                          const char_set stops, const char *special) {
  scan->p++;
  if (!buf_append_char(out, open) || !copy_stretch(scan, out, stops))
    return false;
  for (char c; take_char(scan, close, &c);)
    if (!write_char(out, c, special) || !copy_stretch(scan, out, stops))
      return false;
  return buf_append_char(out, close);
}

/* Comments stay as they are, also without their end. */
static bool copy_comment(struct scan *scan, dictum_buf *out) {
  const char *start = scan->p;
  size_t depth = 0;
  while (scan->p < scan->end) {
    char c = *scan->p++;
    if (c == '(')
      depth++;
    else if (c == ')' && --depth == 0)
      break;
    else if (c == '\\' && scan->p < scan->end)
      scan->p++;
  }
  return buf_append(out, start, (size_t)(scan->p - start));
}

/* Does the word need quotes? Only what a backslash protects can be such a character, but for
 * controls. */
static bool word_wants_quotes(struct scan scan) {
  while (scan.p < scan.end && !ends_word(*scan.p)) {
    char c;
    bool protected = *scan.p == '\\';
    if (take_char(&scan, '\0', &c) && (is_control(c) || (protected && (ends_word(c) || c == '\\'))))
      return true;
  }
  return false;
}

static bool at_word_end(const struct scan *scan) {
  return scan->p == scan->end || ends_word(*scan->p);
}

/* A word with something in it that does not stay as it is. */
static bool copy_odd_word(struct scan *scan, dictum_buf *out) {
  bool quoted = word_wants_quotes(*scan);
  if (quoted && !buf_append_char(out, '"'))
    return false;
  while (!at_word_end(scan)) {
    char c;
    if (take_char(scan, '\0', &c) && !write_char(out, c, quoted ? in_quotes : ""))
      return false;
  }
  return !quoted || buf_append_char(out, '"');
}

static bool copy_word(struct scan *scan, dictum_buf *out) {
  const struct scan before = *scan;
  const size_t len = out->len;
  if (!copy_stretch(scan, out, word_stops))
    return false;
  if (at_word_end(scan))
    return true;
  *scan = before;
  out->len = len;
  out->data[len] = '\0';
  return copy_odd_word(scan, out);
}

static bool copy_token(struct scan *scan, int kind, dictum_buf *out) {
  switch (kind) {
  case QUOTED:
    return copy_enclosed(scan, out, '"', '"', quoted_stops, in_quotes);
  case LITERAL:
    return copy_enclosed(scan, out, '[', ']', literal_stops, in_literals);
  case COMMENT:
    return copy_comment(scan, out);
  case WORD:
    return copy_word(scan, out);
  case ',':
    scan->p++;
    return buf_append(out, ", ", 2);
  default:
    return buf_append_char(out, *scan->p++);
  }
}

/* ---- sides -------------------------------------------------------------------------------- */

static bool is_wordy(int kind) {
  return kind == WORD || kind == QUOTED || kind == COMMENT || kind == LITERAL;
}

static bool wants_space(int last, int kind) {
  if (last == NO_TOKEN || last == ',') /* a comma brings its own */
    return false;
  return kind == '<' || (is_wordy(last) && is_wordy(kind));
}

/* Writes tokens until @p stop, which is taken, or the end. @p stopped: was it there? */
static bool write_side(struct scan *scan, int stop, struct side *side, bool *stopped) {
  *stopped = false;
  for (int kind; (kind = next_kind(scan)) != NO_TOKEN;) {
    if (kind == stop) {
      scan->p++;
      *stopped = true;
      return true;
    }
    if (wants_space(side->last, kind) && !buf_append_char(side->out, ' '))
      return false;
    if (!copy_token(scan, kind, side->out))
      return false;
    side->last = kind;
    side->has_at |= kind == '@' || kind == '%';
    side->has_comma |= kind == ',';
  }
  return true;
}

dictum_status alias_split(const char *text, size_t len, dictum_buf *name, dictum_buf *value,
                          const char **mistake) {
  struct scan scan = {text, text + len};
  struct side left = {.out = name}, right = {.out = value};
  bool colon, unused;
  buf_clear(name);
  buf_clear(value);
  /* Also for empty sides: what is given must point somewhere. */
  if (!buf_reserve(name, 0) || !buf_reserve(value, 0) || !write_side(&scan, ':', &left, &colon) ||
      !write_side(&scan, NO_TOKEN, &right, &unused))
    return DICTUM_NOMEM;
  *mistake = NULL;
  if (!colon || left.last == NO_TOKEN || right.last == NO_TOKEN || left.has_comma)
    *mistake = "need name:value pair";
  else if (left.has_at)
    *mistake = "name must be local";
  return DICTUM_OK;
}
