/* SPDX-License-Identifier: BSD-2-Clause */
/* plain_pattern.c - patterns that any library compiles. */
#include "plain_pattern.h"

#include <string.h>

/* Far below what any library takes. */
enum { longest = 1000, deepest = 20 };

/* What a repetition may follow. */
enum before {
  NOTHING,   /* the beginning of an alternative: neither a repetition nor its end */
  POSITION,  /* an anchor */
  CHARACTER, /* all repetitions */
  GROUP,     /* all but intervals, which multiply */
  REPETITION /* the sign that makes it a short one */
};

struct scan {
  const char *p;
  enum before before;
  unsigned depth, groups;
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

static bool is_punctuation(char c) {
  return c > ' ' && c < 0x7f && !is_digit(c) && !is_upper(c) && !is_lower(c);
}

/* ---- [...] ---------------------------------------------------------------------------------- */

/* Moves behind "[:name:]". */
static bool take_class(const char **p) {
  static const char *const names[] = {"[:alnum:]", "[:alpha:]", "[:blank:]", "[:cntrl:]",
                                      "[:digit:]", "[:graph:]", "[:lower:]", "[:print:]",
                                      "[:punct:]", "[:space:]", "[:upper:]", "[:xdigit:]"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    size_t len = strlen(names[i]);
    if (strncmp(*p, names[i], len) != 0)
      continue;
    *p += len;
    return (*p)[0] != '-' || (*p)[1] == ']';
  }
  return false;
}

/* Moves behind a character, or a range of digits or letters. */
static bool take_range(const char **p) {
  const char *from = *p;
  if (from[1] != '-' || from[2] == ']') {
    *p += 1;
    return true;
  }
  *p += 3;
  bool alike = (is_digit(from[0]) && is_digit(from[2])) ||
               (is_upper(from[0]) && is_upper(from[2])) || (is_lower(from[0]) && is_lower(from[2]));
  return alike && from[0] <= from[2] && ((*p)[0] != '-' || (*p)[1] == ']');
}

static bool take_bracket(struct scan *scan) {
  const char *p = scan->p + 1;
  if (*p == ':' || *p == '.' || *p == '=') /* Perl's refuses a class without its brackets */
    return false;
  if (*p == '^')
    p++;
  if (*p == ']' || *p == '-')
    return false;
  while (*p != ']') {
    if (*p == '\0' || *p == '\\')
      return false;
    if (*p == '[' ? !take_class(&p) : !take_range(&p))
      return false;
  }
  scan->p = p + 1;
  scan->before = CHARACTER;
  return true;
}

/* ---- what is repeated, and how -------------------------------------------------------------- */

static bool take_star(struct scan *scan) {
  bool after_atom = scan->before == CHARACTER || scan->before == GROUP;
  if (!after_atom && (scan->before != REPETITION || *scan->p != '?'))
    return false;
  scan->before = after_atom ? REPETITION : POSITION;
  scan->p++;
  return true;
}

/* Moves behind a number of one or two digits. */
static bool take_number(const char **p, int *number) {
  if (!is_digit(**p))
    return false;
  *number = *(*p)++ - '0';
  if (is_digit(**p))
    *number = *number * 10 + (*(*p)++ - '0');
  return !is_digit(**p);
}

static bool take_interval(struct scan *scan) {
  int least, most;
  const char *p = scan->p + 1;
  if (scan->before != CHARACTER || !take_number(&p, &least))
    return false;
  if (*p == ',') {
    p++;
    if (*p != '}' && (!take_number(&p, &most) || most < least))
      return false;
  }
  if (*p != '}')
    return false;
  scan->p = p + 1;
  scan->before = POSITION;
  return true;
}

static bool take_escape(struct scan *scan) {
  char c = scan->p[1];
  if (c == '\0')
    return false;
  if (strchr("bB", c))
    scan->before = POSITION;
  else if (strchr("sSwW", c) || (is_punctuation(c) && !strchr("<>`'", c)))
    scan->before = CHARACTER;
  else
    return false;
  scan->p += 2;
  return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool take_open(struct scan *scan) {
  if (scan->depth == deepest)
    return false;
  scan->p++;
  scan->depth++;
  scan->groups++;
  scan->before = NOTHING;
  return true;
}

static bool take_close(struct scan *scan) {
  if (scan->depth == 0 || scan->before == NOTHING)
    return false;
  scan->p++;
  scan->depth--;
  scan->before = GROUP;
  return true;
}

static bool take_bar(struct scan *scan) {
  if (scan->before == NOTHING)
    return false;
  scan->p++;
  scan->before = NOTHING;
  return true;
}

static bool take_one(struct scan *scan) {
  switch (*scan->p) {
  case '[':
    return take_bracket(scan);
  case '(':
    return take_open(scan);
  case ')':
    return take_close(scan);
  case '|':
    return take_bar(scan);
  case '*':
  case '+':
  case '?':
    return take_star(scan);
  case '{':
    return take_interval(scan);
  case '\\':
    return take_escape(scan);
  }
  scan->before = *scan->p == '^' || *scan->p == '$' ? POSITION : CHARACTER;
  scan->p++;
  return true;
}

bool plain_pattern(const char *pattern, unsigned *groups) {
  struct scan scan = {.p = pattern, .before = NOTHING};
  if (strlen(pattern) > longest)
    return false;
  while (*scan.p)
    if (!take_one(&scan))
      return false;
  *groups = scan.groups;
  return scan.depth == 0 && scan.before != NOTHING;
}
