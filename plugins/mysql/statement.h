/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statement.h - the query of a table, taken apart as MySQL's SQL, so that a key stays a value.
 *
 * In a 'literal' a key is escaped by the client's library, which knows the
 * connection's character set and whether a backslash escapes. In "double quotes"
 * and `a name` it is escaped so that it stays inside, whichever of literal and
 * name "" is to the server. In a comment nothing is put, and without quotes
 * only numbers and parts of words are: for other keys there is nothing to ask.
 */
#ifndef DICTUM_MYSQL_STATEMENT_H
#define DICTUM_MYSQL_STATEMENT_H

#include <mysql.h>

#include "template.h"

struct statement;

/** Takes @p query apart, which must outlive the statement. @p label is for messages.
 * @return OK; CONFIG for a text in which it cannot be told what is inside of quotes; NOMEM. */
dictum_status maria_statement_parse(const dictum_host *host, const struct template *query,
                                    const char *label, struct statement **out, dictum_error *err);
/** NULL is fine. */
void maria_statement_free(struct statement *statement);

/** Can the question be put for @p key: has it all parts that are asked for, and no NUL byte? */
bool maria_statement_suits(const struct statement *statement, const struct address *key);
/** Is there a backslash inside of quotes, which says something else where it does not escape? */
bool maria_statement_has_backslash(const struct statement *statement);
/** Can a key make a mistake of it, as of "WHERE id = %s" and "x'%s'"? */
bool maria_statement_is_fragile(const struct statement *statement);

enum statement_answer { STATEMENT_OK, STATEMENT_UNFIT, STATEMENT_NOMEM };
/** Appends the SQL for @p key, as the connection @p my wants it.
 * @return UNFIT for a key that this character set cannot hold safely; NOMEM. */
enum statement_answer maria_statement_text(const struct statement *statement, MYSQL *my,
                                           const struct address *key, struct text *out);

#endif
