/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statement.h - the query of a table, taken apart as SQLite's SQL, so that a key stays a value.
 *
 * A 'literal' with a '%' in it becomes a parameter as a whole, key included:
 * both have no affinity, so the statement is the same, and it is prepared once.
 * Where SQLite takes only a literal, it is spelled out instead, with each quote
 * doubled. In "a name", `another` or [a third] the key is put in escaped; in a
 * comment nothing is; and without quotes only letters, digits, '_', and '.' and
 * '-' in a number are: for other keys there is nothing to ask.
 */
#ifndef DICTUM_SQLITE_STATEMENT_H
#define DICTUM_SQLITE_STATEMENT_H

#include "template.h"

struct statement;

/** Takes @p query apart, which must outlive the statement. @return NULL when memory is out. */
struct statement *sqlite_statement_parse(const struct template *query);
/** NULL is fine. */
void sqlite_statement_free(struct statement *statement);

/** Can the question be put for @p key: has it all parts that are asked for, and no NUL byte? */
bool sqlite_statement_suits(const struct statement *statement, const struct address *key);
/** Is the text with parameters the same for all keys? */
bool sqlite_statement_is_fixed(const struct statement *statement);
/** Appends the SQL for @p key. @param bound  with parameters. @return false when memory is out. */
bool sqlite_statement_text(const struct statement *statement, const struct address *key, bool bound,
                           struct text *out);

/** How many parameters there are. The first is called ":dictum0". */
size_t sqlite_statement_nparams(const struct statement *statement);
/** Appends the value of one. @return false when memory is out. */
bool sqlite_statement_value(const struct statement *statement, size_t param,
                            const struct address *key, struct text *out);

#endif
