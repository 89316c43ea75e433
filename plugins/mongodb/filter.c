/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.c - the setting query_filter.
 *
 * To the JSON reader, a key is a text such as "\u00012\u0001": a byte that no
 * setting has in it, and the number of the template's piece. It survives as part
 * of a text, and is a mistake everywhere else.
 */
#include "filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { mark = '\1', deepest = 100, longest_document = 16 << 20 };

struct filter {
  struct template template;
  bson_t *pattern;
};

/* What a text means, by where it stands. */
enum place {
  VALUE,      /* itself */
  EXPRESSION, /* with '$' before it, something else */
  PATTERN,    /* a regular expression */
  NOWHERE     /* nothing that a key could be in */
};

/* ---- places --------------------------------------------------------------------------------- */

/* Operators below which keys may stand, in the query language and in that of expressions. All
 * others are refused. */
static const struct {
  const char *name;
  enum place from, to;
} operators[] = {
    {"$or", VALUE, VALUE},
    {"$and", VALUE, VALUE},
    {"$nor", VALUE, VALUE},
    {"$not", VALUE, VALUE},
    {"$eq", VALUE, VALUE},
    {"$ne", VALUE, VALUE},
    {"$gt", VALUE, VALUE},
    {"$gte", VALUE, VALUE},
    {"$lt", VALUE, VALUE},
    {"$lte", VALUE, VALUE},
    {"$in", VALUE, VALUE},
    {"$nin", VALUE, VALUE},
    {"$all", VALUE, VALUE},
    {"$elemMatch", VALUE, VALUE},
    {"$comment", VALUE, VALUE},
    {"$regex", VALUE, PATTERN},
    {"$expr", VALUE, EXPRESSION},
    {"$literal", EXPRESSION, VALUE},
    {"$and", EXPRESSION, EXPRESSION},
    {"$or", EXPRESSION, EXPRESSION},
    {"$not", EXPRESSION, EXPRESSION},
    {"$eq", EXPRESSION, EXPRESSION},
    {"$ne", EXPRESSION, EXPRESSION},
    {"$gt", EXPRESSION, EXPRESSION},
    {"$gte", EXPRESSION, EXPRESSION},
    {"$lt", EXPRESSION, EXPRESSION},
    {"$lte", EXPRESSION, EXPRESSION},
    {"$cmp", EXPRESSION, EXPRESSION},
    {"$in", EXPRESSION, EXPRESSION},
    {"$cond", EXPRESSION, EXPRESSION},
    {"$ifNull", EXPRESSION, EXPRESSION},
    {"$concat", EXPRESSION, EXPRESSION},
    {"$toLower", EXPRESSION, EXPRESSION},
    {"$toUpper", EXPRESSION, EXPRESSION},
    {"$strcasecmp", EXPRESSION, EXPRESSION},
    {"$indexOfBytes", EXPRESSION, EXPRESSION},
    {"$split", EXPRESSION, EXPRESSION},
};

static enum place place_below(enum place place, const char *name) {
  if (place == NOWHERE || name[0] != '$')
    return place;
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (operators[i].from == place && strcmp(operators[i].name, name) == 0)
      return operators[i].to;
  return NOWHERE;
}

/* ---- filling in ----------------------------------------------------------------------------- */

enum outcome { DONE, SUPPRESSED, MISPLACED, TOO_LONG, NOMEM };

struct filling {
  const struct template *template;
  const struct address *key;
  const char *stranger; /* an operator that is not among those above */
  const char *why;      /* MISPLACED */
  size_t marks;         /* that were found */
  struct text text;
};

static enum outcome misplaced(struct filling *filling, const char *why) {
  filling->why = why;
  return MISPLACED;
}

/* The piece that stands at @p at, which begins with the mark. @return what is behind it, or NULL.
 */
static const char *read_mark(struct filling *filling, const char *at,
                             const struct template_piece **piece) {
  char *end;
  unsigned long number = strtoul(at + 1, &end, 10);
  if (end == at + 1 || *end != mark || number >= filling->template->n)
    return NULL;
  *piece = &filling->template->pieces[number];
  filling->marks++;
  return (*piece)->part == PIECE_LITERAL ? NULL : end + 1;
}

