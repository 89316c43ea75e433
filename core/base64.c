/* SPDX-License-Identifier: BSD-2-Clause */
/* base64.c - base64 as in RFC 4648 section 4. */
#include "base64.h"

#include <stdint.h>

#include "buf.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes the @p n (1 to 3) bytes at @p from as four characters. */
static void encode_group(const unsigned char *from, size_t n, char *to) {
  uint32_t bits = (uint32_t)from[0] << 16;
  if (n > 1)
    bits |= (uint32_t)from[1] << 8;
  if (n > 2)
    bits |= from[2];
  to[0] = alphabet[bits >> 18];
  to[1] = alphabet[bits >> 12 & 63];
  to[2] = n > 1 ? alphabet[bits >> 6 & 63] : '=';
  to[3] = n > 2 ? alphabet[bits & 63] : '=';
}

bool base64_encode(const char *data, size_t len, dictum_buf *out) {
  size_t groups = len / 3 + (len % 3 != 0);
  size_t size;
  if (__builtin_mul_overflow(groups, 4, &size) || !buf_reserve(out, size))
    return false;
  const unsigned char *from = (const unsigned char *)data;
  char *to = out->data + out->len;
  for (size_t i = 0; i < len; i += 3, to += 4)
    encode_group(from + i, len - i < 3 ? len - i : 3, to);
  out->len += size;
  out->data[out->len] = '\0';
  return true;
}

/* Returns what one character stands for, or 64 for one that is not of the alphabet. */
static uint32_t digit_value(char c) {
  if (c >= 'A' && c <= 'Z')
    return (uint32_t)(c - 'A');
  if (c >= 'a' && c <= 'z')
    return (uint32_t)(c - 'a') + 26;
  if (c >= '0' && c <= '9')
    return (uint32_t)(c - '0') + 52;
  return c == '+' ? 62 : c == '/' ? 63 : 64;
}

bool base64_decode_in_place(char *text, size_t *len) {
  if (*len % 4 != 0)
    return false;
  size_t digits = *len;
  for (int padding = 0; padding < 2 && digits > 0 && text[digits - 1] == '='; padding++)
    digits--;
  for (size_t i = 0; i < digits; i++)
    if (digit_value(text[i]) > 63)
      return false;
  /* The result is always behind what is read. */
  size_t n = 0;
  uint32_t bits = 0;
  for (size_t i = 0; i < digits; i++) {
    bits = bits << 6 | digit_value(text[i]);
    if (i % 4 != 0)
      text[n++] = (char)(bits >> (6 - i % 4 * 2) & 0xff);
  }
  if (n < *len)
    text[n] = '\0';
  *len = n;
  return true;
}
