/* SPDX-License-Identifier: BSD-2-Clause */
/* patterns.h - what tables of regular expressions share (regexp, pcre): all of a line that is not a
 * pattern. */
#ifndef DICTUM_PLUGINS_PATTERNS_H
#define DICTUM_PLUGINS_PATTERNS_H

#include "rules.h"

/** Reads the value behind a pattern, at @p text: a text with $n, or the names of files, whose
 * content may have them, too.
 * @param files  it names files (DICTUM_OPEN_FILES)
 * @param zero   this table's word for $0, as for rules_template_parse()
 * @return OK; INVALID after a warning: skip this rule; NOMEM. */
dictum_status patterns_value(const struct rules_origin *from, uint64_t line, const char *text,
                             bool files, const char *zero, struct rules_template **out,
                             dictum_error *err);

/** Ends the innermost IF, or tells that there is none. @param text  what follows the word */
void patterns_endif(struct rules *rules, const struct rules_origin *from, uint64_t line,
                    const char *text);

/** Tells of text behind the condition of an IF. */
void patterns_end_of_if(const struct rules_origin *from, uint64_t line, const char *text);

#endif
