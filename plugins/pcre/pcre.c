/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcre.c - tables of Perl-compatible regular expressions, in the format of Postfix's pcre_table(5).
 *
 * The whole text is read at open and stays as it is; most patterns are compiled
 * when they are first needed (expression.h). Keys are not folded; a pattern
 * ignores case unless told otherwise. Patterns and keys are
 * bytes, in no locale; keys may hold NUL bytes. A pattern that begins with
 * (*UTF) is matched with keys of UTF-8 only.
 *
 * At the first question a table gets an index (rules_index.h), which gives the
 * same answers sooner, and without most of the patterns.
 *
 * Threads: any number, without a lock. A match needs no allocation once a table
 * has been used by as many threads before.
 *
 * Limits: expression.h. A match that reaches one is a warning (event RULE), and
 * the rule, negated or not, does not match; an IF hides its block.
 *
 * Errors: a rule with a mistake is skipped with a warning (event RULE), and so
 * is, with DICTUM_OPEN_FILES, a rule whose files cannot be read. Text that
 * cannot be read, or an inline text that is not "{ {rule} ... }": CONFIG.
 */
#include "expression.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lazy.h"
#include "patterns.h"
#include "rules.h"
#include "rules_index.h"

/* A rule, or the condition of an IF. */
struct rule {
  struct expression *expression;
  struct rules_template *value; /* NULL for an IF */
  uint64_t line;
  bool negated;
};

struct table {
  struct rules_origin from;
  struct rules *rules;
  struct matchers matchers;
  struct lazy index;
  bool patterns_wait; /* plain ones are compiled when they are needed */
};

/* A table that is being read. */
struct reading {
  struct table *table;
  bool files; /* replacement texts name files */
};

/* A pattern as it is written. */
struct written {
  char *pattern;
  uint32_t flags; /* PCRE2_* */
  bool negated;
};

