/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * params_expand.c - references in the values of settings.
 *
 *     text       = { any | "$$" | "$" name | "${" reference "}" | "$(" reference ")" }
 *     reference  = condition | condition "?" branch [ ":" branch ] | condition ":" branch
 *                | function "{" text "}"
 *     condition  = name | "{" text "}" operator "{" text "}"
 *     operator   = "==" | "!=" | "<" | "<=" | ">" | ">=", each also with "level" behind it
 *     branch     = "{" text "}" | text to the end of the reference
 *
 * A condition that stands alone gives its value, or "true" or nothing. With
 * branches, a name is true when its value, before expansion, is not empty.
 */
#include "params.h"

#include <string.h>

#include "buf.h"
#include "error.h"
#include "lines.h"
#include "params_compare.h"

/* Settings that refer to each other in a ring, or that multiply, must come to an end. Work is
 * counted in bytes of text looked at; each call costs some more. */
enum { max_depth = 101, max_work = 64 * 1024 * 1024, call_cost = 256 };
enum { max_size = 16 * 1024 * 1024 };
/* How much of a text its message shows. */
enum { shown_size = 200, context_size = 30 };

/* Some text, not NUL-terminated. */
struct text {
  const char *p;
  size_t len;
};

struct expansion {
  const dictum_params *params;
  dictum_error *err;
  unsigned depth;
  size_t work;
};

/* A reference while it is taken apart. */
struct cursor {
  const char *start, *p, *end;
};

static dictum_status expand(struct expansion *x, struct text text, dictum_buf *out);

/* ---- mistakes ----------------------------------------------------------------------------- */

static dictum_status refuse(const struct expansion *x, const char *what, struct text text) {
  return error_code(x->err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "%s: \"%.*s\"", what,
                    (int)(text.len < shown_size ? text.len : shown_size), text.p);
}

static dictum_status refuse_at(const struct expansion *x, const char *what,
                               const struct cursor *at) {
  size_t before = (size_t)(at->p - at->start), after = (size_t)(at->end - at->p);
  before = before < context_size ? before : context_size;
  after = after < context_size ? after : context_size;
  return error_code(x->err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "%s at: \"...%.*s>>>%.*s\"", what,
                    (int)before, at->p - before, (int)after, at->p);
}

static dictum_status write_text(const struct expansion *x, dictum_buf *out, struct text text) {
  if (out->len > max_size)
    return refuse(x, "unreasonable size of value", text);
  return buf_append(out, text.p, text.len) ? DICTUM_OK : error_nomem(x->err);
}

/* ---- words -------------------------------------------------------------------------------- */

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_name_char(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static size_t name_len(struct text text) {
  size_t len = 0;
  while (len < text.len && is_name_char(text.p[len]))
    len++;
  return len;
}

/* Returns the length of what stands between the bracket at @p text and the one that closes it, or
 * text.len when nothing does. */
static size_t enclosed_len(struct text text, char open, char close) {
  size_t depth = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (text.p[i] == open)
      depth++;
    else if (text.p[i] == close && --depth == 0)
      return i - 1;
  }
  return text.len;
}

static bool at_end(const struct cursor *at) {
  return at->p == at->end;
}

static void skip_space(struct cursor *at) {
  while (at->p < at->end && is_space(*at->p))
    at->p++;
}

static struct text rest_of(const struct cursor *at) {
  return (struct text){at->p, (size_t)(at->end - at->p)};
}

static struct text take(struct cursor *at, size_t len) {
  struct text taken = {at->p, len};
  at->p += len;
  return taken;
}

static bool stands(const struct cursor *at, char c) {
  return at->p < at->end && *at->p == c;
}

/* Takes "{text}". @p what: the complaint when it is not there. */
static dictum_status take_braced(const struct expansion *x, struct cursor *at, const char *what,
                                 struct text *inner) {
  if (!stands(at, '{'))
    return refuse_at(x, what, at);
  size_t len = enclosed_len(rest_of(at), '{', '}');
  if (len == (size_t)(at->end - at->p))
    return refuse_at(x, "unbalanced {}", at);
  *inner = (struct text){at->p + 1, len};
  at->p += len + 2;
  return DICTUM_OK;
}

