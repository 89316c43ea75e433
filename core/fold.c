/* SPDX-License-Identifier: BSD-2-Clause */
/* fold.c - UTF-8 validity (RFC 3629) and case folding of keys. */
#include "fold.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

#include "buf.h"
#include "words.h"

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
  if (len >= word_size) {
    for (size_t i = 0; i + word_size <= len; i += word_size)
      if (word_at(text + i) & WORD_TOP_BITS)
        return false;
    return (word_at(text + len - word_size) & WORD_TOP_BITS) == 0; /* some bytes again */
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
    if (len >= word_size && (word_at(text) & WORD_TOP_BITS) == 0) {
      text += word_size;
      len -= word_size;
      continue;
    }
    size_t width = utf8_char_len(text, len);
    if (width == 0)
      return false;
    text += width;
    len -= width;
  }
  return true;
}

static char lower(char c) {
  return (char)(c + (char)((unsigned char)(c - 'A') < 26) * 32);
}

void lower_ascii(const char *text, size_t len, char *to) {
  for (size_t i = 0; i < len; i++)
    to[i] = lower(text[i]);
}

bool fold_ascii(const char *text, size_t len, dictum_buf *out) {
  if (!buf_reserve(out, len))
    return false;
  lower_ascii(text, len, out->data + out->len);
  out->len += len;
  out->data[out->len] = '\0';
  return true;
}

/* What a character of two bytes folds to, if that has two bytes as well; 0: nobody asked yet, or it
 * has not. Threads may find out the same at the same time. */
static _Atomic uint16_t folded_pairs[0x800];

static _Atomic uint16_t *folded_pair(const unsigned char *s) {
  return &folded_pairs[(s[0] & 0x1f) << 6 | (s[1] & 0x3f)];
}

/* Does U+3000 to U+9FFF or U+B000 to U+CFFF begin so? There are no letters of two cases, nor will
 * there be. */
static bool begins_caseless(unsigned char c) {
  return c >= 0xe3 && c <= 0xec && c != 0xea;
}

/* Folds as long as it is known how, and takes as many bytes as before. @return how many bytes */
static size_t fold_known(const char *text, size_t len, char *to) {
  const unsigned char *s = (const unsigned char *)text;
  size_t n = 0;
  while (n < len) {
    if (s[n] < 0x80) {
      to[n] = lower(text[n]);
      n++;
    } else if (begins_caseless(s[n]) && len - n >= 3) {
      memcpy(to + n, text + n, 3);
      n += 3;
    } else if (s[n] >= 0xc2 && s[n] < 0xe0 && len - n >= 2) {
      uint16_t pair = atomic_load_explicit(folded_pair(s + n), memory_order_relaxed);
      if (pair == 0)
        break;
      memcpy(to + n, &pair, sizeof pair);
      n += sizeof pair;
    } else {
      break;
    }
  }
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
  const size_t before = out->len;
  for (utf8proc_ssize_t i = 0; i < n; i++)
    out->len += (size_t)utf8proc_encode_char(folded[i], (utf8proc_uint8_t *)out->data + out->len);
  out->data[out->len] = '\0';
  uint16_t pair;
  if (width == sizeof pair && out->len - before == sizeof pair) {
    memcpy(&pair, out->data + before, sizeof pair);
    atomic_store_explicit(folded_pair((const unsigned char *)text), pair, memory_order_relaxed);
  }
  return (size_t)width;
}

bool fold_utf8(const char *text, size_t len, dictum_buf *out) {
  for (;;) {
    if (!buf_reserve(out, len))
      return false;
    size_t n = fold_known(text, len, out->data + out->len);
    out->len += n;
    out->data[out->len] = '\0';
    text += n;
    len -= n;
    if (len == 0)
      return true;
    n = fold_char(text, len, out);
    if (n == 0)
      return false;
    text += n;
    len -= n;
  }
}