static dictum_status out_of_memory(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

/* ---- reading a rule ------------------------------------------------------------------------- */

/* INVALID from the functions below: the rule is skipped, its warning is sent, err is untouched. */

static uint32_t flag_of(char c) {
  switch (c) {
  case 'i':
    return PCRE2_CASELESS;
  case 'm':
    return PCRE2_MULTILINE;
  case 's':
    return PCRE2_DOTALL;
  case 'x':
    return PCRE2_EXTENDED;
  case 'A':
    return PCRE2_ANCHORED;
  case 'E':
    return PCRE2_DOLLAR_ENDONLY;
  case 'U':
    return PCRE2_UNGREEDY;
  }
  return 0;
}

static dictum_status read_flags(const struct reading *reading, uint64_t line, char **text,
                                uint32_t *flags) {
  *flags = PCRE2_CASELESS | PCRE2_DOTALL;
  char *p = *text;
  for (; *p && *p != ' ' && !(*p >= '\t' && *p <= '\r'); p++) {
    if (*p == 'X') {
      rules_warn(&reading->table->from, line, "ignoring obsolete regexp option \"%c\"", *p);
    } else if (flag_of(*p) == 0) {
      rules_warn(&reading->table->from, line, "unknown regexp option \"%c\": skipping this rule",
                 *p);
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
  /* A backslash protects what follows before it could be a delimiter. */
  if (!rules_delimited(text, &out->pattern, &delimiter) || delimiter == '\\') {
    if (delimiter == '\0')
      rules_warn(&reading->table->from, line, "no regexp: skipping this rule");
    else
      rules_warn(&reading->table->from, line,
                 "no closing regexp delimiter \"%c\": ignoring this rule", delimiter);
    return DICTUM_INVALID;
  }
  return read_flags(reading, line, text, &out->flags);
}

static void rule_release(void *released) {
  struct rule *rule = released;
  expression_free(rule->expression);
  rules_template_free(rule->value);
  free(rule);
}

static dictum_status new_rule(const struct reading *reading, uint64_t line,
                              const struct written *written, struct rule **out, dictum_error *err) {
  struct rule *rule = calloc(1, sizeof *rule);
  if (!rule)
    return out_of_memory(reading->table->from.host, err);
  int code;
  size_t offset;
  rule->line = line;
  rule->negated = written->negated;
  rule->expression = expression_new(written->pattern, written->flags, reading->table->patterns_wait,
                                    &code, &offset);
  if (rule->expression) {
    *out = rule;
    return DICTUM_OK;
  }
  free(rule);
  if (code == PCRE2_ERROR_HEAP_FAILED)
    return out_of_memory(reading->table->from.host, err);
  char text[256];
  pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
  rules_warn(&reading->table->from, line, "error in regex at offset %zu: %s", offset, text);
  return DICTUM_INVALID;
}

static dictum_status read_if(struct reading *reading, char *text, uint64_t line,
                             dictum_error *err) {
  struct written condition;
  struct rule *rule;
  dictum_status status = read_pattern(reading, line, &text, &condition);
  if (status != DICTUM_OK)
    return status;
  patterns_end_of_if(&reading->table->from, line, text);
  status = new_rule(reading, line, &condition, &rule, err);
  return status == DICTUM_OK ? rules_add_if(reading->table->rules, rule, line, err) : status;
}

/* Compiles and adds a rule, whose @p value then belongs to the list. */
static dictum_status add_rule(struct reading *reading, uint64_t line, const struct written *written,
                              struct rules_template **value, dictum_error *err) {
  struct table *table = reading->table;
  unsigned groups = rules_template_groups(*value);
  if (groups > 0 && written->negated) {
    rules_warn(&table->from, line,
               "$number found in negative match replacement text: skipping this rule");
    return DICTUM_INVALID;
  }
  struct rule *rule;
  dictum_status status = new_rule(reading, line, written, &rule, err);
  if (status != DICTUM_OK)
    return status;
  if (groups > expression_groups(rule->expression)) {
    rules_warn(&table->from, line, "out of range replacement index \"%u\": skipping this rule",
               groups);
    rule_release(rule);
    return DICTUM_INVALID;
  }
  if (groups > table->matchers.groups)
    table->matchers.groups = groups;
  rule->value = *value;
  *value = NULL;
  return rules_add(table->rules, rule, err);
}

static dictum_status read_rule(struct reading *reading, char *text, uint64_t line,
                               dictum_error *err) {
  struct written written;
  struct rules_template *value = NULL;
  dictum_status status = read_pattern(reading, line, &text, &written);
  if (status != DICTUM_OK)
    return status;
  status = patterns_value(&reading->table->from, line, text, reading->files, "out of range", &value,
                          err);
  if (status == DICTUM_OK)
    status = add_rule(reading, line, &written, &value, err);
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
    patterns_endif(reading->table->rules, &reading->table->from, line, text);
    break;
  case RULES_LETTERS:
    rules_warn(&reading->table->from, line, "ignoring unrecognized request");
    break;
  case RULES_OTHER:
    status = read_rule(reading, text, line, err);
    break;
  }
  return status == DICTUM_INVALID ? DICTUM_OK : status;
}

/* ---- open, close ---------------------------------------------------------------------------- */

static void pcre_close(void *self) {
  struct table *table = self;
  rules_index_free(table->index.made);
  rules_free(table->rules);
  matchers_free(&table->matchers);
  free(table);
}

static dictum_status pcre_open(const dictum_host *host, const dictum_open_args *args, void **self,
                               dictum_error *err) {
  struct table *table = aligned_alloc(_Alignof(struct table), sizeof *table);
  if (!table)
    return out_of_memory(host, err);
  *table = (struct table){.from = {host, args->slot, args->type, args->name},
                          .patterns_wait = rules_patterns_wait(host, args->cfg)};
  table->rules = rules_new(host, rule_release);
  struct reading reading = {table, (args->flags & DICTUM_OPEN_FILES) != 0};
  dictum_status status = table->rules ? rules_read(&table->from, read_line, &reading, err)
                                      : out_of_memory(host, err);
  if (status != DICTUM_OK) {
    pcre_close(table);
    return status;
  }
  rules_finish(table->rules, &table->from);
  table->index.after = rules_index_after(table->rules, host, args->cfg);
  if (args->name[0] != '{')
    host->note_file(args->slot, args->name);
  *self = table;
  return DICTUM_OK;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* A key, and how it is matched. */
struct subject {
  const struct table *table;
  struct matcher *matcher;
  const char *text;
  size_t len;
};

static dictum_status match_failed(const struct rule *rule, const struct subject *subject,
                                  int code) {
  char text[256];
  if (code == PCRE2_ERROR_NOMEMORY)
    return DICTUM_NOMEM;
  pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
  rules_warn(&subject->table->from, rule->line, "%s", text);
  return DICTUM_NOTFOUND;
}

static dictum_status rule_matches(const void *tried, void *key) {
  const struct rule *rule = tried;
  const struct subject *subject = key;
  int found = expression_match(rule->expression, subject->matcher, subject->text, subject->len);
  if (found < 0)
    return match_failed(rule, subject, found);
  return (found > 0) != rule->negated ? DICTUM_OK : DICTUM_NOTFOUND;
}

static bool rule_literals(const void *asked, struct literals *out) {
  const struct rule *rule = asked;
  return !rule->negated && !(expression_flags(rule->expression) & PCRE2_EXTENDED) &&
         literals_of(expression_text(rule->expression), LITERALS_PERL, out);
}

static void *make_index(const void *rules) {
  return rules_index_new(rules, rule_literals);
}

static dictum_key capture(const void *match, unsigned n) {
  const struct subject *subject = match;
  return matcher_group(subject->matcher, subject->text, n);
}

static dictum_status pcre_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                 dictum_sink *sink, dictum_error *err) {
  (void)call;
  struct table *table = self;
  const dictum_host *host = table->from.host;
  struct subject subject = {table, matchers_take(&table->matchers), key, len};
  if (!subject.matcher)
    return out_of_memory(host, err);
  const void *found;
  const struct rules_index *index = lazy_get(&table->index, make_index, table->rules);
  dictum_status status = rules_index_find(index, table->rules, (dictum_key){key, len}, rule_matches,
                                          &subject, &found);
  if (status == DICTUM_OK) {
    const struct rule *rule = found;
    /* The rule that answers was the last that was tried: its groups are still there. */
    status = rules_template_emit(rule->value, capture, &subject, host, sink, err);
  } else if (status == DICTUM_NOMEM) {
    out_of_memory(host, err);
  }
  matchers_give(&table->matchers, subject.matcher);
  return status;
}

static const dictum_opt pcre_opts[] = {RULES_INDEX_OPT("1"), RULES_WAIT_OPT};

static const dictum_type pcre_types[] = {{
    .name = "pcre",
    .summary = "Perl-compatible regular expressions in order; the first that matches answers",
    .caps = DICTUM_CAP_PATTERN,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = pcre_opts,
    .nopts = sizeof pcre_opts / sizeof pcre_opts[0],
    .open = pcre_open,
    .close = pcre_close,
    .forget = pcre_close,
    .lookup = pcre_lookup,
}};

DICTUM_PLUGIN_DEFINE(dictum_pcre, "dictum-pcre", "0.1.0", pcre_types);
