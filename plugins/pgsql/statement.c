/* SPDX-License-Identifier: BSD-2-Clause */
/* statement.c - the query of a table, taken apart as SQL: what is said of each part, and its text.
 */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "scan.h"

struct statement {
  const struct template *query;
  struct scanned scanned;
  char *bound;  /* or NULL */
  char *joined; /* or NULL */
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

/* ---- many keys at once ---------------------------------------------------------------------- */

/* The last byte of @p atom that is no white space, or NUL. */
static const char *last_of(const struct atom *atom) {
  const char *at = atom->text + atom->len;
  while (at > atom->text && strchr(" \t\r\n", at[-1]))
    at--;
  return at > atom->text ? at - 1 : NULL;
}

/* Is what follows compared for equality, by an "=" that is no part of another operator? */
static bool ends_in_equals(const struct part *part) {
  const char *last = part->kind == PART_TEXT ? last_of(&part->atoms[0]) : NULL;
  return last && *last == '=' && last > part->atoms[0].text &&
         !strchr("+-*/<>=~!@#%^&|`?", last[-1]);
}

/* Does the comparison end here? */
static bool begins_apart(const struct part *part) {
  const char *text = part->atoms[0].text;
  size_t len = part->atoms[0].len, blank = strspn(text, " \t\r\n");
  bool is_word = blank > 0 && blank < len &&
                 ((text[blank] | 0x20) == 'a' || (text[blank] | 0x20) == 'o' ||
                  (text[blank] | 0x20) == 'l' || (text[blank] | 0x20) == 'g');
  return part->kind == PART_TEXT && (blank == len || text[blank] == ')' || is_word);
}

/* Words that may not stand in an inner query, or make it another one: looked for as bare bytes, so
 * that some others are found, too. */
static bool has_word(const char *text, const char *word) {
  return strcasestr(text, word) != NULL;
}

static bool can_be_joined(const struct statement *statement) {
  const struct scanned *scanned = &statement->scanned;
  const char *bound = statement->bound;
  if (statement->nparams == 0 || strncasecmp(bound, "SELECT ", 7) != 0 || strchr(bound, ';') ||
      has_word(bound, "for ") || has_word(bound, "into") || has_word(bound, "dictum_"))
    return false;
  for (size_t i = 0; i < scanned->nparts; i++) {
    if (scanned->parts[i].kind != PART_LITERAL)
      continue;
    if (i == 0 || !ends_in_equals(&scanned->parts[i - 1]))
      return false;
    if (i + 1 < scanned->nparts && !begins_apart(&scanned->parts[i + 1]))
      return false;
  }
  return true;
}

static bool append_string(struct text *text, const char *string) {
  return text_append(text, string, strlen(string));
}

/* One list: "$1::text[], $2::text[]" or "v1, v2". */
static bool append_list(struct text *text, size_t n, const char *before, const char *behind) {
  bool done = true;
  for (size_t i = 1; i <= n && done; i++) {
    char item[48];
    snprintf(item, sizeof item, "%s%s%zu%s", i > 1 ? ", " : "", before, i, behind);
    done = append_string(text, item);
  }
  return done;
}

/* OFFSET 0 keeps the inner query whole, so that its rows come key by key, in its own order. */
static bool write_joined(struct statement *statement) {
  const struct scanned *scanned = &statement->scanned;
  struct text text = {0};
  size_t param = 0;
  bool done = append_string(&text, "SELECT dictum_keys.place, dictum_rows.* FROM unnest(") &&
              append_list(&text, statement->nparams, "$", "::text[]") &&
              append_string(&text, ") WITH ORDINALITY AS dictum_keys(") &&
              append_list(&text, statement->nparams, "v", "") &&
              append_string(&text, ", place), LATERAL (SELECT * FROM (\n");
  for (size_t i = 0; i < scanned->nparts && done; i++) {
    const struct part *part = &scanned->parts[i];
    char name[40];
    if (part->kind == PART_TEXT) {
      done = text_append(&text, part->atoms[0].text, part->atoms[0].len);
      continue;
    }
    snprintf(name, sizeof name, " dictum_keys.v%zu ", ++param);
    done = append_string(&text, name);
  }
  done = done && append_string(&text, "\n) AS dictum_query OFFSET 0) AS dictum_rows");
  statement->joined = text.data;
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
  if (status == DICTUM_OK && statement->bound && can_be_joined(statement) &&
      !write_joined(statement))
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
  free(statement->joined);
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

const char *statement_joined(const struct statement *statement) {
  return statement->joined;
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