/* ---- comparison --------------------------------------------------------------------------- */

/* Takes the operator. @p levels: does it compare versions? */
static dictum_status take_relation(const struct expansion *x, struct cursor *at,
                                   enum relation *relation, bool *levels) {
  struct text rest = rest_of(at);
  size_t len = 0;
  while (len < rest.len && memchr("<>=!", rest.p[len], 4))
    len++;
  *relation = relation_find(rest.p, len);
  if (*relation == NO_RELATION)
    return refuse_at(x, "\"==\" or \"!=\" or \"<\" or \"<=\" or \">=\" or \">\" expected", at);
  at->p += len;
  len = name_len(rest_of(at));
  *levels = len == 5 && memcmp(at->p, "level", 5) == 0;
  if (len > 0 && !*levels)
    return refuse_at(x, "bad operator suffix", at);
  at->p += len;
  return DICTUM_OK;
}

static dictum_status compare_levels(const struct expansion *x, const dictum_buf *a,
                                    const dictum_buf *b, int *order) {
  static const char what[] = "malformed compatibility level syntax";
  struct level left, right;
  if (!level_parse(a->data, &left))
    return refuse(x, what, (struct text){a->data, a->len});
  if (!level_parse(b->data, &right))
    return refuse(x, what, (struct text){b->data, b->len});
  *order = levels_compare(&left, &right);
  return DICTUM_OK;
}

/* Expands both sides and finds their order. */
static dictum_status compare(struct expansion *x, struct text left, struct text right, bool levels,
                             int *order) {
  dictum_buf a = {0}, b = {0};
  *order = 0;
  dictum_status status = expand(x, left, &a);
  if (status == DICTUM_OK)
    status = expand(x, right, &b);
  if (status == DICTUM_OK && levels)
    status = compare_levels(x, &a, &b, order);
  else if (status == DICTUM_OK)
    *order = values_compare(&a, &b);
  dictum_buf_free(&a);
  dictum_buf_free(&b);
  return status;
}

/* Takes "{left} operator {right}". */
static dictum_status take_comparison(struct expansion *x, struct cursor *at, bool *truth) {
  static const char what[] = "\"{expression}\" expected";
  struct text left, right;
  enum relation relation;
  bool levels = false;
  dictum_status status = take_braced(x, at, what, &left);
  if (status != DICTUM_OK)
    return status;
  skip_space(at);
  status = take_relation(x, at, &relation, &levels);
  if (status != DICTUM_OK)
    return status;
  skip_space(at);
  status = take_braced(x, at, what, &right);
  if (status != DICTUM_OK)
    return status;
  int order;
  status = compare(x, left, right, levels, &order);
  *truth = relation_holds(relation, order);
  return status;
}

/* ---- references --------------------------------------------------------------------------- */

static dictum_status expand_param(struct expansion *x, struct text name, dictum_buf *out) {
  const struct param *param = params_find(x->params, name.p, name.len);
  if (!param)
    return DICTUM_OK;
  return expand(x, (struct text){param->value, strlen(param->value)}, out);
}

/* Takes "{text}", or all the rest. */
static dictum_status take_branch(const struct expansion *x, struct cursor *at,
                                 struct text *branch) {
  struct cursor ahead = *at;
  skip_space(&ahead);
  if (!stands(&ahead, '{')) {
    *branch = take(at, rest_of(at).len);
    return DICTUM_OK;
  }
  *at = ahead;
  dictum_status status = take_braced(x, at, "", branch);
  skip_space(at);
  return status;
}

/* Takes "?" or ":" and what follows, and expands the branch that @p truth tells. */
static dictum_status expand_branches(struct expansion *x, struct cursor *at, bool truth,
                                     dictum_buf *out) {
  struct text chosen = {"", 0}, branch;
  if (stands(at, '?')) {
    at->p++;
    dictum_status status = take_branch(x, at, &branch);
    if (status != DICTUM_OK)
      return status;
    if (truth)
      chosen = branch;
    if (!at_end(at) && !stands(at, ':'))
      return refuse_at(x, "\":\" expected", at);
  }
  if (!at_end(at)) {
    at->p++;
    dictum_status status = take_branch(x, at, &branch);
    if (status != DICTUM_OK)
      return status;
    if (!truth)
      chosen = branch;
  }
  if (!at_end(at))
    return refuse_at(x, "unexpected input", at);
  return expand(x, chosen, out);
}

