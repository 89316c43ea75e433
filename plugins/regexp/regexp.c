/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * regexp.c - tables of POSIX regular expressions, in the format of Postfix's regexp_table(5).
 *
 * The whole text is read at open and stays as it is; most patterns are compiled
 * when they are first needed (posix_expression.h). Keys are not folded; a
 * pattern ignores case unless told otherwise. Patterns and keys are
 * bytes: compiling, matching and the C library's messages happen in the "C"
 * locale, which is set for the calling thread only and put back at once. Keys
 * may hold NUL bytes (REG_STARTEND); where the C library cannot do that, a key
 * with a NUL byte is INVALID.
 *
 * At the first question a table gets an index (rules_index.h), which gives the
 * same answers sooner, and without most of the patterns.
 *
 * Threads: any number. glibc holds a lock of the compiled pattern while it
 * matches, so threads that try the same rule at the same moment take turns.
 *
 * Limits: regcomp() recurses and, for some patterns, needs memory that grows
 * with the square or with a power of what is written. What a pattern expands to
 * is therefore counted first, and a rule that is too large is skipped. The
 * stack that the largest needs is below one megabyte. Nothing limits the time
 * of regexec(): back references and nested repetition can make it very long.
 *
 * Errors: a rule with a mistake is skipped with a warning (event RULE), and so
 * is, with DICTUM_OPEN_FILES, a rule whose files cannot be read. Text that
 * cannot be read, or an inline text that is not "{ {rule} ... }": CONFIG.
 */
#include <dictum_plugin.h>

#include <limits.h>
#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lazy.h"
#include "patterns.h"
#include "posix_expression.h"
#include "rules.h"
#include "rules_index.h"

/* What a key must match, or must not. */
struct condition {
  struct posix_expression *expression; /* NULL: nothing */
  bool negated;
};

/* A rule, or the condition of an IF. */
struct rule {
  struct condition first, second;
  struct rules_template *value; /* NULL for an IF */
};

struct table {
  const dictum_host *host;
  struct rules *rules;
  unsigned groups; /* the highest that a value asks for */
  locale_t c_locale;
  struct lazy index;
  bool patterns_wait; /* plain ones are compiled when they are needed */
};

/* A table that is being read. */
struct reading {
  struct table *table;
  struct rules_origin from;
  bool files; /* replacement texts name files */
};

/* A key, as regexec() wants it. */
struct subject {
  const char *text;
  size_t len;
  regmatch_t *groups; /* of the rule that answers */
  const dictum_host *host;
  dictum_error *err;
};

/* A pattern as it is written. */
struct written {
  char *pattern;
  int flags; /* REG_* */
  bool negated;
};

