/* SPDX-License-Identifier: BSD-2-Clause */
/* combine.c - what combinators share: "kind:{option=value, type:name, {type:name}}". */
#include "combine.h"

#include <stdlib.h>
#include <string.h>

#include "braces.h"
#include "error.h"
#include "options.h"

static const struct combinator_kind *const kinds[] = {&cache_kind, &debug_kind,   &failover_kind,
                                                      &fault_kind, &pipemap_kind, &unionmap_kind};
enum { nkinds = sizeof kinds / sizeof *kinds };

const struct combinator_kind *combinator_at(size_t i) {
  return i < nkinds ? kinds[i] : NULL;
}

const struct combinator_kind *combinator_find(const char *name) {
  for (size_t i = 0; i < nkinds; i++)
    if (strcmp(kinds[i]->name, name) == 0)
      return kinds[i];
  return NULL;
}

/* ---- the words of a name -------------------------------------------------------------------- */

/* The pieces of one name, copied. */
struct words {
  char **options, **members;
  size_t noptions, nmembers;
};

static void words_free(struct words *words) {
  for (size_t i = 0; i < words->noptions; i++)
    free(words->options[i]);
  for (size_t i = 0; i < words->nmembers; i++)
    free(words->members[i]);
  free(words->options);
  free(words->members);
}

/* An option has its '=' before any colon or brace; whatever else there is should be a table. */
static bool is_option(struct piece word) {
  size_t i = 0;
  while (i < word.len && !strchr("={:", word.text[i]))
    i++;
  return i < word.len && word.text[i] == '=';
}

static bool add_word(char ***list, size_t *n, struct piece word) {
  char **longer = reallocarray(*list, *n + 1, sizeof *longer);
  if (!longer)
    return false;
  *list = longer;
  longer[*n] = strndup(word.text, word.len);
  return longer[*n] && ++*n;
}

/* In Postfix's words, and then what exactly is wrong. */
static dictum_status refuse(const struct combinator_kind *kind, const char *spec, const char *what,
                            dictum_error *err) {
  const char *wanted = kind->max_members > 1 ? "type:name..."
                       : kind->nopts         ? "option=value... type:name"
                                             : "type:name";
  return error_set(err, DICTUM_INVALID, 0, "bad syntax: \"%.200s\"; need \"%s:{%s}\" (%s)", spec,
                   kind->name, wanted, what);
}

