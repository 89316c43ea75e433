/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pattern_size.c - what compiling a regular expression would cost.
 *
 * A repetition copies what it repeats, so a few nested ones are enough to want
 * gigabytes; and the C library recurses into groups and along rows of loops. It
 * sets itself no limit, so the copies are counted before it makes them.
 */
#include "pattern_size.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Measured with glibc: it needs some 250 bytes for a node, up to 8 bytes for each pair of branches
 * in a row, and up to 1 kB of stack for a group in groups and 400 bytes for a loop in a row. */
enum { max_depth = 200, max_nodes = 100000, max_branches = 4000, loop_branches = 2 };
/* Its time doubles with each tangle in a row: 10 take milliseconds, 20 minutes. */
enum { max_tangles = 10 };
/* Memory grows with at least the third power of the positions in a row: 20 can take a gigabyte. */
enum { max_positions = 10 };
/* So does its time with intervals in each other around a loop of what may match nothing: 18 rounds
 * take a tenth of a second, 27 one second, 36 thirteen. */
enum { max_nested_rounds = 24 };
/* Sizes are cut here: above all limits, and still far from overflow when multiplied. */
enum { size_cap = 1 << 20 };

struct size {
  uint64_t nodes;
  uint64_t branches;  /* places where a match can go on in more than one way */
  uint64_t tangles;   /* loops of at least one round that can each go round without a character */
  uint64_t positions; /* most anchors in a row, with no character that must be between */
  uint64_t rounds;    /* of intervals around loops that spin; in each other they multiply */
  bool nested;        /* some are in each other */
  bool spins;         /* has a loop of what matches the empty text in more than one way */
  bool nullable;      /* matches the empty text */
};

/* What a group contains so far: all but its last atom, and that, which a repetition may follow. */
struct group {
  struct size before, last;
  uint64_t row;  /* anchors in a row at the end of what is before */
  bool nullable; /* one of its finished alternatives is */
};

static const struct size nothing = {.nullable = true};
static const struct size one_character = {.nodes = 1};
static const struct size one_position = {.nodes = 1, .positions = 1, .nullable = true};

static uint64_t capped(uint64_t n) {
  return n < size_cap ? n : size_cap;
}

static void close_atom(struct group *group, struct size next) {
  group->before.nodes = capped(group->before.nodes + group->last.nodes);
  group->before.branches = capped(group->before.branches + group->last.branches);
  group->before.tangles = capped(group->before.tangles + group->last.tangles);
  group->before.spins = group->before.spins || group->last.spins;
  group->before.rounds = capped(group->before.rounds + group->last.rounds);
  group->before.nested = group->before.nested || group->last.nested;
  group->before.nullable = group->before.nullable && group->last.nullable;
  group->row = capped(group->row + group->last.positions);
  if (group->before.positions < group->row)
    group->before.positions = group->row;
  if (!group->last.nullable)
    group->row = 0;
  group->last = next;
}

static void close_alternative(struct group *group) {
  close_atom(group, nothing);
  group->nullable = group->nullable || group->before.nullable;
  group->before.nullable = true;
  group->row = 0;
}

/* Repeats the last atom: it is copied @p copies times, and so often there is a choice. */
static void repeat(struct group *group, uint64_t copies, uint64_t choices) {
  struct size *last = &group->last;
  last->nodes = capped((last->nodes + 1) * copies + choices);
  last->branches = capped(last->branches * copies + choices * loop_branches);
  last->tangles = capped(last->tangles * copies);
  last->positions = capped(last->positions * copies);
}

/* Repeats the last atom @p min times or more. */
static void loop(struct group *group, uint64_t min) {
  bool tangled = min > 0 && group->last.nullable &&
                 group->last.branches + group->last.positions > 0;
  group->last.spins |= group->last.nullable && group->last.branches > 0;
  repeat(group, min + 1, 1);
  if (tangled)
    group->last.tangles = capped(group->last.tangles + min + 1);
  group->last.nullable = group->last.nullable || min == 0;
}

/* Notes an interval of at most @p max rounds around the last atom. */
static void note_rounds(struct group *group, uint64_t max) {
  struct size *last = &group->last;
  if (max < 2 || !last->spins)
    return;
  last->nested = last->rounds > 0;
  last->rounds = last->nested ? capped(last->rounds * max) : max;
}

