/* SPDX-License-Identifier: BSD-2-Clause */
/* fold.h - UTF-8 validity (RFC 3629) and case folding of keys. */
#ifndef DICTUM_CORE_FOLD_H
#define DICTUM_CORE_FOLD_H

#include <stdbool.h>
#include "include/dictum.h"

/** Returns the length in bytes of the valid UTF-8 character at @p text, or 0. */
size_t utf8_char_len(const char *text, size_t len);
bool utf8_valid(const char *text, size_t len);
/** True when no byte is above 127. */
bool ascii_only(const char *text, size_t len);

/** Writes @p text to @p to with A-Z as a-z; other bytes stay. */
void lower_ascii(const char *text, size_t len, char *to);
/** Appends @p text with A-Z as a-z; other bytes stay. @return false when memory is out. */
bool fold_ascii(const char *text, size_t len, dictum_buf *out);
/** Appends valid UTF-8 with Unicode's full default case folding, without normalisation.
 * @return false when memory is out. */
bool fold_utf8(const char *text, size_t len, dictum_buf *out);

#endif
