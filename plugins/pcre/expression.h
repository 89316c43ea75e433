/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expression.h - matching with PCRE2, within limits of time and memory.
 *
 * A pattern is compiled at once, as it may be wrong; a plain one (plain_pattern.h)
 * when it is first needed. It is interpreted the first few times; one that is
 * used more often is compiled to machine code. Where machine code reaches a limit, the interpreter
 * has the last word: its limits are exact, and those of Postfix. So the answer
 * does not depend on which of the two gave it.
 */
#ifndef DICTUM_PCRE_EXPRESSION_H
#define DICTUM_PCRE_EXPRESSION_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <dictum_plugin.h>
#include <pcre2.h>
#include <stdatomic.h>
#include <stdbool.h>

/** A pattern. Any number of threads may match with it. */
struct expression;

/** Makes one of @p pattern, which is copied, with PCRE2's options @p flags.
 * @param may_wait  compile a plain pattern when it is first needed
 * @param code    receives PCRE2's number of what went wrong
 * @param offset  receives where in the pattern
 * @return NULL after a failure. */
struct expression *expression_new(const char *pattern, uint32_t flags, bool may_wait, int *code,
                                  size_t *offset);
/** NULL is fine. Also in a forked child. */
void expression_free(struct expression *expression);
/** Returns the pattern as it was written. */
const char *expression_text(const struct expression *expression);
/** Returns the options that it was made with. */
uint32_t expression_flags(const struct expression *expression);
/** Returns how many groups it has. */
unsigned expression_groups(const struct expression *expression);

/** Memory to match in, for one call at a time. */
struct matcher;

/** Matchers that wait for the next call. Zero at first. */
struct matchers {
  unsigned groups; /**< the highest group that anybody asks for */
  struct {
    _Alignas(64) _Atomic(struct matcher *) idle; /* on a cache line of its own */
  } places[8];
};

/** Returns a matcher, or NULL when memory is out. */
struct matcher *matchers_take(struct matchers *matchers);
void matchers_give(struct matchers *matchers, struct matcher *matcher);
/** Releases those that wait. */
void matchers_free(struct matchers *matchers);

/** Looks for a match in @p text, which may hold any bytes.
 * @return 1; 0 when there is none; else PCRE2's negative number of what went wrong. */
int expression_match(struct expression *expression, struct matcher *matcher, const char *text,
                     size_t len);
/** Returns what group @p n matched in the last match of @p matcher; empty when it took no part. */
dictum_key matcher_group(const struct matcher *matcher, const char *text, unsigned n);

#endif
