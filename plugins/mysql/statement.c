/* SPDX-License-Identifier: BSD-2-Clause */
/* statement.c - the query of a table, taken apart as MySQL's SQL. */
#include "statement.h"

#include <stdlib.h>
#include <string.h>

/* Where in SQL a byte stands. */
enum place { BARE, LITERAL, DOUBLE, GRAVE, LINE_COMMENT, COMMENT };

/* A piece of SQL, or of a key in one place. */
struct part {
  enum place place;
  const struct template_piece *of_key; /* NULL: text */
  dictum_key text;
  bool joins; /* it is a part of a word of the text */
};

struct statement {
  struct part *parts;
  size_t n;
  bool has_backslash, is_fragile;
};

/* ---- parsing -------------------------------------------------------------------------------- */

struct scan {
  enum place place;
  bool escapes; /* the last byte was a backslash that counts */
  char before;  /* the byte before the literal that is open */
  char last;    /* the last byte outside of quotes and comments */
  bool backslash_in_double, executable;
  struct statement *statement;
};

/* "--" begins a comment only with a space or a control character behind it. */
static bool begins_line_comment(const char *at, size_t n) {
  return at[0] == '#' ||
         (n > 2 && at[0] == '-' && at[1] == '-' && ((unsigned char)at[2] <= ' ' || at[2] == 0x7f));
}

static bool begins_executable(const char *at, size_t n) {
  return (n > 2 && at[2] == '!') || (n > 3 && at[2] == 'M' && at[3] == '!');
}

/* @return how many bytes were read */
static size_t read_bare(struct scan *scan, const char *at, size_t n) {
  size_t len = 1;
  if (n > 1 && at[0] == '/' && at[1] == '*') {
    scan->place = COMMENT;
    scan->executable |= begins_executable(at, n);
    len = 2;
  } else if (begins_line_comment(at, n)) {
    scan->place = LINE_COMMENT;
  } else if (at[0] == '\'' || at[0] == '"' || at[0] == '`') {
    scan->place = at[0] == '\'' ? LITERAL : at[0] == '"' ? DOUBLE : GRAVE;
    scan->before = scan->last;
  }
  scan->last = at[0];
  return len;
}

/* A doubled quote ends and begins again. */
static size_t read_inside(struct scan *scan, const char *at, size_t n) {
  static const char ends[] = {
      [LITERAL] = '\'', [DOUBLE] = '"', [GRAVE] = '`', [LINE_COMMENT] = '\n'};
  const bool is_text = scan->place == LITERAL || scan->place == DOUBLE;
  if (scan->escapes) {
    scan->escapes = false;
    return 1;
  }
  if (is_text && at[0] == '\\') {
    scan->escapes = scan->statement->has_backslash = true;
    scan->backslash_in_double |= scan->place == DOUBLE;
    return 1;
  }
  bool ended = scan->place == COMMENT ? n > 1 && at[0] == '*' && at[1] == '/'
                                      : at[0] == ends[scan->place];
  size_t len = ended && scan->place == COMMENT ? 2 : 1;
  if (ended) {
    scan->place = BARE;
    scan->last = is_text ? at[0] : ' ';
  }
  return len;
}

static const char *read_text(struct scan *scan, const struct template_piece *piece) {
  const char *at = piece->text.p;
  for (size_t left = piece->text.n; left > 0;) {
    size_t len = scan->place == BARE ? read_bare(scan, at, left) : read_inside(scan, at, left);
    at += len;
    left -= len;
  }
  scan->statement->parts[scan->statement->n++] = (struct part){scan->place, NULL, piece->text,
                                                               false};
  return NULL;
}

/* @return what is wrong, or NULL */
static const char *read_key(struct scan *scan, const struct template *query, size_t i) {
  struct statement *statement = scan->statement;
  if (scan->escapes)
    return "a backslash stands before a part of the key";
  statement->is_fragile |= scan->place == BARE || scan->place == GRAVE || scan->place == DOUBLE ||
                           (scan->place == LITERAL && template_is_word(scan->before));
  statement->parts[statement->n++] = (struct part){
      scan->place, &query->pieces[i], {NULL, 0}, template_joins_word(query, i)};
  if (scan->place == BARE)
    scan->last = 'x';
  return NULL;
}

static const char *read_pieces(struct scan *scan, const struct template *query) {
  const char *wrong = NULL;
  for (size_t i = 0; i < query->n && !wrong; i++) {
    const struct template_piece *piece = &query->pieces[i];
    wrong = piece->part == PIECE_LITERAL ? read_text(scan, piece) : read_key(scan, query, i);
  }
  if (wrong)
    return wrong;
  if (scan->executable)
    return "a comment that the server runs";
  if (scan->backslash_in_double)
    return "a backslash inside of double quotes, which mean different things to servers";
  if (scan->place != BARE && scan->place != LINE_COMMENT)
    return "a quote or comment without an end";
  return NULL;
}

