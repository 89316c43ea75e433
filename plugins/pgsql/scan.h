/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan.h - finds in what part of an SQL statement each '%' of its template stands.
 *
 * Knows of SQL only what begins and ends: literals, names, comments, dollar
 * quotes, semicolons.
 */
#ifndef DICTUM_PGSQL_SCAN_H
#define DICTUM_PGSQL_SCAN_H

#include "template.h"

enum part_kind {
  PART_TEXT,     /**< as it is */
  PART_LITERAL,  /**< 'literal', E'literal', $$literal$$: the atoms are its decoded content */
  PART_NAME,     /**< "name": the atoms are its decoded content */
  PART_PREFIXED, /**< B'' X'' N'' U&'': the atoms are its text, quotes included */
  PART_WORD      /**< one '%' outside of quotes */
};

/** A run of bytes, or what stands for a piece of the key. */
struct atom {
  const struct template_piece *piece; /**< or NULL */
  char *text;
  size_t len;
};

struct part {
  enum part_kind kind;
  bool joins; /**< PART_WORD: goes on with a word */
  struct atom *atoms;
  size_t natoms;
};

struct scanned {
  struct part *parts;
  size_t nparts;
  bool several;        /**< there is something behind a semicolon */
  bool has_own_params; /**< there is a $1 already */
  bool has_backslash;  /**< in a 'literal' with a '%' */
};

/** Takes @p query apart, which must outlive @p out.
 * @return OK; CONFIG for a quote without end or a '%' behind a backslash; NOMEM. */
dictum_status scan_statement(const dictum_host *host, const struct template *query,
                             const char *label, struct scanned *out, dictum_error *err);
/** {0} is fine. */
void scanned_free(struct scanned *scanned);

#endif
