/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statement.h - the query of a table, taken apart as SQL, so that a key stays a value.
 *
 * In 'a literal', E'one with escapes' or $$one in dollars$$ that has a '%' in
 * it, the whole literal, key included, becomes a parameter: $1, $2. That is the
 * same statement to the server: a literal and a parameter both begin without a
 * type and get the one that their place asks for. Where only a literal may stand
 * (date '%s', extract), or where a type cannot be found for a parameter
 * (concat('%s')), the server says so before it runs anything, and the statement
 * is spelled out instead, each such literal quoted as a whole by libpq.
 *
 * Elsewhere: "a name" is quoted as a name; B'' X'' N'' U&'' have the key escaped
 * inside; in comments nothing is put; and where there are no quotes, a key must
 * be a number, or, as a part of a word, letters and digits. So no key can be
 * more than a value or the part of a name, whatever the template.
 */
#ifndef DICTUM_PGSQL_STATEMENT_H
#define DICTUM_PGSQL_STATEMENT_H

#include <libpq-fe.h>

#include "template.h"

struct statement;

/** Takes @p query apart, which must outlive the statement.
 * @param label  names the table's settings in messages
 * @return OK; CONFIG for a quote without end or a '%' behind a backslash; NOMEM. */
dictum_status statement_parse(const dictum_host *host, const struct template *query,
                              const char *label, struct statement **out, dictum_error *err);
/** NULL is fine. */
void statement_free(struct statement *statement);

/** Does @p key have all parts that the query asks for? */
bool statement_suits(const struct statement *statement, const struct address *key);
/** Is it more than one statement? Then only the simple protocol takes it, spelled out. */
bool statement_is_several(const struct statement *statement);
/** The text with parameters, or NULL when it can only be spelled out. */
const char *statement_bound(const struct statement *statement);
/** The text that asks for many keys at once, or NULL: an array for each parameter of the bound
 * text, $1, $2; rows of the key's place in them, from 1, and the query's columns. It says the same
 * for parameters that the server takes for text (type 25), and only for these. */
const char *statement_joined(const struct statement *statement);
/** Has it literals whose meaning depends on standard_conforming_strings? */
bool statement_has_backslash(const struct statement *statement);
/** How many parameters the bound text has. */
size_t statement_nparams(const struct statement *statement);

/** Why no statement could be made. */
enum statement_answer {
  STATEMENT_OK,
  STATEMENT_UNFIT, /**< the key has a NUL byte, is not in the connection's encoding, or would have
                      to stand without quotes */
  STATEMENT_NOMEM
};
/** Appends the parameters for @p key, each with a NUL byte behind it. */
enum statement_answer statement_append_values(const struct statement *statement,
                                              const struct address *key, struct text *out);
/** Points to each of them, from the first one @p at. */
void statement_point(const struct statement *statement, const char *at, const char **values);
/** Appends the whole statement for @p key, quoted for @p conn, with a NUL byte behind it. */
enum statement_answer statement_spell(const struct statement *statement, PGconn *conn,
                                      const struct address *key, struct text *out);

#endif
