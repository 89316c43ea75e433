/* SPDX-License-Identifier: BSD-2-Clause */
/* words.h - text eight bytes at a time. */
#ifndef DICTUM_CORE_WORDS_H
#define DICTUM_CORE_WORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WORD_EACH_BYTE UINT64_C(0x0101010101010101)
#define WORD_TOP_BITS (UINT64_C(0x80) * WORD_EACH_BYTE)

enum { word_size = sizeof(uint64_t) };

static inline uint64_t word_at(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  return word;
}

/** Is any byte below @p limit, which is 128 at most? */
static inline bool word_has_below(uint64_t word, unsigned limit) {
  return ((word - limit * WORD_EACH_BYTE) & ~word & WORD_TOP_BITS) != 0;
}

static inline bool word_has(uint64_t word, char c) {
  return word_has_below(word ^ (unsigned char)c * WORD_EACH_BYTE, 1);
}

/** The top bit of each byte that is a capital letter of ASCII's. */
static inline uint64_t word_capitals(uint64_t word) {
  const uint64_t low = word & ~WORD_TOP_BITS;
  return (low + (0x80 - 'A') * WORD_EACH_BYTE) & ~(low + (0x80 - 'Z' - 1) * WORD_EACH_BYTE) &
         ~word & WORD_TOP_BITS;
}

#endif
