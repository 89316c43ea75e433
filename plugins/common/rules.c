/* SPDX-License-Identifier: BSD-2-Clause */
/* rules.c - what tables of rules share (regexp, pcre, cidr). */
#include "rules.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The host program's locale must not change what a rule means: no <ctype.h>. */
static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c) {
  return is_letter(c) || is_digit(c);
}

static char *skip_space(char *text) {
  while (is_space(*text))
    text++;
  return text;
}

static dictum_status out_of_memory(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

/* ---- the text of a table -------------------------------------------------------------------- */

void rules_warn(const struct rules_origin *from, uint64_t line, const char *fmt, ...) {
  char text[1024];
  va_list args;
  va_start(args, fmt);
  if (vsnprintf(text, sizeof text, fmt, args) < 0)
    text[0] = '\0';
  va_end(args);
  from->host->log_line(from->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_RULE, line,
                       "%s map %s, line %" PRIu64 ": %s", from->type, from->name, line, text);
}

dictum_status rules_read(const struct rules_origin *from, rules_line *each, void *table,
                         dictum_error *err) {
  dictum_lines *lines;
  dictum_status status = from->host->lines_open(from->slot, from->name, &lines, err);
  if (status != DICTUM_OK)
    return status;
  char *text;
  size_t len;
  uint64_t line;
  while ((status = from->host->lines_next(lines, &text, &len, &line, err)) == DICTUM_OK) {
    /* Empty: all of the line stood behind a NUL byte, or an inline rule is "{}". */
    if (len > 0)
      status = each(table, text, line, err);
    if (status != DICTUM_OK)
      break;
  }
  from->host->lines_close(lines);
  return status == DICTUM_END ? DICTUM_OK : status;
}

dictum_status rules_file_value(const struct rules_origin *from, uint64_t line, const char *names,
                               dictum_buf *content, dictum_error *err) {
  dictum_error why = DICTUM_ERROR_INIT;
  *content = (dictum_buf){0};
  dictum_status status = from->host->file_value(names, strlen(names), content, &why);
  if (status == DICTUM_OK)
    return DICTUM_OK;
  free(content->data);
  if (status == DICTUM_NOMEM)
    return out_of_memory(from->host, err);
  rules_warn(from, line, "%s: skipping this rule", why.what);
  return DICTUM_INVALID;
}

/* @p word is in lower case. */
static bool begins_with_word(const char *text, const char *word) {
  for (; *word; text++, word++)
    if (!is_letter(*text) || (*text | 0x20) != *word)
      return false;
  return !is_alnum(*text);
}

enum rules_word rules_word(char **text) {
  if (!is_alnum(**text))
    return RULES_OTHER;
  if (begins_with_word(*text, "if")) {
    *text = skip_space(*text + strlen("if"));
    return RULES_IF;
  }
  if (begins_with_word(*text, "endif")) {
    *text = skip_space(*text + strlen("endif"));
    return RULES_ENDIF;
  }
  return RULES_LETTERS;
}

bool rules_negation(char **text) {
  bool negated = false;
  char *p = skip_space(*text);
  for (; *p == '!'; p = skip_space(p + 1))
    negated = !negated;
  *text = p;
  return negated;
}

bool rules_delimited(char **text, char **pattern, char *delimiter) {
  *delimiter = **text;
  if (*delimiter == '\0')
    return false;
  char *start = *text + 1;
  char *p = start;
  while (*p) {
    /* First, as the backslash may be the delimiter itself. */
    bool protects = *p == '\\' && p[1];
    if (!protects && *p == *delimiter)
      break;
    p += protects ? 2 : 1;
  }
  if (*p == '\0')
    return false;
  *p = '\0';
  *pattern = start;
  *text = p + 1;
  return true;
}

/* ---- the list ------------------------------------------------------------------------------- */

struct entry {
  void *rule;
  size_t block;  /* innermost IF around it, as its index + 1; 0: none */
  size_t jump;   /* of an IF: where to go on when it fails, always > 0; of a rule: 0 */
  uint64_t line; /* of an IF */
};

struct rules {
  const dictum_host *host;
  void (*release)(void *rule);
  struct entry *entries;
  size_t n, capacity;
  size_t open; /* innermost IF without ENDIF, as its index + 1 */
};

struct rules *rules_new(const dictum_host *host, void (*release)(void *rule)) {
  struct rules *rules = calloc(1, sizeof *rules);
  if (!rules)
    return NULL;
  rules->host = host;
  rules->release = release;
  return rules;
}

void rules_free(struct rules *rules) {
  if (!rules)
    return;
  for (size_t i = 0; i < rules->n; i++)
    rules->release(rules->entries[i].rule);
  free(rules->entries);
  free(rules);
}

static struct entry *append(struct rules *rules) {
  if (rules->n == rules->capacity) {
    size_t capacity = rules->capacity ? rules->capacity * 2 : 16;
    struct entry *entries = reallocarray(rules->entries, capacity, sizeof *entries);
    if (!entries)
      return NULL;
    rules->entries = entries;
    rules->capacity = capacity;
  }
  return &rules->entries[rules->n++];
}

dictum_status rules_add(struct rules *rules, void *rule, dictum_error *err) {
  struct entry *entry = append(rules);
  if (!entry) {
    rules->release(rule);
    return out_of_memory(rules->host, err);
  }
  *entry = (struct entry){rule, rules->open, 0, 0};
  return DICTUM_OK;
}

dictum_status rules_add_if(struct rules *rules, void *rule, uint64_t line, dictum_error *err) {
  dictum_status status = rules_add(rules, rule, err);
  if (status != DICTUM_OK)
    return status;
  struct entry *entry = &rules->entries[rules->n - 1];
  entry->line = line;
  rules->open = rules->n;
  return DICTUM_OK;
}

bool rules_add_endif(struct rules *rules) {
  if (rules->open == 0)
    return false;
  struct entry *entry = &rules->entries[rules->open - 1];
  rules->open = entry->block;
  entry->jump = rules->n;
  return true;
}

void rules_finish(struct rules *rules, const struct rules_origin *from) {
  while (rules->open > 0) {
    rules_warn(from, rules->entries[rules->open - 1].line, "IF has no matching ENDIF");
    rules_add_endif(rules);
  }
}

dictum_status rules_find(const struct rules *rules, rules_match *match, void *subject,
                         const void **rule) {
  for (size_t i = 0; i < rules->n;) {
    const struct entry *entry = &rules->entries[i];
    dictum_status status = match(entry->rule, subject);
    if (status == DICTUM_OK && entry->jump == 0) {
      *rule = entry->rule;
      return DICTUM_OK;
    }
    if (status != DICTUM_OK && status != DICTUM_NOTFOUND)
      return status;
    i = status == DICTUM_NOTFOUND && entry->jump > 0 ? entry->jump : i + 1;
  }
  return DICTUM_NOTFOUND;
}

size_t rules_count(const struct rules *rules) {
  return rules->n;
}

struct rules_entry rules_at(const struct rules *rules, size_t i) {
  const struct entry *entry = &rules->entries[i];
  return (struct rules_entry){entry->rule, entry->jump > 0, entry->block};
}

dictum_status rules_find_proposed(const struct rules *rules, rules_propose *propose,
                                  void *proposals, rules_match *match, void *subject,
                                  const void **rule) {
  size_t inside = 0; /* innermost IF that matched and is not behind us, as its index + 1 */
  for (size_t i = propose(proposals, 0); i < rules->n;) {
    const struct entry *entry = &rules->entries[i];
    while (inside > 0 && i >= rules->entries[inside - 1].jump)
      inside = rules->entries[inside - 1].block;
    size_t next = i + 1;
    /* Otherwise an IF around it did not match, or was not even proposed. */
    if (entry->block == inside) {
      dictum_status status = match(entry->rule, subject);
      if (status == DICTUM_OK && entry->jump == 0) {
        *rule = entry->rule;
        return DICTUM_OK;
      }
      if (status == DICTUM_OK)
        inside = i + 1;
      else if (status != DICTUM_NOTFOUND)
        return status;
      else if (entry->jump > 0)
        next = entry->jump;
    }
    i = propose(proposals, next);
  }
  return DICTUM_NOTFOUND;
}

/* So few are tried sooner than proposed. */
enum { few_rules = 16 };

unsigned rules_index_after(const struct rules *rules, const dictum_host *host,
                           const dictum_cfg *cfg) {
  int64_t after = host->opt_int(cfg, "rule_index_after");
  return after > 1 && rules->n < few_rules ? 0 : (unsigned)after;
}

bool rules_patterns_wait(const dictum_host *host, const dictum_cfg *cfg) {
  return host->opt_int(cfg, "rule_patterns_wait") != 0;
}

/* ---- replacement texts ---------------------------------------------------------------------- */

/* Some text, and then a group, or 0 for none. */
struct part {
  const char *text;
  size_t len;
  unsigned group;
};

struct rules_template {
  unsigned groups; /* the highest */
  size_t nparts;   /* at least 1 */
  struct part parts[];
};

/* A template that is being built; its texts go behind the parts. */
struct draft {
  const struct rules_origin *from;
  uint64_t line;
  const char *whole; /* for messages */
  const char *zero;
  struct rules_template *template;
  char *end; /* where the next literal byte goes */
  bool bad;
};

static struct rules_template *new_template(const char *text, char **storage) {
  size_t len = strlen(text), nparts = 1, size;
  for (const char *p = text; (p = strchr(p, '$')) != NULL; p++)
    nparts++;
  if (__builtin_mul_overflow(nparts, sizeof(struct part), &size) ||
      __builtin_add_overflow(size, sizeof(struct rules_template) + len, &size))
    return NULL;
  struct rules_template *template = malloc(size);
  if (!template)
    return NULL;
  *storage = (char *)&template->parts[nparts];
  template->groups = 0;
  template->nparts = 1;
  template->parts[0] = (struct part){*storage, 0, 0};
  return template;
}

static void add_text(struct draft *draft, const char *text, size_t len) {
  if (len == 0)
    return;
  memcpy(draft->end, text, len);
  draft->end += len;
  draft->template->parts[draft->template->nparts - 1].len += len;
}

static void add_group(struct draft *draft, unsigned group) {
  struct rules_template *template = draft->template;
  template->parts[template->nparts - 1].group = group;
  template->parts[template->nparts++] = (struct part){draft->end, 0, 0};
  if (group > template->groups)
    template->groups = group;
}

/* Too large a number is some large number: no pattern has so many groups. */
static void add_index(struct draft *draft, const char *name, size_t len) {
  int shown = len < 200 ? (int)len : 200;
  unsigned group = 0;
  for (size_t i = 0; i < len; i++) {
    if (!is_digit(name[i])) {
      rules_warn(draft->from, draft->line, "non-numeric replacement index \"%.*s\"", shown, name);
      draft->bad = true;
      return;
    }
    group = group < UINT_MAX / 10 - 1 ? group * 10 + (unsigned)(name[i] - '0') : UINT_MAX / 10;
  }
  if (group == 0) {
    rules_warn(draft->from, draft->line, "%s replacement index \"%.*s\"", draft->zero, shown, name);
    draft->bad = true;
    return;
  }
  add_group(draft, group);
}

/* Returns the length of what is between @p open, at @p text, and the brace that closes it. */
static bool enclosed_len(const char *text, char open, size_t *len) {
  char close = open == '{' ? '}' : ')';
  size_t depth = 0;
  for (const char *p = text; *p; p++) {
    if (*p == open)
      depth++;
    else if (*p == close && --depth == 0) {
      *len = (size_t)(p - text) - 1;
      return true;
    }
  }
  return false;
}

/* Reads what follows a dollar. @return where to go on, or NULL when that cannot be told; this
 * message alone is not about a line. */
static const char *read_reference(struct draft *draft, const char *p) {
  bool enclosed = *p == '{' || *p == '(';
  size_t len = 0;
  const char *mistake = NULL;
  if (enclosed && !enclosed_len(p, *p, &len))
    mistake = "truncated macro reference";
  else if (enclosed && draft->bad) /* postmap(1) leaves it at that, too */
    return NULL;
  while (!enclosed && (is_alnum(p[len]) || p[len] == '_'))
    len++;
  if (!mistake && len == 0)
    mistake = "empty macro name";
  if (mistake) {
    draft->from->host->log_line(draft->from->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_RULE,
                                draft->line, "%s: \"%s\"", mistake, draft->whole);
    draft->bad = true;
    return NULL;
  }
  add_index(draft, enclosed ? p + 1 : p, len);
  return p + len + (enclosed ? 2 : 0);
}

static void read_template(struct draft *draft) {
  for (const char *p = draft->whole; p && *p;) {
    size_t len = strcspn(p, "$");
    add_text(draft, p, len);
    p += len;
    if (*p == '\0')
      return;
    if (p[1] == '$') {
      add_text(draft, p, 1);
      p += 2;
    } else {
      p = read_reference(draft, p + 1);
    }
  }
}

dictum_status rules_template_parse(const struct rules_origin *from, uint64_t line, const char *text,
                                   const char *zero, struct rules_template **out,
                                   dictum_error *err) {
  *out = NULL;
  struct draft draft = {.from = from, .line = line, .whole = text, .zero = zero};
  draft.template = new_template(text, &draft.end);
  if (!draft.template)
    return out_of_memory(from->host, err);
  read_template(&draft);
  if (draft.bad) {
    rules_warn(from, line, "bad replacement syntax: skipping this rule");
    rules_template_free(draft.template);
    return DICTUM_INVALID;
  }
  *out = draft.template;
  return DICTUM_OK;
}

void rules_template_free(struct rules_template *template) {
  free(template);
}

unsigned rules_template_groups(const struct rules_template *template) {
  return template->groups;
}

static bool expanded_len(const struct rules_template *template, rules_template_group *group,
                         const void *match, size_t *len) {
  *len = 0;
  for (size_t i = 0; i < template->nparts; i++) {
    const struct part *part = &template->parts[i];
    size_t taken = part->group ? group(match, part->group).n : 0;
    if (__builtin_add_overflow(*len, part->len, len) || __builtin_add_overflow(*len, taken, len))
      return false;
  }
  return true;
}

static void expand(const struct rules_template *template, rules_template_group *group,
                   const void *match, char *to) {
  for (size_t i = 0; i < template->nparts; i++) {
    const struct part *part = &template->parts[i];
    to = (char *)memcpy(to, part->text, part->len) + part->len;
    if (part->group == 0)
      continue;
    dictum_key taken = group(match, part->group);
    if (taken.n > 0)
      to = (char *)memcpy(to, taken.p, taken.n) + taken.n;
  }
}

dictum_status rules_template_emit(const struct rules_template *template,
                                  rules_template_group *group, const void *match,
                                  const dictum_host *host, dictum_sink *sink, dictum_error *err) {
  if (template->groups == 0)
    return host->emit(sink, template->parts[0].text, template->parts[0].len);
  char small[1024] UNINITIALIZED;
  size_t len;
  if (!expanded_len(template, group, match, &len))
    return out_of_memory(host, err);
  char *value = len <= sizeof small ? small : malloc(len);
  if (!value)
    return out_of_memory(host, err);
  small[0] = '\0'; /* a value of no length is still one that can be pointed to */
  expand(template, group, match, value);
  dictum_status status = host->emit(sink, value, len);
  if (value != small)
    free(value);
  return status;
}
