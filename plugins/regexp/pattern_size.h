/* SPDX-License-Identifier: BSD-2-Clause */
/* pattern_size.h - what compiling a regular expression would cost. */
#ifndef DICTUM_PLUGINS_PATTERN_SIZE_H
#define DICTUM_PLUGINS_PATTERN_SIZE_H

#include <stdbool.h>

/** Tells whether regcomp() must not be given @p pattern, as it could run out of memory or stack.
 * A text that is no pattern may get either answer.
 * @param extended  as with REG_EXTENDED */
bool pattern_is_too_large(const char *pattern, bool extended);

#endif