dictum_status maria_statement_parse(const dictum_host *host, const struct template *query,
                                    const char *label, struct statement **out, dictum_error *err) {
  struct statement *statement = calloc(1, sizeof *statement);
  if (statement)
    statement->parts = calloc(query->n + 1, sizeof *statement->parts);
  if (!statement || !statement->parts) {
    maria_statement_free(statement);
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  }
  struct scan scan = {.place = BARE, .last = ' ', .before = ' ', .statement = statement};
  const char *wrong = read_pieces(&scan, query);
  if (wrong) {
    maria_statement_free(statement);
    return host->fail(err, DICTUM_CONFIG, 0, "%s: query: %s", label, wrong);
  }
  *out = statement;
  return DICTUM_OK;
}

void maria_statement_free(struct statement *statement) {
  if (!statement)
    return;
  free(statement->parts);
  free(statement);
}

bool maria_statement_has_backslash(const struct statement *statement) {
  return statement->has_backslash;
}

bool maria_statement_is_fragile(const struct statement *statement) {
  return statement->is_fragile;
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* A number, or a part of a word: a whole word would be the name of a column, say. */
static bool is_harmless(const struct part *part, const dictum_key *text) {
  bool word = text->n > 0 && part->joins, number = text->n > 0;
  for (size_t i = 0; i < text->n; i++) {
    char c = text->p[i];
    bool digit = c >= '0' && c <= '9';
    word &= digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    number &= digit || c == '.' || (c == '-' && i == 0 && text->n > 1);
  }
  return word || number;
}

bool maria_statement_suits(const struct statement *statement, const struct address *key) {
  if (memchr(key->whole.p, '\0', key->whole.n))
    return false;
  for (size_t i = 0; i < statement->n; i++) {
    const struct part *part = &statement->parts[i];
    dictum_key text;
    if (!part->of_key)
      continue;
    if (!template_piece_text(part->of_key, key, NULL, &text))
      return false;
    if (part->place == BARE && !is_harmless(part, &text))
      return false;
  }
  return true;
}

/* ---- texts ---------------------------------------------------------------------------------- */

/* In these a byte of ASCII may be the second one of a character. */
static bool hides_ascii(MYSQL *my) {
  static const char *const sets[] = {"big5", "cp932", "gb18030", "gbk", "sjis"};
  const char *name = mysql_character_set_name(my);
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    if (strcmp(name, sets[i]) == 0)
      return true;
  return false;
}

static bool is_ascii(const dictum_key *text) {
  for (size_t i = 0; i < text->n; i++)
    if ((unsigned char)text->p[i] >= 0x80)
      return false;
  return true;
}

static enum statement_answer append_escaped(MYSQL *my, const dictum_key *text, struct text *out) {
  if (!text_reserve(out, 2 * text->n + 1))
    return STATEMENT_NOMEM;
  unsigned long len = mysql_real_escape_string(my, out->data + out->len, text->p, text->n);
  if (len > 2 * text->n)
    return STATEMENT_UNFIT;
  out->len += len;
  return STATEMENT_OK;
}

/* Doubles @p quote, and backslashes if they escape. */
static enum statement_answer append_doubled(MYSQL *my, const dictum_key *text, char quote,
                                            bool escapes, struct text *out) {
  if (!is_ascii(text) && hides_ascii(my))
    return STATEMENT_UNFIT;
  for (size_t i = 0; i < text->n; i++) {
    const char pair[2] = {text->p[i], text->p[i]};
    bool doubled = text->p[i] == quote || (escapes && text->p[i] == '\\');
    if (!text_append(out, pair, doubled ? 2 : 1))
      return STATEMENT_NOMEM;
  }
  return STATEMENT_OK;
}

static enum statement_answer append_key(const struct part *part, MYSQL *my,
                                        const struct address *key, struct text *out) {
  dictum_key text;
  if (!template_piece_text(part->of_key, key, NULL, &text))
    return STATEMENT_UNFIT;
  switch (part->place) {
  case LITERAL:
    return append_escaped(my, &text, out);
  case DOUBLE:
    return append_doubled(my, &text, '"', !(my->server_status & SERVER_STATUS_NO_BACKSLASH_ESCAPES),
                          out);
  case GRAVE:
    return append_doubled(my, &text, '`', false, out);
  case LINE_COMMENT:
  case COMMENT:
    return STATEMENT_OK;
  case BARE:
    break;
  }
  return text_append(out, text.p, text.n) ? STATEMENT_OK : STATEMENT_NOMEM;
}

enum statement_answer maria_statement_text(const struct statement *statement, MYSQL *my,
                                           const struct address *key, struct text *out) {
  for (size_t i = 0; i < statement->n; i++) {
    const struct part *part = &statement->parts[i];
    enum statement_answer answer = STATEMENT_OK;
    if (part->of_key)
      answer = append_key(part, my, key, out);
    else if (!text_append(out, part->text.p, part->text.n))
      answer = STATEMENT_NOMEM;
    if (answer != STATEMENT_OK)
      return answer;
  }
  return STATEMENT_OK;
}
