/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan.c - finds in what part of an SQL statement each '%' of its template stands.
 *
 * The template is laid out flat first, with a NUL byte where a piece of the key
 * goes: no template has one itself. The rules are those of PostgreSQL's lexical
 * structure, with standard_conforming_strings on.
 */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

struct scan {
  const dictum_host *host;
  const char *label;
  struct scanned *out;
  struct text flat;
  const struct template_piece **pieces; /* for each NUL byte */
  size_t npieces, used;
  size_t at, text_from; /* what is between has not become a part yet */
  bool semicolon;       /* there was one */
  dictum_error *err;
};

static dictum_status nomem(struct scan *scan) {
  return scan->host->fail(scan->err, DICTUM_NOMEM, 0, "out of memory");
}

static dictum_status refuse(struct scan *scan, const char *why) {
  return scan->host->fail(scan->err, DICTUM_CONFIG, 0, "%s: query: %s", scan->label, why);
}

/* Behind the end there is nothing. */
static char byte_at(const struct scan *scan, size_t at) {
  return at < scan->flat.len ? scan->flat.data[at] : ' ';
}

static bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '$' || (unsigned char)c >= 0x80;
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---- parts ---------------------------------------------------------------------------------- */

static struct part *new_part(struct scan *scan, enum part_kind kind) {
  struct scanned *out = scan->out;
  struct part *parts = realloc(out->parts, (out->nparts + 1) * sizeof *parts);
  if (!parts)
    return NULL;
  out->parts = parts;
  parts[out->nparts] = (struct part){.kind = kind};
  return &parts[out->nparts++];
}

/* Takes over @p text. */
static bool add_atom(struct part *part, const struct template_piece *piece, struct text *text) {
  struct atom *atoms = realloc(part->atoms, (part->natoms + 1) * sizeof *atoms);
  if (!atoms) {
    text_free(text);
    return false;
  }
  part->atoms = atoms;
  atoms[part->natoms++] = (struct atom){piece, text->data, text->len};
  *text = (struct text){0};
  return true;
}

static bool add_piece(struct scan *scan, struct part *part) {
  struct text none = {0};
  return add_atom(part, scan->pieces[scan->used++], &none);
}

static dictum_status add_text(struct scan *scan, const char *bytes, size_t len) {
  if (len == 0)
    return DICTUM_OK;
  struct text text = {0};
  struct part *part = new_part(scan, PART_TEXT);
  return part && text_append(&text, bytes, len) && add_atom(part, NULL, &text) ? DICTUM_OK
                                                                               : nomem(scan);
}

static dictum_status flush_text(struct scan *scan, size_t to) {
  return add_text(scan, scan->flat.data + scan->text_from, to - scan->text_from);
}

/* ---- what is between quotes ----------------------------------------------------------------- */

enum decoding { AS_IT_IS, DOUBLED, ESCAPED };

/* The byte that a backslash and @p c stand for; NUL: more than these two are needed to tell. */
static char unescape(char c) {
  switch (c) {
  case 'b':
    return '\b';
  case 'f':
    return '\f';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  default:
    return (c >= '0' && c <= '7') || c == 'x' || c == 'u' || c == 'U' ? '\0' : c;
  }
}

/* Decodes what is before the next piece of the key. */
static dictum_status decode_run(struct scan *scan, size_t *at, size_t to, char quote,
                                enum decoding how, struct text *out) {
  for (; *at < to && scan->flat.data[*at] != '\0'; ++*at) {
    char c = scan->flat.data[*at];
    if (c == quote && how != AS_IT_IS)
      ++*at; /* there are two */
    if (c == '\\' && how == ESCAPED) {
      ++*at;
      if (*at >= to || (c = unescape(scan->flat.data[*at])) == '\0')
        return refuse(scan, "this escape cannot stand in a literal with \"%\"");
    }
    if (c == '\\' && how == DOUBLED && quote == '\'')
      scan->out->has_backslash = true;
    if (!text_append(out, &c, 1))
      return nomem(scan);
  }
  return DICTUM_OK;
}

static dictum_status add_content(struct scan *scan, enum part_kind kind, size_t from, size_t to,
                                 char quote, enum decoding how) {
  struct part *part = new_part(scan, kind);
  if (!part)
    return nomem(scan);
  while (from < to) {
    struct text text = {0};
    dictum_status status = decode_run(scan, &from, to, quote, how, &text);
    if (status != DICTUM_OK) {
      text_free(&text);
      return status;
    }
    if (text.len > 0 && !add_atom(part, NULL, &text))
      return nomem(scan);
    if (from < to) {
      from++;
      if (!add_piece(scan, part))
        return nomem(scan);
    }
  }
  return DICTUM_OK;
}

