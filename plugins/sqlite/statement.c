/* SPDX-License-Identifier: BSD-2-Clause */
/* statement.c - the query of a table, taken apart as SQLite's SQL. */
#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where in SQL a byte stands. */
enum place { BARE, LITERAL, NAME, GRAVE, BRACKET, LINE_COMMENT, COMMENT };

/* A piece of SQL in one place, or of a key. A literal with a key in it is a run of them. */
struct part {
  enum place place;
  const struct template_piece *of_key; /* NULL: text */
  dictum_key text;
  size_t param; /* of the literal that it belongs to, from 1; 0: none */
  bool joins;   /* it is a part of a word of the text */
};

struct statement {
  struct part *parts;
  size_t n, room;
  size_t nparams;
  bool is_fixed;
};

/* ---- parsing -------------------------------------------------------------------------------- */

static bool add(struct statement *statement, struct part part) {
  if (!part.of_key && part.text.n == 0)
    return true;
  if (statement->n == statement->room) {
    size_t room = statement->room ? statement->room * 2 : 16;
    struct part *parts = reallocarray(statement->parts, room, sizeof *parts);
    if (!parts)
      return false;
    statement->parts = parts;
    statement->room = room;
  }
  statement->parts[statement->n++] = part;
  return true;
}

static enum place place_after(const char *at, size_t n) {
  if (at[0] == '-' && n > 1 && at[1] == '-')
    return LINE_COMMENT;
  if (at[0] == '/' && n > 1 && at[1] == '*')
    return COMMENT;
  return at[0] == '\''  ? LITERAL
         : at[0] == '"' ? NAME
         : at[0] == '`' ? GRAVE
         : at[0] == '[' ? BRACKET
                        : BARE;
}

/* How many bytes end what is open; 0: it goes on. A doubled quote ends and begins again. */
static size_t ending(enum place place, const char *at, size_t n) {
  static const char ends[] = {
      [LITERAL] = '\'', [NAME] = '"', [GRAVE] = '`', [BRACKET] = ']', [LINE_COMMENT] = '\n'};
  if (place == COMMENT)
    return n > 1 && at[0] == '*' && at[1] == '/' ? 2 : 0;
  return at[0] == ends[place] ? 1 : 0;
}

/* The opening quote of a literal belongs to it, and so does the closing one. */
static bool add_text(struct statement *statement, enum place *place, const dictum_key *text) {
  size_t from = 0;
  for (size_t i = 0; i < text->n;) {
    const char *at = text->p + i;
    const size_t left = text->n - i;
    const enum place here = *place;
    if (here == BARE) {
      enum place next = place_after(at, left);
      if (next != BARE) {
        if (!add(statement, (struct part){BARE, NULL, {text->p + from, i - from}, 0, false}))
          return false;
        from = i;
        *place = next;
      }
      i += next == LINE_COMMENT || next == COMMENT ? 2 : 1;
      continue;
    }
    size_t end = ending(here, at, left);
    i += end ? end : 1;
    if (end == 0)
      continue;
    if (!add(statement, (struct part){here, NULL, {text->p + from, i - from}, 0, false}))
      return false;
    from = i;
    *place = BARE;
  }
  return add(statement, (struct part){*place, NULL, {text->p + from, text->n - from}, 0, false});
}

/* Gives each literal with a key in it its number. One behind the other, 'a''b', are the same one:
 * there is a quote in it. */
static void number_literals(struct statement *statement, bool last_is_open) {
  for (size_t from = 0, to; from < statement->n; from = to) {
    bool has_key = false;
    for (to = from; to < statement->n && statement->parts[to].place == LITERAL; to++)
      has_key |= statement->parts[to].of_key != NULL;
    if (to == from) {
      to++;
      continue;
    }
    /* One without an end is left to SQLite to refuse. */
    if (!has_key || (last_is_open && to == statement->n))
      continue;
    statement->nparams++;
    for (size_t i = from; i < to; i++)
      statement->parts[i].param = statement->nparams;
  }
}

static bool take_apart(struct statement *statement, const struct template *query,
                       enum place *last) {
  enum place place = BARE;
  for (size_t i = 0; i < query->n; i++) {
    const struct template_piece *piece = &query->pieces[i];
    bool done = piece->part == PIECE_LITERAL
                    ? add_text(statement, &place, &piece->text)
                    : add(statement, (struct part){.place = place,
                                                   .of_key = piece,
                                                   .joins = template_joins_word(query, i)});
    if (!done)
      return false;
  }
  *last = place;
  return true;
}

