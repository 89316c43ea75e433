/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules_index.h - tells which regular expressions of a list a key may match.
 *
 * Of each text that a rule needs in a key (literals.h) the index knows four
 * bytes, those that fewest of the texts share. One walk over the key finds these,
 * compares the whole texts there, and so proposes rules; rules without such a
 * text are always proposed. What matches is for the rule itself to say, in the
 * order of the list: the answers are those of rules_find().
 */
#ifndef DICTUM_PLUGINS_RULES_INDEX_H
#define DICTUM_PLUGINS_RULES_INDEX_H

#include "literals.h"
#include "rules.h"

struct rules_index;

/** Finds the texts of which a key must have one for @p rule to match.
 * @return false when that is not known. */
typedef bool rules_literals(const void *rule, struct literals *out);

/** Makes the index of a list, which must outlive it. @return NULL when memory is out. */
struct rules_index *rules_index_new(const struct rules *rules, rules_literals *literals);
/** NULL is fine. */
void rules_index_free(struct rules_index *index);

/** The same answer as rules_find(). Any thread.
 * @param index  NULL: there is none
 * @param key    what @p subject is about, as it is */
dictum_status rules_index_find(const struct rules_index *index, const struct rules *rules,
                               dictum_key key, rules_match *match, void *subject,
                               const void **rule);

#endif