/* ---- where things end: the place behind, or 0 ------------------------------------------------ */

static size_t end_of_quoted(const struct scan *scan, char quote, bool escapes) {
  for (size_t at = scan->at + 1; at < scan->flat.len; at++) {
    char c = scan->flat.data[at];
    if (c == '\\' && escapes)
      at++;
    else if (c == quote && byte_at(scan, at + 1) == quote)
      at++;
    else if (c == quote)
      return at + 1;
  }
  return 0;
}

/* The length of "$tag$" here, or 0. */
static size_t dollar_tag(const struct scan *scan) {
  size_t end = scan->at + 1;
  if (scan->at > 0 && is_word(scan->flat.data[scan->at - 1]))
    return 0;
  if (byte_at(scan, end) >= '0' && byte_at(scan, end) <= '9')
    return 0;
  while (is_word(byte_at(scan, end)) && byte_at(scan, end) != '$')
    end++;
  return byte_at(scan, end) == '$' ? end + 1 - scan->at : 0;
}

static size_t end_of_dollars(const struct scan *scan, size_t tag) {
  const char *begin = scan->flat.data + scan->at;
  const char *end = memmem(begin + tag, scan->flat.len - scan->at - tag, begin, tag);
  return end ? (size_t)(end - scan->flat.data) + tag : 0;
}

static size_t end_of_line(const struct scan *scan) {
  const char *begin = scan->flat.data + scan->at;
  const char *end = memchr(begin, '\n', scan->flat.len - scan->at);
  return end ? (size_t)(end - scan->flat.data) : scan->flat.len;
}

static size_t end_of_comment(const struct scan *scan) {
  unsigned depth = 0;
  for (size_t at = scan->at; at < scan->flat.len; at++) {
    char c = scan->flat.data[at], next = byte_at(scan, at + 1);
    if (c == '/' && next == '*') {
      depth++;
      at++;
    } else if (c == '*' && next == '/') {
      at++;
      if (--depth == 0)
        return at + 1;
    }
  }
  return 0;
}

/* ---- the walk ------------------------------------------------------------------------------- */

/* How many bytes before a quote belong to it: the letters of E'', B'', U&'' and so on. */
static size_t prefix_len(const struct scan *scan) {
  size_t len = 0;
  if (scan->at >= 1 && scan->flat.data[scan->at - 1] != '\0' &&
      strchr("eEbBxXnN", scan->flat.data[scan->at - 1]))
    len = 1;
  else if (scan->at >= 2 && scan->flat.data[scan->at - 1] == '&' &&
           (scan->flat.data[scan->at - 2] | 0x20) == 'u')
    len = 2;
  if (len > scan->at - scan->text_from)
    return 0;
  bool alone = scan->at == len || !is_word(scan->flat.data[scan->at - len - 1]);
  return alone ? len : 0;
}

static bool has_piece(const struct scan *scan, size_t end) {
  return memchr(scan->flat.data + scan->at, '\0', end - scan->at) != NULL;
}

static dictum_status go_on(struct scan *scan, size_t end) {
  scan->at = scan->text_from = end;
  return DICTUM_OK;
}

static dictum_status take_literal(struct scan *scan) {
  size_t prefix = prefix_len(scan);
  bool escapes = prefix == 1 && (scan->flat.data[scan->at - 1] | 0x20) == 'e';
  size_t end = end_of_quoted(scan, '\'', escapes);
  if (!end)
    return refuse(scan, "a literal has no end");
  if (!has_piece(scan, end)) {
    scan->at = end;
    return DICTUM_OK;
  }
  dictum_status status = flush_text(scan, scan->at - prefix);
  if (status == DICTUM_OK && prefix && !escapes)
    status = add_content(scan, PART_PREFIXED, scan->at - prefix, end, '\'', AS_IT_IS);
  else if (status == DICTUM_OK)
    status = add_content(scan, PART_LITERAL, scan->at + 1, end - 1, '\'',
                         escapes ? ESCAPED : DOUBLED);
  return status == DICTUM_OK ? go_on(scan, end) : status;
}

static dictum_status take_name(struct scan *scan) {
  size_t end = end_of_quoted(scan, '"', false);
  if (!end)
    return refuse(scan, "a name in quotes has no end");
  if (!has_piece(scan, end)) {
    scan->at = end;
    return DICTUM_OK;
  }
  dictum_status status = flush_text(scan, scan->at);
  if (status == DICTUM_OK)
    status = add_content(scan, PART_NAME, scan->at + 1, end - 1, '"', DOUBLED);
  return status == DICTUM_OK ? go_on(scan, end) : status;
}

