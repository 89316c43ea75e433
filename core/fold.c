/* SPDX-License-Identifier: BSD-2-Clause */
/* fold.c - UTF-8 validity (RFC 3629) and case folding of keys. */
#include "fold.h"

#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

#include "buf.h"

size_t utf8_char_len(const char *text, size_t len) {
  const unsigned char *s = (const unsigned char *)text;
  if (len == 0)
    return 0;
  if (s[0] < 0x80)
    return 1;
  size_t width = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4 || width > len)
    return 0;
  /* The second byte rules out overlong forms, surrogates and what is above U+10FFFF. */
  unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
  unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
  if (s[1] < low || s[1] > high)
    return 0;
  for (size_t i = 2; i < width; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  return width;
}

bool ascii_only(const char *text, size_t len) {
  uint64_t word;
  for (; len >= sizeof word; text += sizeof word, len -= sizeof word) {
    memcpy(&word, text, sizeof word);
    if (word & UINT64_C(0x8080808080808080))
      return false;
  }
  for (; len > 0; text++, len--)
    if ((unsigned char)*text >= 0x80)
      return false;
  return true;
}

bool utf8_valid(const char *text, size_t len) {
  if (ascii_only(text, len))
    return true;
  while (len > 0) {
    size_t width = utf8_char_len(text, len);
    if (width == 0)
      return false;
    text += width;
    len -= width;
  }
  return true;
}

void lower_ascii(const char *text, size_t len, char *to) {
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    to[i] = (char)(c + (unsigned char)((unsigned char)(c - 'A') < 26) * 32);
  }
}

bool fold_ascii(const char *text, size_t len, dictum_buf *out) {
  if (!buf_reserve(out, len))
    return false;
  lower_ascii(text, len, out->data + out->len);
  out->len += len;
  out->data[out->len] = '\0';
  return true;
}

static size_t ascii_run(const char *text, size_t len) {
  size_t n = 0;
  while (n < len && (unsigned char)text[n] < 0x80)
    n++;
  return n;
}

/* No character folds to more than three (Unicode CaseFolding.txt, status F). */
enum { most_folded = 3, longest_encoded = 4 };

/* Folds the first character. @return its width; 0 when memory is out */
static size_t fold_char(const char *text, size_t len, dictum_buf *out) {
  utf8proc_int32_t code, folded[8];
  int boundary = 0;
  utf8proc_ssize_t width = utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len,
                                            &code);
  if (width <= 0) /* invalid: the caller has checked, so never here */
    return buf_append(out, text, len) ? len : 0;
  utf8proc_ssize_t n = utf8proc_decompose_char(code, folded, 8, UTF8PROC_CASEFOLD, &boundary);
  if (n < 0 || n > most_folded) {
    folded[0] = code;
    n = 1;
  }
  if (!buf_reserve(out, most_folded * longest_encoded))
    return 0;
  for (utf8proc_ssize_t i = 0; i < n; i++)
    out->len += (size_t)utf8proc_encode_char(folded[i], (utf8proc_uint8_t *)out->data + out->len);
  out->data[out->len] = '\0';
  return (size_t)width;
}

bool fold_utf8(const char *text, size_t len, dictum_buf *out) {
  if (!buf_reserve(out, len))
    return false;
  out->data[out->len] = '\0';
  while (len > 0) {
    size_t n = ascii_run(text, len);
    if (n > 0 && !fold_ascii(text, n, out))
      return false;
    if (n == 0)
      n = fold_char(text, len, out);
    if (n == 0)
      return false;
    text += n;
    len -= n;
  }
  return true;
}