static bool is_plain_in_pattern(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (unsigned char)c >= 0x80;
}

static bool append_key(struct filling *filling, enum place place, const dictum_key *key) {
  if (place != PATTERN)
    return text_append(&filling->text, key->p, key->n);
  for (size_t i = 0; i < key->n; i++)
    if ((!is_plain_in_pattern(key->p[i]) && !text_append(&filling->text, "\\", 1)) ||
        !text_append(&filling->text, &key->p[i], 1))
      return false;
  return true;
}

static bool is_escaped(const char *start, const char *at) {
  const char *first = at;
  while (first > start && first[-1] == '\\')
    first--;
  return (at - first) % 2 != 0;
}

/* May keys stand in @p text, at @p place? */
static const char *objection(const struct filling *filling, enum place place, const char *text) {
  if (place == NOWHERE)
    return filling->stranger;
  if (place == EXPRESSION && text[0] == '$')
    return "the name of a field";
  if (place == PATTERN && strstr(text, "\\Q"))
    return "a regular expression with \\Q";
  return NULL;
}

/* Makes filling->text of @p text, which ends with a NUL byte. */
static enum outcome fill_text(struct filling *filling, enum place place, const char *text) {
  text_clear(&filling->text);
  if (!text_append(&filling->text, "", 0))
    return NOMEM;
  const char *why = strchr(text, mark) ? objection(filling, place, text) : NULL;
  if (why)
    return misplaced(filling, why);
  for (const char *at = text; *at;) {
    const struct template_piece *piece;
    dictum_key key;
    const size_t len = strcspn(at, "\1");
    if (len > 0) {
      if (!text_append(&filling->text, at, len))
        return NOMEM;
      at += len;
      continue;
    }
    if (place == PATTERN && is_escaped(text, at))
      return misplaced(filling, "a regular expression, behind a backslash");
    at = read_mark(filling, at, &piece);
    if (!at)
      return misplaced(filling, "a text with a control character");
    if (!template_piece_text(piece, filling->key, NULL, &key))
      return SUPPRESSED;
    if (!append_key(filling, place, &key))
      return NOMEM;
  }
  return filling->text.len < longest_document ? DONE : TOO_LONG;
}

static bool append_text(bson_t *out, const char *name, const struct text *text) {
  return bson_append_utf8(out, name, -1, text->data, (int)text->len);
}

/* So that a '$' in it is one. */
static bool append_literal(bson_t *out, const char *name, const struct text *text) {
  bson_t literal;
  return bson_append_document_begin(out, name, -1, &literal) &&
         append_text(&literal, "$literal", text) && bson_append_document_end(out, &literal);
}

static enum outcome fill_utf8(struct filling *filling, const bson_iter_t *iter, enum place place,
                              bson_t *out) {
  uint32_t len;
  const char *text = bson_iter_utf8(iter, &len);
  const char *name = bson_iter_key(iter);
  if (!memchr(text, mark, len))
    return bson_append_iter(out, NULL, 0, iter) ? DONE : TOO_LONG;
  if (strlen(text) != len)
    return misplaced(filling, "a text with a control character");
  enum outcome outcome = fill_text(filling, place, text);
  if (outcome != DONE)
    return outcome;
  bool done = place == EXPRESSION ? append_literal(out, name, &filling->text)
                                  : append_text(out, name, &filling->text);
  return done ? DONE : TOO_LONG;
}

static enum outcome fill_regex(struct filling *filling, const bson_iter_t *iter, enum place place,
                               bson_t *out) {
  const char *options;
  const char *text = bson_iter_regex(iter, &options);
  if (strchr(options, mark))
    return misplaced(filling, "the options of a regular expression");
  enum outcome outcome = fill_text(filling, place == NOWHERE ? place : PATTERN, text);
  if (outcome != DONE)
    return outcome;
  return bson_append_regex(out, bson_iter_key(iter), -1, filling->text.data, options) ? DONE
                                                                                      : TOO_LONG;
}

static bool begin(bson_t *out, const char *name, bool array, bson_t *child) {
  return array ? bson_append_array_begin(out, name, -1, child)
               : bson_append_document_begin(out, name, -1, child);
}

