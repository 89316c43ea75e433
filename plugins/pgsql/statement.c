/* SPDX-License-Identifier: BSD-2-Clause */
/* statement.c - the query of a table, taken apart as SQL: what is said of each part, and its text.
 */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

struct statement {
  const struct template *query;
  struct scanned scanned;
  char *bound; /* or NULL */
  size_t nparams;
};

/* ---- life ----------------------------------------------------------------------------------- */

/* The protocol counts them in 16 bits. */
enum { most_params = 65535 };

static bool can_be_bound(const struct scanned *scanned) {
  size_t nparams = 0;
  for (size_t i = 0; i < scanned->nparts; i++) {
    enum part_kind kind = scanned->parts[i].kind;
    nparams += kind == PART_LITERAL;
    if (kind != PART_TEXT && kind != PART_LITERAL)
      return false;
  }
  return nparams <= most_params && !scanned->several && !scanned->has_own_params;
}

/* False: out of memory. A parameter stands apart from what is before and behind it. */
static bool write_bound(struct statement *statement) {
  const struct scanned *scanned = &statement->scanned;
  struct text text = {0};
  bool done = text_append(&text, "", 0);
  for (size_t i = 0; i < scanned->nparts && done; i++) {
    const struct part *part = &scanned->parts[i];
    char name[16];
    if (part->kind == PART_TEXT) {
      done = text_append(&text, part->atoms[0].text, part->atoms[0].len);
      continue;
    }
    int len = snprintf(name, sizeof name, " $%zu ", ++statement->nparams);
    done = text_append(&text, name, (size_t)len);
  }
  statement->bound = text.data;
  return done;
}

dictum_status statement_parse(const dictum_host *host, const struct template *query,
                              const char *label, struct statement **out, dictum_error *err) {
  struct statement *statement = calloc(1, sizeof *statement);
  if (!statement)
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  statement->query = query;
  dictum_status status = scan_statement(host, query, label, &statement->scanned, err);
  if (status == DICTUM_OK && can_be_bound(&statement->scanned) && !write_bound(statement))
    status = host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  if (status != DICTUM_OK) {
    statement_free(statement);
    return status;
  }
  *out = statement;
  return DICTUM_OK;
}

void statement_free(struct statement *statement) {
  if (!statement)
    return;
  scanned_free(&statement->scanned);
  free(statement->bound);
  free(statement);
}

bool statement_suits(const struct statement *statement, const struct address *key) {
  dictum_key text;
  for (size_t i = 0; i < statement->query->n; i++)
    if (!template_piece_text(&statement->query->pieces[i], key, NULL, &text))
      return false;
  return true;
}

bool statement_is_several(const struct statement *statement) {
  return statement->scanned.several;
}

bool statement_has_backslash(const struct statement *statement) {
  return statement->scanned.has_backslash;
}

const char *statement_bound(const struct statement *statement) {
  return statement->bound;
}

size_t statement_nparams(const struct statement *statement) {
  return statement->nparams;
}

/* ---- for a key ------------------------------------------------------------------------------ */

static dictum_key atom_text(const struct atom *atom, const struct address *key) {
  dictum_key text = {atom->text, atom->len};
  if (atom->piece)
    template_piece_text(atom->piece, key, NULL, &text);
  return text;
}

/* What is between the quotes. */
static enum statement_answer append_content(const struct part *part, const struct address *key,
                                            struct text *out) {
  for (size_t i = 0; i < part->natoms; i++) {
    dictum_key text = atom_text(&part->atoms[i], key);
    if (text.n > 0 && memchr(text.p, '\0', text.n))
      return STATEMENT_UNFIT;
    if (!text_append(out, text.p, text.n))
      return STATEMENT_NOMEM;
  }
  return STATEMENT_OK;
}

enum statement_answer statement_append_values(const struct statement *statement,
                                              const struct address *key, struct text *out) {
  const struct scanned *scanned = &statement->scanned;
  for (size_t i = 0; i < scanned->nparts; i++) {
    if (scanned->parts[i].kind != PART_LITERAL)
      continue;
    enum statement_answer answer = append_content(&scanned->parts[i], key, out);
    if (answer != STATEMENT_OK)
      return answer;
    if (!text_append(out, "", 1))
      return STATEMENT_NOMEM;
  }
  return STATEMENT_OK;
}

