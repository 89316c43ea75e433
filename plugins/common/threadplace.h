/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threadplace.h - where a thread begins to look among places that threads share.
 *
 * Threads that run at the same time should begin at different ones, as two that
 * use the same memory are slower than one.
 */
#ifndef DICTUM_PLUGINS_THREADPLACE_H
#define DICTUM_PLUGINS_THREADPLACE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/** Returns a place below @p n, at most 2^32, for the thread that calls. */
static inline size_t threadplace(size_t n) {
  /* What tells threads apart is an address, and those are mostly a power of two apart. This
   * multiplication (Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, 6.4)
   * spreads such steps evenly over the high bits. */
  const uint64_t golden = 0x9E3779B97F4A7C15;
  const uint64_t spread = (uint64_t)(uintptr_t)pthread_self() * golden;
  return (size_t)((spread >> 32) * n >> 32);
}

#endif