static bool end(bson_t *out, bool array, bson_t *child) {
  return array ? bson_append_array_end(out, child) : bson_append_document_end(out, child);
}

/* For what has texts of its own, such as programs. */
static bool has_mark(const bson_iter_t *iter) {
  bson_t whole = BSON_INITIALIZER;
  bson_append_iter(&whole, "x", 1, iter);
  bool found = memchr(bson_get_data(&whole), mark, whole.len) != NULL;
  bson_destroy(&whole);
  return found;
}

static enum outcome fill_all(struct filling *filling, bson_iter_t *iter, enum place place,
                             unsigned depth, bson_t *out);

static enum outcome fill_nested(struct filling *filling, const bson_iter_t *iter, enum place place,
                                unsigned depth, bson_t *out) {
  bson_iter_t inner;
  bson_t child;
  const bool array = BSON_ITER_HOLDS_ARRAY(iter);
  if (depth == deepest || !bson_iter_recurse(iter, &inner))
    return misplaced(filling, "what is nested so deeply");
  if (!begin(out, bson_iter_key(iter), array, &child))
    return TOO_LONG;
  enum outcome outcome = fill_all(filling, &inner, place, depth + 1, &child);
  return end(out, array, &child) || outcome != DONE ? outcome : TOO_LONG;
}

static enum outcome fill_one(struct filling *filling, const bson_iter_t *iter, enum place place,
                             unsigned depth, bson_t *out) {
  const char *name = bson_iter_key(iter);
  const enum place below = place_below(place, name);
  if (strchr(name, mark))
    return misplaced(filling, "a name");
  if (below == NOWHERE && place != NOWHERE)
    filling->stranger = name;
  switch (bson_iter_type(iter)) {
  case BSON_TYPE_UTF8:
    return fill_utf8(filling, iter, below, out);
  case BSON_TYPE_REGEX:
    return fill_regex(filling, iter, below, out);
  case BSON_TYPE_DOCUMENT:
  case BSON_TYPE_ARRAY:
    return fill_nested(filling, iter, below, depth, out);
  case BSON_TYPE_CODE:
  case BSON_TYPE_CODEWSCOPE:
  case BSON_TYPE_SYMBOL:
  case BSON_TYPE_DBPOINTER:
    if (has_mark(iter))
      return misplaced(filling, "code");
    /* fall through */
  default:
    return bson_append_iter(out, NULL, 0, iter) ? DONE : TOO_LONG;
  }
}

static enum outcome fill_all(struct filling *filling, bson_iter_t *iter, enum place place,
                             unsigned depth, bson_t *out) {
  enum outcome outcome = DONE;
  while (outcome == DONE && bson_iter_next(iter))
    outcome = fill_one(filling, iter, place, depth, out);
  return outcome;
}

static enum outcome fill(struct filling *filling, const bson_t *pattern, bson_t *out) {
  bson_iter_t iter;
  bson_init(out);
  bson_iter_init(&iter, pattern);
  enum outcome outcome = fill_all(filling, &iter, VALUE, 0, out);
  text_free(&filling->text);
  return outcome == DONE && out->len > longest_document ? TOO_LONG : outcome;
}

enum filter_answer mongo_filter_fill(const struct filter *filter, const struct address *key,
                                     bson_t *out) {
  struct filling filling = {.template = &filter->template, .key = key};
  if (!bson_utf8_validate(key->whole.p, key->whole.n, false)) {
    bson_init(out);
    return FILTER_SUPPRESSED;
  }
  switch (fill(&filling, filter->pattern, out)) {
  case DONE:
    return FILTER_DONE;
  case TOO_LONG:
    return FILTER_TOO_LONG;
  case NOMEM:
    return FILTER_NOMEM;
  default:
    return FILTER_SUPPRESSED;
  }
}

/* ---- parsing -------------------------------------------------------------------------------- */

/* The reader quotes what it does not understand. */
static void copy_words(const char *from, char *to, size_t size) {
  size_t i = 0;
  for (; from[i] && i + 1 < size; i++)
    to[i] = from[i] >= 0 && from[i] < ' ' ? ' ' : from[i];
  to[i] = '\0';
}

