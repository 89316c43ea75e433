/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * posix_expression.h - POSIX regular expressions that are compiled when they are needed.
 *
 * A plain one (plain_pattern.h) waits for its first match; any other is compiled
 * at once, as it may be wrong. The caller of all of these has set the "C" locale
 * for its thread: patterns and keys are bytes.
 *
 * Threads: any number, without a lock. Of several that compile the same one at
 * the same moment, the first has made it for all.
 */
#ifndef DICTUM_REGEXP_POSIX_EXPRESSION_H
#define DICTUM_REGEXP_POSIX_EXPRESSION_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

struct posix_expression;

/** Room for the reason of a failure, in the C library's words. */
enum { POSIX_EXPRESSION_WHY = 256 };

/** Makes one of @p pattern, which is copied.
 * @param flags     of regcomp()
 * @param may_wait  compile a plain pattern when it is first needed
 * @param code      receives 0; REG_ESPACE when memory is out; another REG_*, and @p why, when it is
 *               wrong or too large (pattern_size.h)
 * @return NULL after a failure. */
struct posix_expression *posix_expression_new(const char *pattern, int flags, bool may_wait,
                                              int *code, char why[POSIX_EXPRESSION_WHY]);
/** NULL is fine. */
void posix_expression_free(struct posix_expression *expression);

/** Returns the pattern as it was written. */
const char *posix_expression_text(const struct posix_expression *expression);
/** Returns the flags that it was made with. */
int posix_expression_flags(const struct posix_expression *expression);
/** Returns how many groups it has. */
size_t posix_expression_groups(const struct posix_expression *expression);

/** Looks for a match in @p text.
 * @param n       how many of @p groups to fill in; 0 is faster than 1
 * @param groups  room for @p n, and at least for one; it is changed also when n is 0
 * @return 0; REG_NOMATCH; REG_ESPACE; another, whose words regerror() has. */
int posix_expression_match(struct posix_expression *expression, const char *text, size_t len,
                           size_t n, regmatch_t *groups);

#endif