/* Returns the end of the bracket expression that begins at @p p. */
static const char *skip_bracket(const char *p) {
  p++;
  if (*p == '^')
    p++;
  if (*p == ']')
    p++;
  for (; *p && *p != ']'; p++)
    if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
      char end[3] = {p[1], ']', '\0'};
      const char *close = strstr(p + 2, end);
      if (close)
        p = close + 1;
    }
  return *p ? p + 1 : p;
}

static uint64_t read_count(const char **p) {
  uint64_t n = 0;
  for (; **p >= '0' && **p <= '9'; (*p)++)
    n = capped(n * 10 + (uint64_t)(**p - '0'));
  return n;
}

/* Counts the interval whose numbers begin at @p p. @return where to go on */
static const char *read_interval(const char *p, struct group *group) {
  uint64_t min = read_count(&p), max = min;
  bool open_ended = false;
  if (*p == ',') {
    p++;
    open_ended = *p < '0' || *p > '9';
    max = read_count(&p);
  }
  /* Beyond, the C library stops and copies nothing. */
  bool possible = min <= RE_DUP_MAX && max <= RE_DUP_MAX;
  if (possible)
    note_rounds(group, open_ended ? min + 1 : max);
  if (possible && open_ended)
    loop(group, min);
  else if (possible && max > 0)
    repeat(group, max, max > min ? max - min : 0);
  if (min == 0)
    group->last.nullable = true;
  if (*p == '\\')
    p++;
  return *p == '}' ? p + 1 : p;
}

/* Takes a group as one atom of the group around it. */
static void close_group(struct group *group) {
  close_alternative(group);
  struct size whole = group->before;
  whole.nodes = capped(whole.nodes + 2);
  whole.nullable = group->nullable;
  close_atom(group - 1, whole);
}

/* Counts what stands between parentheses, if it is special there. @return where to go on, or NULL
 */
static const char *count_operator(const char *next, bool escaped, bool extended,
                                  struct group *group) {
  char c = next[-1];
  if (c == '*' ? escaped : escaped == extended)
    return NULL;
  switch (c) {
  case '*':
    loop(group, 0);
    return next;
  case '+':
    loop(group, 1);
    return next;
  case '?':
    repeat(group, 1, 1);
    group->last.nullable = true;
    return next;
  case '{':
    return read_interval(next, group);
  case '|':
    close_atom(group, (struct size){.nodes = 1, .branches = 1, .nullable = true});
    close_alternative(group);
    return next;
  }
  return NULL;
}

/* Anchors, those of the C library's own, and back references, which may be to an empty text. */
static bool is_position(char c, bool escaped) {
  return c != '\0' && strchr(escaped ? "bB<>`'123456789" : "^$", c) != NULL;
}

static const char *count_one(const char *p, bool extended, struct group *group) {
  bool escaped = *p == '\\' && p[1];
  const char *next = p + (escaped ? 2 : 1);
  const char *behind = count_operator(next, escaped, extended, group);
  if (behind)
    return behind;
  close_atom(group, is_position(next[-1], escaped) ? one_position : one_character);
  return *p == '[' ? skip_bracket(p) : next;
}

/* Is there the parenthesis @p c of the given syntax? */
static bool is_paren(const char *p, bool extended, char c) {
  return extended ? *p == c : *p == '\\' && p[1] == c;
}

static bool is_too_large(const struct size *size) {
  return size->nodes > max_nodes || size->branches > max_branches || size->tangles > max_tangles ||
         size->positions > max_positions || (size->nested && size->rounds > max_nested_rounds);
}

bool pattern_is_too_large(const char *pattern, bool extended) {
  static const struct group empty = {.before = {.nullable = true}, .last = {.nullable = true}};
  struct group groups[max_depth + 1];
  groups[0] = empty;
  size_t depth = 0;
  const size_t paren_len = extended ? 1 : 2;
  for (const char *p = pattern; *p;) {
    if (is_paren(p, extended, '(')) {
      if (depth == max_depth)
        return true;
      groups[++depth] = empty;
      p += paren_len;
    } else if (is_paren(p, extended, ')') && depth > 0) {
      close_group(&groups[depth--]);
      p += paren_len;
    } else {
      p = count_one(p, extended, &groups[depth]);
    }
  }
  while (depth > 0) /* not closed: not a pattern, but regcomp() finds that out last */
    close_group(&groups[depth--]);
  close_atom(&groups[0], nothing);
  return is_too_large(&groups[0].before);
}