/* @return an object, which is all of @p text; NULL: @p why tells */
static bson_t *read_object(const char *text, size_t len, char *why, size_t size) {
  bson_error_t error = {0};
  bson_t *object = bson_new(), rest = BSON_INITIALIZER;
  bson_json_reader_t *reader = bson_json_data_reader_new(false, 0);
  bson_json_data_reader_ingest(reader, (const uint8_t *)text, len);
  bool done = bson_json_reader_read(reader, object, &error) == 1;
  copy_words(done ? "there is more behind the object" : error.message, why, size);
  done = done && bson_json_reader_read(reader, &rest, &error) == 0;
  bson_json_reader_destroy(reader);
  bson_destroy(&rest);
  if (done)
    return object;
  bson_destroy(object);
  return NULL;
}

dictum_status mongo_json_read(const dictum_host *host, const char *label, const char *option,
                              const char *text, size_t len, bson_t **out, dictum_error *err) {
  char why[200];
  if (text[strspn(text, " \t\r\n")] != '{')
    return host->fail(err, DICTUM_CONFIG, 0, "%s: %s: it does not begin with '{'", label, option);
  *out = read_object(text, len, why, sizeof why);
  return *out ? DICTUM_OK : host->fail(err, DICTUM_CONFIG, 0, "%s: %s: %s", label, option, why);
}

/* The template with marks for keys. */
static bool write_json(const struct template *template, struct text *out) {
  for (size_t i = 0; i < template->n; i++) {
    const struct template_piece *piece = &template->pieces[i];
    char name[40];
    int len = snprintf(name, sizeof name, "\\u0001%zu\\u0001", i);
    if (!(piece->part == PIECE_LITERAL ? text_append(out, piece->text.p, piece->text.n)
                                       : text_append(out, name, (size_t)len)))
      return false;
  }
  return text_append(out, "", 0);
}

static size_t count_keys(const struct template *template) {
  size_t n = 0;
  for (size_t i = 0; i < template->n; i++)
    n += template->pieces[i].part != PIECE_LITERAL;
  return n;
}

/* Tries it with a key that has every part. Whether keys may stand where they do is the same for all
 * of them. The reader drops what it does not know of the options of a regular expression. */
static dictum_status check(const struct filter *filter, const dictum_host *host, const char *label,
                           dictum_error *err) {
  static const char any[] = "local@i.h.g.f.e.d.c.b.a";
  const struct address key = address_of(any, sizeof any - 1);
  struct filling filling = {.template = &filter->template, .key = &key, .why = "what is no text"};
  bson_t filled;
  enum outcome outcome = fill(&filling, filter->pattern, &filled);
  bson_destroy(&filled);
  if (outcome == DONE && filling.marks == count_keys(&filter->template))
    return DICTUM_OK;
  if (outcome == NOMEM)
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  return host->fail(err, DICTUM_CONFIG, 0, "%s: query_filter: a key cannot stand in %s", label,
                    filling.why);
}

static dictum_status read_filter(struct filter *filter, const dictum_host *host, const char *text,
                                 const char *label, dictum_error *err) {
  struct text json = {0};
  dictum_status status = template_parse(host, text, TEMPLATE_QUERY, label, &filter->template, err);
  if (status == DICTUM_OK && !write_json(&filter->template, &json))
    status = host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  if (status == DICTUM_OK)
    status = mongo_json_read(host, label, "query_filter", json.data, json.len, &filter->pattern,
                             err);
  if (status == DICTUM_OK)
    status = check(filter, host, label, err);
  text_free(&json);
  return status;
}

dictum_status mongo_filter_parse(const dictum_host *host, const char *text, const char *label,
                                 struct filter **out, dictum_error *err) {
  struct filter *filter = calloc(1, sizeof *filter);
  if (!filter)
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  dictum_status status = read_filter(filter, host, text, label, err);
  if (status == DICTUM_OK)
    *out = filter;
  else
    mongo_filter_free(filter);
  return status;
}

void mongo_filter_free(struct filter *filter) {
  if (!filter)
    return;
  if (filter->pattern)
    bson_destroy(filter->pattern);
  template_free(&filter->template);
  free(filter);
}
