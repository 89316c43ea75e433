/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules_target.h - feeds rules and keys to a type of pattern tables. The first byte picks the
 * flags; rules go to the first NUL byte or the end; what follows are keys, one a line.
 *
 * Each table is opened twice, with an index from the first question on and without: the answers
 * must be the same.
 */
#ifndef DICTUM_TESTS_RULES_TARGET_H
#define DICTUM_TESTS_RULES_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "include/dictum_plugin.h"

/** The target of libFuzzer: to be defined by calling fuzz_rules(). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Tries one input. @param skip  says which rules are not worth the time; NULL: none. @return 0 */
int fuzz_rules(const dictum_type *type, bool (*skip)(const char *rules), const uint8_t *data,
               size_t size);

/** Tells how many questions were asked so far, and how many of them had an answer. */
void fuzz_rules_count(uint64_t *asked, uint64_t *answered);

#endif
