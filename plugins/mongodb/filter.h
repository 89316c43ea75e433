/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - the setting query_filter: a filter of MongoDB's in JSON, with keys in its texts.
 *
 * It becomes BSON once, when the table is opened, and a key is put into texts of
 * that. So nothing in a key can end a text or begin an operator. Where a text is
 * more than a value, a key is made one: it is escaped in a regular expression, and
 * a literal in $expr. What cannot be made safe, such as $where, is refused.
 */
#ifndef DICTUM_MONGODB_FILTER_H
#define DICTUM_MONGODB_FILTER_H

#include <mongoc/mongoc.h>

#include "template.h"

struct filter;

/** Reads @p text. @p label names the file or group of settings in messages.
 * @return OK; CONFIG for what is no such filter, or has a key where none may be; NOMEM. */
dictum_status mongo_filter_parse(const dictum_host *host, const char *text, const char *label,
                                 struct filter **out, dictum_error *err);
/** NULL is fine. */
void mongo_filter_free(struct filter *filter);

enum filter_answer { FILTER_DONE, FILTER_SUPPRESSED, FILTER_TOO_LONG, FILTER_NOMEM };
/** Makes the filter for @p key in @p out, which is to be destroyed in any case.
 * @return SUPPRESSED for a key that lacks a part, is not UTF-8 or has a NUL byte: there is
 *   nothing to ask; TOO_LONG for one that no document can hold. */
enum filter_answer mongo_filter_fill(const struct filter *filter, const struct address *key,
                                     bson_t *out);

/** Reads an object in JSON, as the setting @p option has it.
 * @return OK; CONFIG; NOMEM */
dictum_status mongo_json_read(const dictum_host *host, const char *label, const char *option,
                              const char *text, size_t len, bson_t **out, dictum_error *err);

#endif
