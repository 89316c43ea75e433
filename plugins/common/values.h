/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * values.h - one answer out of many values: each goes through result_format, with commas between
 * them, up to the expansion_limit, as in pgsql_table(5).
 */
#ifndef DICTUM_PLUGINS_VALUES_H
#define DICTUM_PLUGINS_VALUES_H

#include "template.h"

struct values {
  const dictum_host *host;
  dictum_slot *slot;
  const char *label;             /**< for messages: "pgsql:/etc/mail/users.cf" */
  const struct template *format; /**< of kind TEMPLATE_RESULT */
  uint64_t limit;                /**< 0: none */
  const struct address *key;
  struct text *out; /**< the answer so far */
  uint64_t n;       /**< values in it */
};

/** Adds a value. An empty one is passed over with a warning, and one that lacks a part that the
 * format wants without.
 * @return OK; RETRY when there are more than the limit; NOMEM. No error is told. */
dictum_status values_add(struct values *values, const char *bytes, size_t len);

/** For "%.*s": how much of @p key goes into a message. */
int values_shown(const dictum_key *key);

#endif
