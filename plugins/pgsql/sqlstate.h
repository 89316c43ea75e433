/* SPDX-License-Identifier: BSD-2-Clause */
/* sqlstate.h - which answer an error of the server's means. pgsql_table(5) has the table. */
#ifndef DICTUM_PGSQL_SQLSTATE_H
#define DICTUM_PGSQL_SQLSTATE_H

#include <dictum_plugin.h>
#include <stdbool.h>

/** @p state is NULL or "" for a failure that the server did not report: there was no answer.
 * @return RETRY, CONFIG, or INVALID for a key that is no value of the type that is asked for. */
dictum_status sqlstate_status(const char *state);
/** Was the statement refused before it was run, for what it is? */
bool sqlstate_is_syntax(const char *state);
/** Finds "FATAL:  28P01: text" in libpq's words about a connection.
 * @param state  receives the five letters, or ""
 * @return the text, up to the end of its line, or @p message itself */
const char *sqlstate_find(const char *message, char state[6]);

#endif
