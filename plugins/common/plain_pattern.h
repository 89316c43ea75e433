/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain_pattern.h - patterns that any library compiles, so that this can wait until they are
 * needed.
 *
 * A table must tell at open which of its patterns are wrong. Of a plain one that
 * is known without compiling it: it has only what POSIX's extended expressions
 * and Perl's have in common, and little of that in an unusual place. What is not
 * understood beyond doubt is not plain.
 */
#ifndef DICTUM_PLUGINS_PLAIN_PATTERN_H
#define DICTUM_PLUGINS_PLAIN_PATTERN_H

#include <stdbool.h>

/** Tells whether @p pattern can be compiled for sure, but for want of memory: by regcomp() with
 * REG_EXTENDED, and by PCRE2 without PCRE2_EXTENDED.
 * @param groups  receives how many groups it has */
bool plain_pattern(const char *pattern, unsigned *groups);

#endif
