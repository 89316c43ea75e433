/* SPDX-License-Identifier: BSD-2-Clause */
/* posix_expression.c - POSIX regular expressions that are compiled when they are needed. */
#include "posix_expression.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern_size.h"
#include "plain_pattern.h"

struct posix_expression {
  _Atomic(regex_t *) compiled; /* NULL: not yet */
  int flags;
  unsigned groups;
  char text[];
};

/* ---- compiling ------------------------------------------------------------------------------ */

static int compile(const char *pattern, int flags, regex_t **out) {
  regex_t *regex = malloc(sizeof *regex);
  if (!regex)
    return REG_ESPACE;
  int code = regcomp(regex, pattern, flags);
  if (code == 0)
    *out = regex;
  else
    free(regex);
  return code;
}

static void release(regex_t *regex) {
  if (!regex)
    return;
  regfree(regex);
  free(regex);
}

static int compiled(struct posix_expression *expression, regex_t **out) {
  *out = atomic_load_explicit(&expression->compiled, memory_order_acquire);
  if (*out)
    return 0;
  regex_t *own, *others = NULL;
  int code = compile(expression->text, expression->flags, &own);
  if (code != 0)
    return code;
  bool first = atomic_compare_exchange_strong_explicit(&expression->compiled, &others, own,
                                                       memory_order_acq_rel, memory_order_acquire);
  if (!first)
    release(own);
  *out = first ? own : others;
  return 0;
}

static struct posix_expression *new_plain(const char *pattern, int flags, unsigned groups) {
  size_t size = strlen(pattern) + 1;
  struct posix_expression *expression = malloc(sizeof *expression + size);
  if (!expression)
    return NULL;
  atomic_init(&expression->compiled, NULL);
  expression->flags = flags;
  expression->groups = groups;
  memcpy(expression->text, pattern, size);
  return expression;
}

/* At once: it may be wrong. */
static struct posix_expression *new_compiled(const char *pattern, int flags, int *code, char *why) {
  regex_t *regex;
  *code = compile(pattern, flags, &regex);
  if (*code != 0) {
    regerror(*code, NULL, why, POSIX_EXPRESSION_WHY);
    return NULL;
  }
  struct posix_expression *expression = new_plain(pattern, flags, (unsigned)regex->re_nsub);
  if (expression)
    atomic_store_explicit(&expression->compiled, regex, memory_order_relaxed);
  else
    release(regex);
  return expression;
}

struct posix_expression *posix_expression_new(const char *pattern, int flags, bool may_wait,
                                              int *code, char why[POSIX_EXPRESSION_WHY]) {
  if (pattern_is_too_large(pattern, flags & REG_EXTENDED)) {
    /* The C library's own words, where it counts itself. */
    snprintf(why, POSIX_EXPRESSION_WHY, "Regular expression too big");
    *code = REG_BADPAT;
    return NULL;
  }
  unsigned groups;
  bool plain = may_wait && (flags & REG_EXTENDED) && plain_pattern(pattern, &groups);
  *code = 0;
  struct posix_expression *expression = plain ? new_plain(pattern, flags, groups)
                                              : new_compiled(pattern, flags, code, why);
  if (!expression && *code == 0)
    *code = REG_ESPACE;
  return expression;
}

void posix_expression_free(struct posix_expression *expression) {
  if (!expression)
    return;
  release(atomic_load_explicit(&expression->compiled, memory_order_acquire));
  free(expression);
}

const char *posix_expression_text(const struct posix_expression *expression) {
  return expression->text;
}

int posix_expression_flags(const struct posix_expression *expression) {
  return expression->flags;
}

size_t posix_expression_groups(const struct posix_expression *expression) {
  return expression->groups;
}

/* ---- matching ------------------------------------------------------------------------------- */

int posix_expression_match(struct posix_expression *expression, const char *text, size_t len,
                           size_t n, regmatch_t *groups) {
  regex_t *regex;
  int code = compiled(expression, &regex);
  if (code != 0)
    return code;
#ifdef REG_STARTEND
  groups[0].rm_so = 0;
  groups[0].rm_eo = (regoff_t)len;
  return regexec(regex, text, n, groups, REG_STARTEND);
#else
  (void)len;
  return regexec(regex, text, n, groups, 0);
#endif
}