void statement_point(const struct statement *statement, const char *at, const char **values) {
  for (size_t i = 0; i < statement->nparams; i++, at += strlen(at) + 1)
    values[i] = at;
}

/* libpq escapes by the encoding of the connection, and refuses what is not in it. */
static enum statement_answer append_escaped(PGconn *conn, dictum_key text, struct text *out) {
  int failed = 0;
  if (text.n > 0 && memchr(text.p, '\0', text.n))
    return STATEMENT_UNFIT;
  if (text.n > SIZE_MAX / 2 || !text_reserve(out, 2 * text.n))
    return STATEMENT_NOMEM;
  out->len += PQescapeStringConn(conn, out->data + out->len, text.n ? text.p : "", text.n, &failed);
  return failed ? STATEMENT_UNFIT : STATEMENT_OK;
}

/* Always in plain quotes: not everywhere may an E'' stand. */
static enum statement_answer append_literal(PGconn *conn, const struct text *content,
                                            struct text *out) {
  if (!text_append(out, "'", 1))
    return STATEMENT_NOMEM;
  enum statement_answer answer = append_escaped(conn, (dictum_key){content->data, content->len},
                                                out);
  if (answer == STATEMENT_OK && !text_append(out, "'", 1))
    return STATEMENT_NOMEM;
  return answer;
}

static enum statement_answer append_name(PGconn *conn, const struct text *content,
                                         struct text *out) {
  char *quoted = PQescapeIdentifier(conn, content->data ? content->data : "", content->len);
  if (!quoted)
    return STATEMENT_UNFIT;
  bool appended = text_append(out, quoted, strlen(quoted));
  PQfreemem(quoted);
  return appended ? STATEMENT_OK : STATEMENT_NOMEM;
}

static enum statement_answer append_quoted(const struct part *part, PGconn *conn,
                                           const struct address *key, struct text *out) {
  struct text content = {0};
  enum statement_answer answer = append_content(part, key, &content);
  if (answer == STATEMENT_OK)
    answer = part->kind == PART_NAME ? append_name(conn, &content, out)
                                     : append_literal(conn, &content, out);
  text_free(&content);
  return answer;
}

/* The quotes are the template's, and only the key is escaped. */
static enum statement_answer append_prefixed(const struct part *part, PGconn *conn,
                                             const struct address *key, struct text *out) {
  enum statement_answer answer = STATEMENT_OK;
  for (size_t i = 0; i < part->natoms && answer == STATEMENT_OK; i++) {
    const struct atom *atom = &part->atoms[i];
    dictum_key text = atom_text(atom, key);
    if (atom->piece)
      answer = append_escaped(conn, text, out);
    else if (!text_append(out, text.p, text.n))
      answer = STATEMENT_NOMEM;
  }
  return answer;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static enum statement_answer append_word(const struct part *part, const struct address *key,
                                         struct text *out) {
  dictum_key text = atom_text(&part->atoms[0], key);
  for (size_t i = 0; i < text.n; i++)
    if (!is_digit(text.p[i]) && !(part->joins && is_letter(text.p[i])))
      return STATEMENT_UNFIT;
  if (text.n == 0)
    return STATEMENT_UNFIT;
  return text_append(out, text.p, text.n) ? STATEMENT_OK : STATEMENT_NOMEM;
}

static enum statement_answer append_part(const struct part *part, PGconn *conn,
                                         const struct address *key, struct text *out) {
  switch (part->kind) {
  case PART_TEXT:
    return text_append(out, part->atoms[0].text, part->atoms[0].len) ? STATEMENT_OK
                                                                     : STATEMENT_NOMEM;
  case PART_LITERAL:
  case PART_NAME:
    return append_quoted(part, conn, key, out);
  case PART_PREFIXED:
    return append_prefixed(part, conn, key, out);
  case PART_WORD:
    return append_word(part, key, out);
  }
  return STATEMENT_UNFIT;
}

enum statement_answer statement_spell(const struct statement *statement, PGconn *conn,
                                      const struct address *key, struct text *out) {
  const struct scanned *scanned = &statement->scanned;
  enum statement_answer answer = STATEMENT_OK;
  for (size_t i = 0; i < scanned->nparts && answer == STATEMENT_OK; i++)
    answer = append_part(&scanned->parts[i], conn, key, out);
  if (answer == STATEMENT_OK && !text_append(out, "", 1))
    return STATEMENT_NOMEM;
  return answer;
}
