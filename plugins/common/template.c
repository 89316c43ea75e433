/* SPDX-License-Identifier: BSD-2-Clause */
/* template.c - texts with "%s" and its like, as in pgsql_table(5) and memcache_table(5). */
#include "template.h"

#include <stdlib.h>
#include <string.h>

/* ---- parsing -------------------------------------------------------------------------------- */

/* What the letter behind a '%' stands for. False: nothing. */
static bool understand(char letter, enum template_kind kind, struct template_piece *piece) {
  piece->of_value = kind == TEMPLATE_RESULT && strchr("sud", letter);
  switch (letter) {
  case 's':
  case 'S':
    piece->part = PIECE_WHOLE;
    return true;
  case 'u':
  case 'U':
    piece->part = PIECE_LOCAL;
    return true;
  case 'd':
  case 'D':
    piece->part = PIECE_DOMAIN;
    return true;
  default:
    piece->part = PIECE_LABEL;
    piece->label = (unsigned)(letter - '0');
    return letter >= '1' && letter <= '9';
  }
}

/* Cuts the next piece off *@p at. False: there is an unknown letter. */
static bool next_piece(const char **at, enum template_kind kind, struct template_piece *piece) {
  const char *start = *at;
  *piece = (struct template_piece){.part = PIECE_LITERAL};
  if (start[0] == '%' && start[1] == '%') {
    piece->text = (dictum_key){start, 1};
    *at = start + 2;
    return true;
  }
  if (start[0] == '%') {
    *at = start + 2;
    return start[1] != '\0' && understand(start[1], kind, piece);
  }
  size_t len = strcspn(start, "%");
  piece->text = (dictum_key){start, len};
  *at = start + len;
  return true;
}

dictum_status template_parse(const dictum_host *host, const char *text, enum template_kind kind,
                             const char *label, struct template *out, dictum_error *err) {
  *out = (struct template){.text = strdup(text)};
  /* Each '%' makes at most two pieces: itself and what is behind it. */
  size_t most = 1;
  for (const char *s = text; *s; s++)
    most += *s == '%' ? 2 : 0;
  out->pieces = calloc(most, sizeof *out->pieces);
  if (!out->text || !out->pieces) {
    template_free(out);
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  }
  for (const char *at = out->text; *at;)
    if (!next_piece(&at, kind, &out->pieces[out->n++])) {
      template_free(out);
      return host->fail(err, DICTUM_CONFIG, 0, "%s: Invalid %s template: %s", label,
                        kind == TEMPLATE_QUERY ? "query" : "result", text);
    }
  return DICTUM_OK;
}

void template_free(struct template *template) {
  free(template->text);
  free(template->pieces);
  *template = (struct template){0};
}

/* ---- expansion ------------------------------------------------------------------------------ */

bool template_joins_word(const struct template *template, size_t i) {
  const struct template_piece *pieces = template->pieces;
  if (i > 0 && pieces[i - 1].part == PIECE_LITERAL &&
      template_is_word(pieces[i - 1].text.p[pieces[i - 1].text.n - 1]))
    return true;
  return i + 1 < template->n && pieces[i + 1].part == PIECE_LITERAL &&
         template_is_word(pieces[i + 1].text.p[0]);
}

struct address address_of(const char *text, size_t len) {
  struct address address = {.whole = {text, len}, .local = {text, len}};
  const char *at = len ? memrchr(text, '@', len) : NULL;
  if (!at)
    return address;
  address.local.n = (size_t)(at - text);
  address.domain = (dictum_key){at + 1, len - address.local.n - 1};
  return address;
}

/* Several dots in a row count as one. */
static bool find_label(dictum_key domain, unsigned number, dictum_key *out) {
  size_t end = domain.n;
  for (unsigned i = 1;; i++) {
    while (end > 0 && domain.p[end - 1] == '.')
      end--;
    size_t start = end;
    while (start > 0 && domain.p[start - 1] != '.')
      start--;
    if (start == end)
      return false;
    if (i == number) {
      *out = (dictum_key){domain.p + start, end - start};
      return true;
    }
    end = start;
  }
}

bool template_piece_text(const struct template_piece *piece, const struct address *key,
                         const struct address *value, dictum_key *out) {
  const struct address *of = piece->of_value ? value : key;
  switch (piece->part) {
  case PIECE_LITERAL:
    *out = piece->text;
    return true;
  case PIECE_WHOLE:
    *out = of->whole;
    return true;
  case PIECE_LOCAL:
    *out = of->local;
    return out->n > 0;
  case PIECE_DOMAIN:
    *out = of->domain;
    return out->n > 0;
  case PIECE_LABEL:
    return of->domain.n > 0 && find_label(of->domain, piece->label, out);
  }
  return false;
}

enum template_answer template_expand(const struct template *template, const struct address *key,
                                     const struct address *value, struct text *out) {
  const size_t before = out->len;
  for (size_t i = 0; i < template->n; i++) {
    dictum_key text;
    bool present = template_piece_text(&template->pieces[i], key, value, &text);
    if (present && text_append(out, text.p, text.n))
      continue;
    out->len = before;
    return present ? TEMPLATE_NOMEM : TEMPLATE_SUPPRESSED;
  }
  return TEMPLATE_DONE;
}