static dictum_status take_dollars(struct scan *scan, size_t tag) {
  size_t end = end_of_dollars(scan, tag);
  if (!end)
    return refuse(scan, "a literal in dollar quotes has no end");
  if (!has_piece(scan, end)) {
    scan->at = end;
    return DICTUM_OK;
  }
  dictum_status status = flush_text(scan, scan->at);
  if (status == DICTUM_OK)
    status = add_content(scan, PART_LITERAL, scan->at + tag, end - tag, '$', AS_IT_IS);
  return status == DICTUM_OK ? go_on(scan, end) : status;
}

/* A comment that would hold a piece of the key is left out. */
static dictum_status take_comment(struct scan *scan, size_t end) {
  if (!end)
    return refuse(scan, "a comment has no end");
  if (!has_piece(scan, end)) {
    scan->at = end;
    return DICTUM_OK;
  }
  dictum_status status = flush_text(scan, scan->at);
  for (size_t at = scan->at; at < end; at++)
    scan->used += scan->flat.data[at] == '\0';
  if (status == DICTUM_OK)
    status = add_text(scan, " ", 1);
  return status == DICTUM_OK ? go_on(scan, end) : status;
}

static dictum_status take_word(struct scan *scan) {
  const struct scanned *out = scan->out;
  bool after_piece = scan->at > 0 && scan->flat.data[scan->at - 1] == '\0';
  bool joins = scan->at > 0 && is_word(scan->flat.data[scan->at - 1]);
  if (after_piece && out->nparts > 0)
    joins = out->parts[out->nparts - 1].joins;
  dictum_status status = flush_text(scan, scan->at);
  if (status != DICTUM_OK)
    return status;
  struct part *part = new_part(scan, PART_WORD);
  if (!part || !add_piece(scan, part))
    return nomem(scan);
  part->joins = joins;
  return go_on(scan, scan->at + 1);
}

static dictum_status take_next(struct scan *scan) {
  char c = scan->flat.data[scan->at], next = byte_at(scan, scan->at + 1);
  if (c == '-' && next == '-')
    return take_comment(scan, end_of_line(scan));
  if (c == '/' && next == '*')
    return take_comment(scan, end_of_comment(scan));
  if (c == ';')
    scan->semicolon = true;
  else if (scan->semicolon && !is_space(c))
    scan->out->several = true;
  if (c == '\'')
    return take_literal(scan);
  if (c == '"')
    return take_name(scan);
  size_t tag = c == '$' ? dollar_tag(scan) : 0;
  if (tag)
    return take_dollars(scan, tag);
  if (c == '\0')
    return take_word(scan);
  if (c == '$' && next >= '0' && next <= '9')
    scan->out->has_own_params = true;
  scan->at++;
  return DICTUM_OK;
}

static bool lay_flat(struct scan *scan, const struct template *query) {
  scan->pieces = calloc(query->n + 1, sizeof *scan->pieces);
  if (!scan->pieces || !text_append(&scan->flat, "", 0))
    return false;
  for (size_t i = 0; i < query->n; i++) {
    const struct template_piece *piece = &query->pieces[i];
    bool literal = piece->part == PIECE_LITERAL;
    if (!text_append(&scan->flat, literal ? piece->text.p : "", literal ? piece->text.n : 1))
      return false;
    if (!literal)
      scan->pieces[scan->npieces++] = piece;
  }
  return true;
}

dictum_status scan_statement(const dictum_host *host, const struct template *query,
                             const char *label, struct scanned *out, dictum_error *err) {
  *out = (struct scanned){0};
  struct scan scan = {.host = host, .label = label, .out = out, .err = err};
  dictum_status status = lay_flat(&scan, query) ? DICTUM_OK : nomem(&scan);
  while (status == DICTUM_OK && scan.at < scan.flat.len)
    status = take_next(&scan);
  if (status == DICTUM_OK)
    status = flush_text(&scan, scan.at);
  text_free(&scan.flat);
  free(scan.pieces);
  if (status != DICTUM_OK)
    scanned_free(out);
  return status;
}

void scanned_free(struct scanned *scanned) {
  for (size_t i = 0; i < scanned->nparts; i++) {
    for (size_t j = 0; j < scanned->parts[i].natoms; j++)
      free(scanned->parts[i].atoms[j].text);
    free(scanned->parts[i].atoms);
  }
  free(scanned->parts);
  *scanned = (struct scanned){0};
}
