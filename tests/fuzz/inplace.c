/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inplace.c - for libFuzzer: changes to files whose parts have their places.
 *
 * Most of libFuzzer's own changes make an input longer or shorter, and all that
 * follows moves: what was a file of pages is none any more, and nothing but the
 * check of its first page is ever tried. Here mostly numbers are changed where
 * they stand.
 */
#ifdef LIBFUZZER
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

enum { least_file = 64 };

static size_t below(unsigned *seed, size_t n) {
  return (size_t)rand_r(seed) % n;
}

/* A place for @p bytes, mostly one where a number of that size would stand. */
static size_t place_for(unsigned *seed, size_t size, size_t bytes) {
  size_t at = below(seed, size - bytes + 1);
  return below(seed, 4) == 0 ? at : at / bytes * bytes;
}

static void change_number(uint8_t *data, size_t size, unsigned *seed) {
  const size_t bytes = (size_t)1 << below(seed, 4), at = place_for(seed, size, bytes);
  uint64_t number = 0;
  memcpy(&number, data + at, bytes);
  switch (below(seed, 5)) {
  case 0:
    number = (uint64_t)rand_r(seed) << 32 ^ (uint64_t)rand_r(seed);
    break;
  case 1:
    number = below(seed, 32);
    break;
  case 2:
    number += below(seed, 16) - 8;
    break;
  case 3:
    number ^= UINT64_C(1) << below(seed, 8 * bytes);
    break;
  default:
    memcpy(&number, data + place_for(seed, size, bytes), bytes);
  }
  memcpy(data + at, &number, bytes);
}

/* Puts what stands elsewhere, up to a page, in a like place. */
static void copy_block(uint8_t *data, size_t size, unsigned *seed) {
  size_t bytes = (size_t)16 << below(seed, 6);
  bytes = bytes < size ? bytes : size;
  memmove(data + place_for(seed, size, bytes), data + place_for(seed, size, bytes), bytes);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  if (size < least_file || below(&seed, 32) == 0)
    return LLVMFuzzerMutate(data, size, max_size);
  for (size_t changes = 1 + below(&seed, 4); changes > 0; changes--) {
    if (below(&seed, 8) == 0)
      copy_block(data, size, &seed);
    else
      change_number(data, size, &seed);
  }
  return size;
}
#else
extern int fuzz_inplace_is_not_here;
#endif
