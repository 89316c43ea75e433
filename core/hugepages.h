/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hugepages.h - memory that is used all over, in the largest pages that the system has.
 *
 * It comes by millions of small pages otherwise, of which each costs a fault, and then misses of
 * the table that finds it.
 */
#ifndef DICTUM_CORE_HUGEPAGES_H
#define DICTUM_CORE_HUGEPAGES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

/** What a system may give out at once. */
enum { huge_page = 2 << 20 };

/** Asks for huge pages where there is room for some. It is no matter whether they come. */
static inline void hugepages_ask(void *memory, size_t size) {
#ifdef MADV_HUGEPAGE
  const uintptr_t mask = huge_page - 1;
  const uintptr_t from = ((uintptr_t)memory + mask) & ~mask;
  const uintptr_t to = ((uintptr_t)memory + size) & ~mask;
  if (to > from)
    (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
  (void)memory, (void)size;
#endif
}

#endif
