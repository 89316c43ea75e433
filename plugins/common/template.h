/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * template.h - texts with "%s" and its like, as in pgsql_table(5) and memcache_table(5).
 *
 *   %%         a percent sign
 *   %s %u %d   in a query: the key, its local part, its domain; in a result: of the value
 *   %S %U %D   of the key
 *   %1 .. %9   labels of the key's domain, from the right
 *
 * An address is split at its last '@'. A text without one has a local part, the
 * whole, and no domain. A part that is missing or empty suppresses the whole
 * text: there is nothing to ask, or nothing to answer.
 */
#ifndef DICTUM_PLUGINS_TEMPLATE_H
#define DICTUM_PLUGINS_TEMPLATE_H

#include <dictum_plugin.h>
#include <stdbool.h>
#include "text.h"

enum template_kind { TEMPLATE_QUERY, TEMPLATE_RESULT };

/** A piece of a template. Its text points into the template's own. */
struct template_piece {
  enum { PIECE_LITERAL, PIECE_WHOLE, PIECE_LOCAL, PIECE_DOMAIN, PIECE_LABEL } part;
  bool of_value;   /**< not of the key */
  unsigned label;  /**< PIECE_LABEL: 1 is the last one */
  dictum_key text; /**< PIECE_LITERAL */
};

struct template {
  char *text;
  struct template_piece *pieces;
  size_t n;
};

/** Takes @p text apart; it is copied. @p label names the file or group of settings in messages.
 * @return OK; CONFIG "Invalid query template: ..." for an unknown letter; NOMEM. */
dictum_status template_parse(const dictum_host *host, const char *text, enum template_kind kind,
                             const char *label, struct template *out, dictum_error *err);
/** Releases what template_parse() made. {0} is fine. */
void template_free(struct template *template);

/** Is it a byte of a word of SQL? All that are not of ASCII are. */
static inline bool template_is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '$' || (unsigned char)c >= 0x80;
}

/** Does piece @p i stand directly beside a word of the text around it? */
bool template_joins_word(const struct template *template, size_t i);

/** A key or a value, taken apart. Points into it. */
struct address {
  dictum_key whole, local;
  dictum_key domain; /**< p is NULL without '@' */
};
struct address address_of(const char *text, size_t len);

/** The bytes that @p piece stands for. @p value may be NULL in a query.
 * @return false when the address lacks that part. */
bool template_piece_text(const struct template_piece *piece, const struct address *key,
                         const struct address *value, dictum_key *out);

enum template_answer { TEMPLATE_DONE, TEMPLATE_SUPPRESSED, TEMPLATE_NOMEM };
/** Appends the whole text to @p out, or nothing. @p value may be NULL in a query. */
enum template_answer template_expand(const struct template *template, const struct address *key,
                                     const struct address *value, struct text *out);

#endif
