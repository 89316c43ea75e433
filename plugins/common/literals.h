/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * literals.h - texts that must be in a key for a regular expression to match it.
 *
 * What is not understood beyond doubt has no such texts. Letters are in lower
 * case, whether the pattern heeds their case or not.
 */
#ifndef DICTUM_PLUGINS_LITERALS_H
#define DICTUM_PLUGINS_LITERALS_H

#include <stdbool.h>
#include <stddef.h>

enum literals_syntax {
  LITERALS_POSIX, /**< extended, as glibc understands it */
  LITERALS_PERL   /**< without the flag x */
};

/* A text is cut at its most; one that is too short is in too many keys. */
enum { LITERAL_LEAST = 4, LITERAL_MOST = 64, LITERALS_MOST = 16 };

struct literal {
  unsigned char len;
  char text[LITERAL_MOST];
};

/** A key that matches has one of these in it: one for each alternative of the pattern. */
struct literals {
  size_t n;
  struct literal list[LITERALS_MOST];
};

/** Returns @p c in lower case, as ASCII knows it. */
static inline char literal_fold(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/** Finds them, in a pattern that can be compiled.
 * @return false when there are none that help. */
bool literals_of(const char *pattern, enum literals_syntax syntax, struct literals *out);

#endif
