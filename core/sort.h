/* SPDX-License-Identifier: BSD-2-Clause */
/* sort.h - stable sort of byte strings, and of numbers, in linear extra memory. */
#ifndef DICTUM_CORE_SORT_H
#define DICTUM_CORE_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One thing to sort: `order` is the working key, `item` is the caller's. */
struct sort_ref {
  uint64_t order;
  const void *item;
};

/** Sorts by `order`, equal ones staying as they are. @p spare has room for @p n as well. */
void sort_by_number(struct sort_ref *refs, size_t n, struct sort_ref *spare);

/** Gives the bytes that @p item is sorted by. */
typedef const unsigned char *sort_bytes(const void *item, size_t *len);

/** The first eight of @p bytes as a number that sorts like them. */
uint64_t sort_number_of(const void *bytes, size_t len);

/** Sorts by `order`, and then by bytes, a prefix before what it begins, equal ones staying as they
 * are. @p spare has room for @p n as well.
 * @param prefix  `order` is sort_number_of() the bytes, and ends as something else, which is still
 *                the same for equal bytes */
void sort_by_number_then_bytes(struct sort_ref *refs, size_t n, struct sort_ref *spare, bool prefix,
                               sort_bytes *bytes);

#endif
