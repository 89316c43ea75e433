/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * literals.c - texts that must be in a key for a regular expression to match it.
 *
 * The pattern is read once, outside of groups only: characters in a row that
 * stand for themselves make a text, and the longest of each alternative counts.
 * Dropping a part of a pattern only makes more keys match, so what stands in
 * groups and brackets may be skipped; what may give the rest another meaning,
 * such as "(?x)" or "(*ACCEPT)", may not.
 */
#include "literals.h"

#include <string.h>

struct scan {
  enum literals_syntax syntax;
  struct literal row;  /* being read */
  struct literal best; /* of this alternative */
  struct literals *out;
};

enum repeat { REPEAT_ONCE, REPEAT_SOME, REPEAT_PERHAPS, REPEAT_UNCLEAR };

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_alnum(char c) {
  char folded = literal_fold(c);
  return is_digit(c) || (folded >= 'a' && folded <= 'z');
}

static bool is_repeat(char c) {
  return c == '*' || c == '+' || c == '?' || c == '{';
}

/* Reads what says how often the atom before @p *p may be there. */
static enum repeat read_repeat(const char **p, enum literals_syntax syntax) {
  const char *at = *p;
  if (!is_repeat(*at))
    return REPEAT_ONCE;
  bool needed = *at == '+';
  if (*at == '{') {
    if (!is_digit(at[1]))
      return REPEAT_UNCLEAR;
    for (at++; is_digit(*at); at++)
      needed = needed || *at != '0';
    if (*at == ',')
      at += 1 + strspn(at + 1, "0123456789");
    if (*at != '}')
      return REPEAT_UNCLEAR;
  }
  at++;
  /* Perl: as little as can be, or never given back. To POSIX it is one more repetition. */
  if (syntax == LITERALS_PERL && (*at == '?' || *at == '+'))
    at++;
  if (is_repeat(*at))
    return REPEAT_UNCLEAR;
  *p = at;
  return needed ? REPEAT_SOME : REPEAT_PERHAPS;
}

/* ---- what is skipped ------------------------------------------------------------------------ */

/* Each returns where to go on, or NULL when that is not clear. */

/* Returns the end of "[:name:]", of which @p p is the first bracket. */
static const char *skip_class_name(const char *p) {
  if (p[1] != ':')
    return NULL;
  for (p += 2; is_alnum(*p) || *p == '^'; p++)
    continue;
  return p[0] == ':' && p[1] == ']' ? p + 2 : NULL;
}

static const char *skip_bracket(const char *p, enum literals_syntax syntax) {
  p++;
  if (*p == '^')
    p++;
  if (*p == ']')
    p++;
  while (*p != ']') {
    if (*p == '\0')
      return NULL;
    if (*p == '[' && p[1] != '\0' && strchr(":.=", p[1])) {
      p = skip_class_name(p);
      if (!p)
        return NULL;
    } else if (*p == '\\' && syntax == LITERALS_PERL) {
      if (p[1] == '\0' || strchr("QEc", p[1]))
        return NULL;
      p += 2;
    } else {
      p++;
    }
  }
  return p + 1;
}

/* Does what follows the parenthesis at @p p leave the rest of the pattern as it is? */
static bool is_plain_group(const char *p, enum literals_syntax syntax) {
  if (!is_repeat(p[1]))
    return true;
  if (syntax != LITERALS_PERL || p[1] != '?')
    return false;
  if (p[2] == 'P')
    return p[3] == '<';
  return p[2] != '\0' && strchr(":=!<>|", p[2]) != NULL;
}

static const char *skip_group(const char *p, enum literals_syntax syntax) {
  size_t depth = 0;
  do {
    if (*p == '\0' || (*p == '(' && !is_plain_group(p, syntax)))
      return NULL;
    if (*p == '\\') {
      if (p[1] == '\0' || (syntax == LITERALS_PERL && strchr("QEc", p[1])))
        return NULL;
      p += 2;
    } else if (*p == '[') {
      p = skip_bracket(p, syntax);
      if (!p)
        return NULL;
    } else {
      depth += *p == '(';
      depth -= *p == ')';
      p++;
    }
  } while (depth > 0);
  return p;
}

/* ---- what counts ---------------------------------------------------------------------------- */

static void end_row(struct scan *scan) {
  if (scan->row.len > scan->best.len)
    scan->best = scan->row;
  scan->row.len = 0;
}

static bool end_alternative(struct scan *scan) {
  end_row(scan);
  if (scan->best.len < LITERAL_LEAST || scan->out->n == LITERALS_MOST)
    return false;
  scan->out->list[scan->out->n++] = scan->best;
  scan->best.len = 0;
  return true;
}

/* Takes a character that stands for itself; @p p is behind it. */
static const char *take_character(struct scan *scan, char c, const char *p) {
  enum repeat repeat = read_repeat(&p, scan->syntax);
  if (repeat == REPEAT_UNCLEAR)
    return NULL;
  if (repeat != REPEAT_PERHAPS) {
    if (scan->row.len == LITERAL_MOST)
      end_row(scan);
    scan->row.text[scan->row.len++] = literal_fold(c);
  }
  if (repeat != REPEAT_ONCE)
    end_row(scan);
  return p;
}

/* Takes something that matches one of many texts, or none; @p p is behind it, or NULL. */
static const char *take_other(struct scan *scan, const char *p) {
  end_row(scan);
  return p && read_repeat(&p, scan->syntax) != REPEAT_UNCLEAR ? p : NULL;
}

/* Takes a position between characters; @p p is behind it. */
static const char *take_position(struct scan *scan, const char *p) {
  end_row(scan);
  return is_repeat(*p) ? NULL : p;
}

static const char *take_escape(struct scan *scan, const char *p) {
  char c = p[1];
  if (c == '\0')
    return NULL;
  if (strchr("dDwWsS", c))
    return take_other(scan, p + 2);
  if (strchr(scan->syntax == LITERALS_PERL ? "bBAzZ" : "bB<>`'", c))
    return take_position(scan, p + 2);
  return is_alnum(c) ? NULL : take_character(scan, c, p + 2);
}

static const char *take_next(struct scan *scan, const char *p) {
  switch (*p) {
  case '|':
    return end_alternative(scan) ? p + 1 : NULL;
  case '(':
    return take_other(scan, skip_group(p, scan->syntax));
  case '[':
    return take_other(scan, skip_bracket(p, scan->syntax));
  case '.':
    return take_other(scan, p + 1);
  case '^':
  case '$':
    return take_position(scan, p + 1);
  case '\\':
    return take_escape(scan, p);
  case ')':
  case '*':
  case '+':
  case '?':
  case '{':
    return NULL;
  }
  return take_character(scan, *p, p + 1);
}

bool literals_of(const char *pattern, enum literals_syntax syntax, struct literals *out) {
  struct scan scan = {.syntax = syntax, .out = out};
  out->n = 0;
  for (const char *p = pattern; *p;) {
    p = take_next(&scan, p);
    if (!p)
      return false;
  }
  return end_alternative(&scan);
}
