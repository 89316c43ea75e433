/* SPDX-License-Identifier: BSD-2-Clause */
/* source.h - the parts of the source reader. */
#ifndef DICTUM_CORE_SOURCE_H
#define DICTUM_CORE_SOURCE_H

#include "include/dictum_plugin.h"
#include "event.h"

/** Beside DICTUM_SOURCE_*: the entries are for a table in memory, whose warnings are more explicit.
 */
#define SOURCE_IN_MEMORY 0x80000000u

/** Reads entries from @p lines, which it takes over, also in case of failure.
 * @return OK; NOMEM. */
dictum_status source_open_lines(dictum_lines *lines, const struct event_sink *events,
                                uint32_t flags, dictum_source **out, dictum_error *err);

/** Splits a line of aliases(5), "name: value", into its two sides, each written anew with canonical
 * spacing. Quotes stay, so the name is in the form that a mail address has.
 * @param name, value  overwritten
 * @param mistake      receives NULL or what is wrong with the line, a constant
 * @return OK, also for a mistake; NOMEM. */
dictum_status alias_split(const char *text, size_t len, dictum_buf *name, dictum_buf *value,
                          const char **mistake);

#endif