static dictum_status split_words(const struct combinator_kind *kind, const char *spec,
                                 const char *name, struct words *words, dictum_error *err) {
  if (kind->bare)
    return add_word(&words->members, &words->nmembers, piece_of(name)) ? DICTUM_OK
                                                                       : error_nomem(err);
  struct piece rest, word;
  const char *mistake = braces_strip(piece_of(name), &rest);
  if (mistake)
    return refuse(kind, spec, mistake, err);
  while (braces_next_word(&rest, &word)) {
    struct piece inner = word;
    mistake = word.text[0] == '{' ? braces_strip(word, &inner) : NULL;
    bool option = is_option(word);
    if (!mistake && !option && !memchr(inner.text, ':', inner.len))
      mistake = "a member without a type";
    if (mistake)
      return refuse(kind, spec, mistake, err);
    bool added = option ? add_word(&words->options, &words->noptions, word)
                        : add_word(&words->members, &words->nmembers, piece_trim(inner));
    if (!added)
      return error_nomem(err);
  }
  if (words->nmembers < kind->min_members)
    return refuse(kind, spec, "a member is missing", err);
  return words->nmembers > kind->max_members ? refuse(kind, spec, "too many members", err)
                                             : DICTUM_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static dictum_status open_members(struct node_opening *opening, const struct words *words,
                                  uint32_t flags, struct combinator *self, dictum_error *err) {
  self->members = calloc(words->nmembers + 1, sizeof(struct node *));
  if (!self->members)
    return error_nomem(err);
  self->node.children = self->members;
  dictum_status status = DICTUM_OK;
  opening->depth++;
  for (size_t i = 0; i < words->nmembers && status == DICTUM_OK; i++) {
    status = node_open(opening, words->members[i], flags, &self->members[i], err);
    if (status == DICTUM_OK)
      self->n++;
    else
      error_where(err, status, words->members[i]);
  }
  opening->depth--;
  return status;
}

/* What a combinator does not pass on cannot be asked of it. */
static dictum_status check_writable(const struct combinator_kind *kind, uint32_t flags,
                                    dictum_error *err) {
  const uint32_t wanted = flags & DICTUM_OPEN_REPLACE ? DICTUM_CAP_REPLACE
                                                      : DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE;
  if (!(flags & DICTUM_OPEN_WRITE) || (kind->writes & wanted))
    return DICTUM_OK;
  return error_set(err, DICTUM_UNSUPPORTED, 0, "tables of type %s are read-only", kind->name);
}

static dictum_status parse_options(const struct combinator_kind *kind, const struct words *words,
                                   dictum_cfg **cfg, dictum_error *err) {
  char label[32];
  text_format(label, sizeof label, "%s: ", kind->name);
  dictum_status status = options_parse(kind->opts, kind->nopts, label, words->options,
                                       words->noptions, cfg, err);
  if (status != DICTUM_CONFIG)
    return status;
  /* A mistake in the spec itself: no waiting mends it. */
  if (err)
    err->status = DICTUM_INVALID;
  return DICTUM_INVALID;
}

static dictum_status build(struct node_opening *opening, const struct combinator_kind *kind,
                           const struct words *words, uint32_t flags, struct combinator *self,
                           dictum_error *err) {
  dictum_cfg *cfg;
  dictum_status status = parse_options(kind, words, &cfg, err);
  if (status != DICTUM_OK)
    return status;
  status = open_members(opening, words, flags | kind->member_flags, self, err);
  if (status == DICTUM_OK && kind->init)
    status = kind->init(self, cfg, flags, err);
  options_free(cfg);
  return status;
}

dictum_status combinator_open(struct node_opening *opening, const struct combinator_kind *kind,
                              const char *spec, const char *name, uint32_t flags, struct node **out,
                              dictum_error *err) {
  struct words words = {0};
  dictum_status status = check_writable(kind, flags, err);
  if (status == DICTUM_OK)
    status = split_words(kind, spec, name, &words, err);
  struct combinator *self = status == DICTUM_OK ? calloc(1, kind->size) : NULL;
  if (status == DICTUM_OK && (!self || !(self->spec = strdup(spec))))
    status = error_nomem(err);
  if (status == DICTUM_OK) {
    self->ctx = opening->ctx;
    self->node = (struct node){.ops = kind->ops, .spec = self->spec};
    status = build(opening, kind, &words, flags, self, err);
  }
  words_free(&words);
  if (status == DICTUM_OK)
    *out = &self->node;
  else if (self && self->node.ops)
    self->node.ops->close(&self->node);
  else
    free(self);
  return status;
}

void combinator_close(struct combinator *self) {
  for (size_t i = 0; i < self->n; i++)
    node_close(self->members[i]);
  free(self->members);
  free(self->spec);
  free(self);
}

uint32_t combinator_caps(const struct combinator *self, uint32_t writes) {
  uint32_t all = UINT32_MAX, some = 0;
  for (size_t i = 0; i < self->n; i++) {
    uint32_t caps = self->members[i]->ops->caps(self->members[i]);
    all &= caps;
    some |= caps;
    /* A table whose type is not known yet may turn out to be one of patterns, or to wait. */
    if (caps == 0)
      some |= NODE_CAP_SOME_PATTERN | DICTUM_CAP_MAY_WAIT;
    if (caps & DICTUM_CAP_PATTERN)
      some |= NODE_CAP_SOME_PATTERN;
  }
  return (all & (DICTUM_CAP_ITERATE | DICTUM_CAP_PATTERN | writes)) |
         (some & (DICTUM_CAP_NETWORK | DICTUM_CAP_MAY_WAIT | NODE_CAP_SOME_PATTERN));
}

/* ---- asking members ------------------------------------------------------------------------- */

void member_ask(struct node *member, const dictum_call *call, const struct node_keys *keys,
                dictum_sink *sink, dictum_error *err) {
  dictum_status status = member->ops->lookup(member, call, keys, sink, err);
  for (size_t i = 0; status != DICTUM_OK && i < sink->n; i++)
    sink->reqs[i].status = status;
  /* Only matters when it failed; harmless otherwise. */
  error_where(err, status, member->spec);
}

bool subset_init(struct subset *subset, size_t room) {
  *subset = (struct subset){.room = room};
  subset->index = calloc(room, sizeof *subset->index);
  subset->raw = calloc(room, 2 * sizeof *subset->raw);
  subset->reqs = calloc(room, sizeof *subset->reqs);
  if (subset->index && subset->raw && subset->reqs) {
    subset->folded = subset->raw + room;
    return true;
  }
  subset_free(subset);
  return false;
}

void subset_free(struct subset *subset) {
  free(subset->index);
  free(subset->raw);
  free(subset->reqs);
  *subset = (struct subset){0};
}

void subset_add(struct subset *subset, const struct node_keys *keys, size_t i) {
  size_t at = subset->n++;
  subset->index[at] = i;
  subset->raw[at] = keys->raw[i];
  subset->folded[at] = keys->folded[i];
  subset->reqs[at] = (dictum_req){.key = keys->raw[i].p, .keylen = keys->raw[i].n};
}

void subset_ask(struct subset *subset, struct node *member, const dictum_call *call,
                dictum_sink *sink, dictum_error *err) {
  const struct node_keys keys = {subset->raw, subset->folded, subset->n};
  dictum_sink answers = {.reqs = subset->reqs, .n = subset->n, .arena = sink->arena};
  member_ask(member, call, &keys, &answers, err);
  for (size_t i = 0; i < subset->n; i++) {
    dictum_req *to = &sink->reqs[subset->index[i]];
    const dictum_req *from = &subset->reqs[i];
    to->status = from->status;
    to->flags = from->flags;
    to->off = from->off;
    to->len = from->len;
  }
}