struct statement *sqlite_statement_parse(const struct template *query) {
  struct statement *statement = calloc(1, sizeof *statement);
  enum place last;
  if (!statement || !take_apart(statement, query, &last)) {
    sqlite_statement_free(statement);
    return NULL;
  }
  number_literals(statement, last == LITERAL);
  statement->is_fixed = true;
  for (size_t i = 0; i < statement->n; i++)
    statement->is_fixed &= !statement->parts[i].of_key || statement->parts[i].param > 0;
  return statement;
}

void sqlite_statement_free(struct statement *statement) {
  if (!statement)
    return;
  free(statement->parts);
  free(statement);
}

/* ---- keys ----------------------------------------------------------------------------------- */

static bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* A number, or a part of a word: a whole word would be the name of a column, say. "--" would begin
 * a comment. */
static bool is_harmless(const struct part *part, const dictum_key *text) {
  bool word = text->n > 0 && part->joins, number = text->n > 0;
  for (size_t i = 0; i < text->n; i++) {
    char c = text->p[i];
    word &= is_word(c);
    number &= (c >= '0' && c <= '9') || c == '.' || (c == '-' && i == 0 && text->n > 1);
  }
  return word || number;
}

bool sqlite_statement_suits(const struct statement *statement, const struct address *key) {
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
    if (part->place == BRACKET && memchr(text.p, ']', text.n)) /* cannot be escaped */
      return false;
  }
  return true;
}

bool sqlite_statement_is_fixed(const struct statement *statement) {
  return statement->is_fixed;
}

size_t sqlite_statement_nparams(const struct statement *statement) {
  return statement->nparams;
}

/* ---- texts ---------------------------------------------------------------------------------- */

static bool append_doubled(struct text *out, const dictum_key *text, char quote) {
  for (size_t i = 0; i < text->n; i++) {
    if (text->p[i] == quote && !text_append(out, &quote, 1))
      return false;
    if (!text_append(out, &text->p[i], 1))
      return false;
  }
  return true;
}

static bool append_key(const struct part *part, const struct address *key, struct text *out) {
  dictum_key text;
  if (!template_piece_text(part->of_key, key, NULL, &text))
    return true;
  switch (part->place) {
  case LITERAL:
    return append_doubled(out, &text, '\'');
  case NAME:
    return append_doubled(out, &text, '"');
  case GRAVE:
    return append_doubled(out, &text, '`');
  case LINE_COMMENT:
  case COMMENT:
    return true;
  default:
    return text_append(out, text.p, text.n);
  }
}

bool sqlite_statement_text(const struct statement *statement, const struct address *key, bool bound,
                           struct text *out) {
  size_t last = 0;
  for (size_t i = 0; i < statement->n; i++) {
    const struct part *part = &statement->parts[i];
    bool done = true;
    if (bound && part->param > 0) {
      char name[32];
      int n = snprintf(name, sizeof name, " :dictum%zu ", part->param - 1);
      done = part->param == last || text_append(out, name, (size_t)n);
      last = part->param;
    } else {
      done = part->of_key ? append_key(part, key, out)
                          : text_append(out, part->text.p, part->text.n);
    }
    if (!done)
      return false;
  }
  return true;
}

/* The text of a literal without its quotes; of two quotes inside, one. */
static bool append_content(struct text *out, const dictum_key *sql, bool *in_quotes) {
  for (size_t i = 0; i < sql->n; i++) {
    bool quote = sql->p[i] == '\'';
    if (quote)
      *in_quotes = !*in_quotes;
    /* The second of two begins the literal anew, and stands for one. */
    if ((!quote || *in_quotes) && !text_append(out, &sql->p[i], 1))
      return false;
  }
  return true;
}

bool sqlite_statement_value(const struct statement *statement, size_t param,
                            const struct address *key, struct text *out) {
  bool in_quotes = false, begun = false;
  for (size_t i = 0; i < statement->n; i++) {
    const struct part *part = &statement->parts[i];
    if (part->param != param + 1)
      continue;
    dictum_key text = part->text;
    bool done;
    if (part->of_key) {
      done = !template_piece_text(part->of_key, key, NULL, &text) ||
             text_append(out, text.p, text.n);
    } else {
      if (!begun) { /* the quote that opens it */
        text = (dictum_key){text.p + 1, text.n - 1};
        in_quotes = true;
      }
      done = append_content(out, &text, &in_quotes);
    }
    begun = true;
    if (!done)
      return false;
  }
  return true;
}