static bool branches_follow(const struct cursor *at) {
  return stands(at, '?') || stands(at, ':');
}

static dictum_status expand_comparison(struct expansion *x, struct cursor *at, dictum_buf *out) {
  bool truth;
  dictum_status status = take_comparison(x, at, &truth);
  if (status != DICTUM_OK)
    return status;
  skip_space(at);
  if (at_end(at))
    return truth ? write_text(x, out, (struct text){"true", 4}) : DICTUM_OK;
  if (!branches_follow(at))
    return refuse_at(x, "\"?\" or \":\" expected", at);
  return expand_branches(x, at, truth, out);
}

static dictum_status expand_name(struct expansion *x, struct cursor *at, dictum_buf *out) {
  struct text name = take(at, name_len(rest_of(at)));
  /* No function is known yet: domain_to_ascii would bring a library for domain names along. */
  if (name.len > 0 && stands(at, '{'))
    return refuse_at(x, "unknown function", at);
  struct cursor behind_name = *at;
  skip_space(at);
  if (at_end(at))
    return expand_param(x, name, out);
  if (!branches_follow(at))
    return refuse_at(x, "attribute name syntax error", &behind_name);
  const struct param *param = params_find(x->params, name.p, name.len);
  return expand_branches(x, at, param && param->value[0] != '\0', out);
}

/* Expands what stands between "${" and "}". */
static dictum_status expand_reference(struct expansion *x, struct text text, dictum_buf *out) {
  struct cursor at = {text.p, text.p, text.p + text.len};
  skip_space(&at);
  return stands(&at, '{') ? expand_comparison(x, &at, out) : expand_name(x, &at, out);
}

/* ---- text --------------------------------------------------------------------------------- */

/* Expands what follows a "$". @p whole: for messages. */
static dictum_status expand_dollar(struct expansion *x, struct cursor *at, struct text whole,
                                   dictum_buf *out) {
  if (stands(at, '$'))
    return write_text(x, out, take(at, 1));
  if (!stands(at, '{') && !stands(at, '(')) {
    struct text name = take(at, name_len(rest_of(at)));
    return name.len > 0 ? expand_param(x, name, out) : refuse(x, "empty macro name", whole);
  }
  struct text rest = rest_of(at);
  size_t len = *at->p == '{' ? enclosed_len(rest, '{', '}') : enclosed_len(rest, '(', ')');
  if (len == rest.len)
    return refuse(x, "truncated macro reference", whole);
  if (len == 0)
    return refuse(x, "empty macro name", whole);
  take(at, len + 2);
  return expand_reference(x, (struct text){rest.p + 1, len}, out);
}

static dictum_status expand_all(struct expansion *x, struct text text, dictum_buf *out) {
  struct cursor at = {text.p, text.p, text.p + text.len};
  dictum_status status = DICTUM_OK;
  while (status == DICTUM_OK && !at_end(&at)) {
    const char *dollar = memchr(at.p, '$', (size_t)(at.end - at.p));
    size_t plain = (size_t)((dollar ? dollar : at.end) - at.p);
    status = write_text(x, out, take(&at, plain));
    if (status != DICTUM_OK || !dollar)
      return status;
    at.p++;
    status = expand_dollar(x, &at, text, out);
  }
  return status;
}

/* The one way down, so that depth and amount of work are limited. */
static dictum_status expand(struct expansion *x, struct text text, dictum_buf *out) {
  if (x->depth == max_depth || x->work > max_work || text.len > max_size)
    return refuse(x, "unreasonable macro call nesting", text);
  x->work += text.len + call_cost;
  x->depth++;
  dictum_status status = write_text(x, out, (struct text){"", 0}); /* gives it its NUL */
  if (status == DICTUM_OK)
    status = expand_all(x, text, out);
  x->depth--;
  return status;
}

dictum_status params_expand(const dictum_params *params, const char *text, size_t len,
                            dictum_buf *out, dictum_error *err) {
  struct expansion x = {.params = params, .err = err};
  return expand(&x, (struct text){text, len}, out);
}
