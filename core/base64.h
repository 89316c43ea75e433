/* SPDX-License-Identifier: BSD-2-Clause */
/* base64.h - base64 as in RFC 4648 section 4: with padding, without line breaks. */
#ifndef DICTUM_CORE_BASE64_H
#define DICTUM_CORE_BASE64_H

#include <stdbool.h>
#include "include/dictum.h"

/** Appends the encoded @p data. @return false when memory is out; @p out is then unchanged. */
bool base64_encode(const char *data, size_t len, dictum_buf *out);

/** Decodes @p text onto itself and shortens @p len. Each byte must be of the alphabet and the
 * padding complete; left-over bits of the last character may have any value, as for Postfix.
 * A NUL is written behind the result if there is room within the old length.
 * @return false, with @p text unchanged, when it is not base64. */
bool base64_decode_in_place(char *text, size_t *len);

#endif
