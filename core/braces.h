/* SPDX-License-Identifier: BSD-2-Clause */
/* braces.h - the syntax of table names that hold text: "{ word, {text of any kind} }". */
#ifndef DICTUM_CORE_BRACES_H
#define DICTUM_CORE_BRACES_H

#include <stdbool.h>
#include <stddef.h>

/** A piece of some text. */
struct piece {
  const char *text;
  size_t len;
};

struct piece piece_of(const char *text);
/** Without the white space at both ends. */
struct piece piece_trim(struct piece piece);

/** Takes "{text}" apart: @p inner receives the text.
 * @return NULL; or what is wrong, a constant: nothing may stand before or behind the braces. */
const char *braces_strip(struct piece whole, struct piece *inner);

/** Cuts the next word off @p rest. Words are separated by commas and white space; those within
 * braces do not separate. @return false when there is none. */
bool braces_next_word(struct piece *rest, struct piece *word);

#endif
