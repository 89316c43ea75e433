/* SPDX-License-Identifier: BSD-2-Clause */
/* params_compare.h - how values of settings compare: as numbers, as bytes, or as versions. */
#ifndef DICTUM_CORE_PARAMS_COMPARE_H
#define DICTUM_CORE_PARAMS_COMPARE_H

#include <stdbool.h>
#include "include/dictum.h"

enum relation { EQUAL, NOT_EQUAL, LESS, LESS_OR_EQUAL, GREATER, GREATER_OR_EQUAL, NO_RELATION };

/** A version as in compatibility_level: "3", "3.6" or "3.6.1". */
struct level {
  uint64_t part[3];
};

/** Finds "==", "<=" and so on. */
enum relation relation_find(const char *word, size_t len);
/** Does it hold for two things whose order is @p order, as of memcmp()? */
bool relation_holds(enum relation relation, int order);

/** Compares as numbers of any length if both are all digits, else by bytes. Neither data is NULL.
 */
int values_compare(const dictum_buf *a, const dictum_buf *b);

/** @return false when @p text is no version. */
bool level_parse(const char *text, struct level *level);
int levels_compare(const struct level *a, const struct level *b);

#endif
