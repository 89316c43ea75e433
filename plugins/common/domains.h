/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domains.h - the "domain" setting: of which domains a table is asked at all.
 *
 * A list of domains, "/file"s with more of it, and "type:table"s whose keys are
 * domains; "!" before one excludes. The first that matches decides. A domain
 * matches itself, not those below it. (pgsql_table(5), "domain".)
 */
#ifndef DICTUM_PLUGINS_DOMAINS_H
#define DICTUM_PLUGINS_DOMAINS_H

#include "settings.h"

struct domains;

/** Reads the list. Tables in it are opened with DEGRADE and the UTF8 and NOFOLD of the table.
 * @param out  NULL for an empty list; to be released with domains_free()
 * @return OK; CONFIG for a file that cannot be read or that names itself; INVALID; NOMEM. */
dictum_status domains_open(const struct settings *settings, struct domains **out);
/** NULL is fine. */
void domains_free(struct domains *domains);

/** Is the table to be asked for @p key? With a list, only user@domain is, with both parts there.
 * @return OK; NOTFOUND: no; RETRY or CONFIG when a table of the list cannot tell; NOMEM. */
dictum_status domains_match(const struct domains *domains, const dictum_call *call,
                            const struct address *key, dictum_error *err);

#endif