static dictum_status out_of_memory(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

/* ---- reading a rule ------------------------------------------------------------------------- */

/* INVALID from the functions below: the rule is skipped, its warning is sent, err is untouched. */

static int flag_of(char c) {
  switch (c) {
  case 'i':
    return REG_ICASE;
  case 'm':
    return REG_NEWLINE;
  case 'x':
    return REG_EXTENDED;
  }
  return 0;
}

static dictum_status read_flags(const struct reading *reading, uint64_t line, char **text,
                                int *flags) {
  *flags = REG_EXTENDED | REG_ICASE;
  char *p = *text;
  for (; *p && *p != ' ' && *p != '!' && !(*p >= '\t' && *p <= '\r'); p++) {
    if (flag_of(*p) == 0) {
      rules_warn(&reading->from, line, "unknown regexp option \"%c\": skipping this rule", *p);
      return DICTUM_INVALID;
    }
    *flags ^= flag_of(*p);
  }
  *text = p;
  return DICTUM_OK;
}

static dictum_status read_pattern(const struct reading *reading, uint64_t line, char **text,
                                  struct written *out) {
  out->negated = rules_negation(text);
  char delimiter;
  if (!rules_delimited(text, &out->pattern, &delimiter)) {
    if (delimiter == '\0')
      rules_warn(&reading->from, line, "no regexp: skipping this rule");
    else
      rules_warn(&reading->from, line, "no closing regexp delimiter \"%c\": skipping this rule",
                 delimiter);
    return DICTUM_INVALID;
  }
  return read_flags(reading, line, text, &out->flags);
}

static dictum_status compile(const struct reading *reading, uint64_t line,
                             const struct written *written, int more_flags,
                             struct condition *condition, dictum_error *err) {
  int code;
  char why[POSIX_EXPRESSION_WHY];
  locale_t callers = uselocale(reading->table->c_locale);
  condition->expression = posix_expression_new(written->pattern, written->flags | more_flags,
                                               reading->table->patterns_wait, &code, why);
  uselocale(callers);
  condition->negated = written->negated;
  if (condition->expression)
    return DICTUM_OK;
  if (code == REG_ESPACE)
    return out_of_memory(reading->table->host, err);
  rules_warn(&reading->from, line, "%s", why);
  return DICTUM_INVALID;
}

static void rule_release(void *released) {
  struct rule *rule = released;
  posix_expression_free(rule->first.expression);
  posix_expression_free(rule->second.expression);
  rules_template_free(rule->value);
  free(rule);
}

static dictum_status new_rule(const struct reading *reading, uint64_t line,
                              const struct written *first, int more_flags, struct rule **out,
                              dictum_error *err) {
  struct rule *rule = calloc(1, sizeof *rule);
  if (!rule)
    return out_of_memory(reading->table->host, err);
  dictum_status status = compile(reading, line, first, more_flags, &rule->first, err);
  if (status == DICTUM_OK)
    *out = rule;
  else
    free(rule);
  return status;
}

static dictum_status read_if(struct reading *reading, char *text, uint64_t line,
                             dictum_error *err) {
  struct written condition;
  struct rule *rule;
  dictum_status status = read_pattern(reading, line, &text, &condition);
  if (status != DICTUM_OK)
    return status;
  patterns_end_of_if(&reading->from, line, text);
  status = new_rule(reading, line, &condition, REG_NOSUB, &rule, err);
  if (status != DICTUM_OK)
    return status;
  return rules_add_if(reading->table->rules, rule, line, err);
}

/* Compiles and adds a rule, whose @p value then belongs to the list. */
static dictum_status add_rule(struct reading *reading, uint64_t line, const struct written *first,
                              const struct written *second, struct rules_template **value,
                              dictum_error *err) {
  unsigned groups = rules_template_groups(*value);
  if (groups > 0 && first->negated) {
    rules_warn(&reading->from, line,
               "$number found in negative match replacement text: skipping this rule");
    return DICTUM_INVALID;
  }
  struct rule *rule;
  dictum_status status = new_rule(reading, line, first, groups > 0 ? 0 : REG_NOSUB, &rule, err);
  if (status != DICTUM_OK)
    return status;
  if (groups > posix_expression_groups(rule->first.expression)) {
    rules_warn(&reading->from, line, "out of range replacement index \"%u\": skipping this rule",
               groups);
    status = DICTUM_INVALID;
  } else if (second) {
    status = compile(reading, line, second, REG_NOSUB, &rule->second, err);
  }
  if (status != DICTUM_OK) {
    rule_release(rule);
    return status;
  }
  if (groups > reading->table->groups)
    reading->table->groups = groups;
  rule->value = *value;
  *value = NULL;
  return rules_add(reading->table->rules, rule, err);
}

static dictum_status read_rule(struct reading *reading, char *text, uint64_t line,
                               dictum_error *err) {
  struct written first, second;
  struct rules_template *value = NULL;
  dictum_status status = read_pattern(reading, line, &text, &first);
  if (status != DICTUM_OK)
    return status;
  bool two = *text == '!';
  if (two) {
    text++;
    status = read_pattern(reading, line, &text, &second);
    if (status != DICTUM_OK)
      return status;
    second.negated = !second.negated;
  }
  status = patterns_value(&reading->from, line, text, reading->files, "out-of-range", &value, err);
  if (status == DICTUM_OK)
    status = add_rule(reading, line, &first, two ? &second : NULL, &value, err);
  rules_template_free(value);
  return status;
}

static dictum_status read_line(void *context, char *text, uint64_t line, dictum_error *err) {
  struct reading *reading = context;
  dictum_status status = DICTUM_OK;
  switch (rules_word(&text)) {
  case RULES_IF:
    status = read_if(reading, text, line, err);
    break;
  case RULES_ENDIF:
    patterns_endif(reading->table->rules, &reading->from, line, text);
    break;
  case RULES_LETTERS:
    rules_warn(&reading->from, line, "ignoring unrecognized request");
    break;
  case RULES_OTHER:
    status = read_rule(reading, text, line, err);
    break;
  }
  return status == DICTUM_INVALID ? DICTUM_OK : status;
}

/* ---- open, close ---------------------------------------------------------------------------- */

static void regexp_close(void *self) {
  struct table *table = self;
  rules_index_free(table->index.made);
  rules_free(table->rules);
  if (table->c_locale)
    freelocale(table->c_locale);
  free(table);
}

static struct table *new_table(const dictum_host *host) {
  struct table *table = calloc(1, sizeof *table);
  if (!table)
    return NULL;
  table->host = host;
  table->rules = rules_new(host, rule_release);
  table->c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (table->rules && table->c_locale)
    return table;
  regexp_close(table);
  return NULL;
}

static dictum_status regexp_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                 dictum_error *err) {
  struct table *table = new_table(host);
  if (!table)
    return out_of_memory(host, err);
  table->patterns_wait = rules_patterns_wait(host, args->cfg);
  struct reading reading = {
      table, {host, args->slot, args->type, args->name}, (args->flags & DICTUM_OPEN_FILES) != 0};
  dictum_status status = rules_read(&reading.from, read_line, &reading, err);
  if (status != DICTUM_OK) {
    regexp_close(table);
    return status;
  }
  rules_finish(table->rules, &reading.from);
  table->index.after = rules_index_after(table->rules, host, args->cfg);
  if (args->name[0] != '{')
    host->note_file(args->slot, args->name);
  *self = table;
  return DICTUM_OK;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* AddressSanitizer's stand-in for regexec() wants a NUL byte in spite of REG_STARTEND. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COPY_KEYS 1
#endif
#endif
#if !defined(REG_STARTEND) || defined(__SANITIZE_ADDRESS__)
#define COPY_KEYS 1
#endif

#ifdef COPY_KEYS
static bool subject_init(struct subject *subject, const char *key, size_t len) {
  char *copy = malloc(len + 1);
  if (!copy)
    return false;
  if (len > 0)
    memcpy(copy, key, len);
  copy[len] = '\0';
  subject->text = copy;
  subject->len = len;
  return true;
}

static void subject_free(struct subject *subject) {
  free((char *)(uintptr_t)subject->text);
}
#else
static bool subject_init(struct subject *subject, const char *key, size_t len) {
  subject->text = key;
  subject->len = len;
  return true;
}

static void subject_free(struct subject *subject) {
  (void)subject;
}
#endif

static dictum_status match_failed(const struct subject *subject, int code) {
  char text[POSIX_EXPRESSION_WHY];
  if (code == REG_ESPACE)
    return out_of_memory(subject->host, subject->err);
  regerror(code, NULL, text, sizeof text);
  return subject->host->fail(subject->err, DICTUM_CONFIG, 0, "regular expression: %s", text);
}

/* Without groups the C library is free to look for any match, and need not remember its way. */
static dictum_status condition_holds(const struct condition *condition,
                                     const struct subject *subject) {
  regmatch_t whole;
  int code = posix_expression_match(condition->expression, subject->text, subject->len, 0, &whole);
  if (code != 0 && code != REG_NOMATCH)
    return match_failed(subject, code);
  return (code == 0) != condition->negated ? DICTUM_OK : DICTUM_NOTFOUND;
}

/* Only a rule that answers is asked for its groups. It may be that glibc finds no match then, for
 * patterns such as "(^a|b$)+|(c)". */
static dictum_status find_groups(const struct rule *rule, const struct subject *subject) {
  int code = posix_expression_match(rule->first.expression, subject->text, subject->len,
                                    rules_template_groups(rule->value) + 1, subject->groups);
  if (code == REG_NOMATCH)
    return DICTUM_NOTFOUND;
  return code == 0 ? DICTUM_OK : match_failed(subject, code);
}

static dictum_status rule_matches(const void *tried, void *key) {
  const struct rule *rule = tried;
  dictum_status status = condition_holds(&rule->first, key);
  if (status == DICTUM_OK && rule->value && rules_template_groups(rule->value) > 0)
    status = find_groups(rule, key);
  return status == DICTUM_OK && rule->second.expression ? condition_holds(&rule->second, key)
                                                        : status;
}

static dictum_key capture(const void *match, unsigned n) {
  const struct subject *subject = match;
  const regmatch_t *group = &subject->groups[n];
  if (group->rm_so < 0)
    return (dictum_key){"", 0};
  return (dictum_key){subject->text + group->rm_so, (size_t)(group->rm_eo - group->rm_so)};
}

static bool rule_literals(const void *asked, struct literals *out) {
  const struct condition *first = &((const struct rule *)asked)->first;
  return !first->negated && (posix_expression_flags(first->expression) & REG_EXTENDED) &&
         literals_of(posix_expression_text(first->expression), LITERALS_POSIX, out);
}

static void *make_index(const void *rules) {
  return rules_index_new(rules, rule_literals);
}

static dictum_status find(struct table *table, struct subject *subject, dictum_sink *sink) {
  regmatch_t few[10];
  bool many = table->groups >= sizeof few / sizeof few[0];
  subject->groups = many ? calloc(table->groups + 1, sizeof *few) : few;
  if (!subject->groups)
    return out_of_memory(table->host, subject->err);
  locale_t callers = uselocale(table->c_locale);
  const void *found;
  const struct rules_index *index = lazy_get(&table->index, make_index, table->rules);
  dictum_status status = rules_index_find(index, table->rules,
                                          (dictum_key){subject->text, subject->len}, rule_matches,
                                          subject, &found);
  uselocale(callers);
  if (status == DICTUM_OK) {
    const struct rule *rule = found;
    status = rules_template_emit(rule->value, capture, subject, table->host, sink, subject->err);
  }
  if (many)
    free(subject->groups);
  return status;
}

static dictum_status regexp_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                   dictum_sink *sink, dictum_error *err) {
  (void)call;
  struct table *table = self;
  struct subject subject = {.host = table->host, .err = err};
  if (len > INT_MAX)
    return table->host->fail(err, DICTUM_INVALID, 0, "key is too long for a regular expression");
#ifndef REG_STARTEND
  if (memchr(key, '\0', len))
    return table->host->fail(err, DICTUM_INVALID, 0, "key has a null byte");
#endif
  if (!subject_init(&subject, key, len))
    return out_of_memory(table->host, err);
  dictum_status status = find(table, &subject, sink);
  subject_free(&subject);
  return status;
}

static const dictum_opt regexp_opts[] = {RULES_INDEX_OPT("1"), RULES_WAIT_OPT};

static const dictum_type regexp_types[] = {{
    .name = "regexp",
    .summary = "POSIX regular expressions in order; the first that matches answers",
    .caps = DICTUM_CAP_PATTERN,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = regexp_opts,
    .nopts = sizeof regexp_opts / sizeof regexp_opts[0],
    .open = regexp_open,
    .close = regexp_close,
    .forget = regexp_close,
    .lookup = regexp_lookup,
}};

DICTUM_PLUGIN_DEFINE(dictum_regexp, "dictum-regexp", "0.1.0", regexp_types);
