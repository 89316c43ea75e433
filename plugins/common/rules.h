/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules.h - what tables of rules share (regexp, pcre, cidr).
 *
 * A table of rules is an ordered list: the first rule that matches a key
 * answers. "if PATTERN" ... "endif" hides the rules between from keys that do
 * not match. What a pattern is, and what "!" before it means, is each table's
 * own matter: here a rule is something that a function of the table's can match.
 */
#ifndef DICTUM_PLUGINS_RULES_H
#define DICTUM_PLUGINS_RULES_H

#include <stdbool.h>
#include <dictum_plugin.h>

/* ---- the text of a table -------------------------------------------------------------------- */

/** Where rules come from. Messages begin with "TYPE map NAME, line N: ". Strings are not copied. */
struct rules_origin {
  const dictum_host *host;
  dictum_slot *slot;
  const char *type; /**< "regexp" */
  const char *name; /**< the file, or the rules themselves */
};

/** Tells that something is wrong with a line. */
void rules_warn(const struct rules_origin *from, uint64_t line, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/** Takes one line: @p text is without white space at its ends, and may be changed.
 * @return OK, also for a line that is skipped with a warning; other to stop reading. */
typedef dictum_status rules_line(void *table, char *text, uint64_t line, dictum_error *err);

/** Gives each line of @p from to @p each.
 * @return OK; CONFIG when the text cannot be read; NOMEM; what @p each stopped with. */
dictum_status rules_read(const struct rules_origin *from, rules_line *each, void *table,
                         dictum_error *err);

/** Reads the files that a value names, with DICTUM_OPEN_FILES.
 * @param content  receives their content; release its data with free()
 * @return OK; INVALID after a warning: skip this rule; NOMEM. */
dictum_status rules_file_value(const struct rules_origin *from, uint64_t line, const char *names,
                               dictum_buf *content, dictum_error *err);

/** How a line begins. */
enum rules_word {
  RULES_IF,      /**< "if" in any case; the text moves behind it and the white space there */
  RULES_ENDIF,   /**< "endif", likewise */
  RULES_LETTERS, /**< another letter or digit; the text stays */
  RULES_OTHER    /**< something else; the text stays */
};
enum rules_word rules_word(char **text);

/** Skips each "!" at the beginning and white space around. @return true for an odd number of "!" */
bool rules_negation(char **text);

/** Cuts off a pattern between two equal characters. A backslash stays, and so does what follows it.
 * @param text       moves behind the closing one; stays after a failure
 * @param pattern    receives the NUL-terminated text between, within @p text
 * @param delimiter  receives the character; NUL when @p text is empty
 * @return false when there is no closing one. */
bool rules_delimited(char **text, char **pattern, char *delimiter);

/* ---- the list ------------------------------------------------------------------------------- */

struct rules;

/** Makes an empty list. @param release  frees a rule. @return NULL when memory is out. */
struct rules *rules_new(const dictum_host *host, void (*release)(void *rule));
/** NULL is fine. */
void rules_free(struct rules *rules);

/** Appends a rule that answers. @p rule belongs to the list then, also after a failure.
 * @return OK; NOMEM. */
dictum_status rules_add(struct rules *rules, void *rule, dictum_error *err);
/** Appends an IF that stands in @p line. */
dictum_status rules_add_if(struct rules *rules, void *rule, uint64_t line, dictum_error *err);
/** Ends the innermost IF. @return false when there is none. */
bool rules_add_endif(struct rules *rules);
/** Ends the list, and with it each IF that has no ENDIF, with a warning. Nothing is added then. */
void rules_finish(struct rules *rules, const struct rules_origin *from);

/** Does @p rule match? @return OK when it does; NOTFOUND; other when that cannot be told. */
typedef dictum_status rules_match(const void *rule, void *subject);

/** Finds the first rule that answers and whose IFs all match. Any thread.
 * @param rule  receives it
 * @return OK; NOTFOUND; what @p match stopped with. */
dictum_status rules_find(const struct rules *rules, rules_match *match, void *subject,
                         const void **rule);

/** An entry of the list, as its index in the list tells it. */
struct rules_entry {
  const void *rule;
  bool is_if;
  size_t block; /**< the innermost IF around it, as its index + 1; 0: none */
};

/** Returns how many entries there are; each IF is one, an ENDIF none. */
size_t rules_count(const struct rules *rules);
/** Returns entry @p i, from 0. */
struct rules_entry rules_at(const struct rules *rules, size_t i);

/** Returns the first entry from @p from on that may match; SIZE_MAX: none. It may propose entries
 * that do not match, but must leave out none that does. */
typedef size_t rules_propose(void *proposals, size_t from);

/** The same answer as rules_find(), by trying what @p propose does not leave out. */
dictum_status rules_find_proposed(const struct rules *rules, rules_propose *propose,
                                  void *proposals, rules_match *match, void *subject,
                                  const void **rule);

/** The setting that says when a table gets an index, in the same words for every type. @p fallback:
 * how many lookups without it take as long as to make it, as text. */
#define RULES_INDEX_OPT(fallback)                                                                  \
  {                                                                                                \
    "rule_index_after", DICTUM_OPT_INT, fallback, 0, 1000000000,                                   \
        "lookups after which a table of rules gets an index; 0: never, 1: also a small one"        \
  }
/** Returns after how many lookups @p rules are worth an index; 0: never. */
unsigned rules_index_after(const struct rules *rules, const dictum_host *host,
                           const dictum_cfg *cfg);

/** The setting that says whether patterns that cannot be wrong (plain_pattern.h) are compiled when
 * they are first needed. */
#define RULES_WAIT_OPT                                                                             \
  {                                                                                                \
    "rule_patterns_wait", DICTUM_OPT_BOOL, "yes", 0, 0,                                            \
        "compile patterns that cannot be wrong when they are first needed"                         \
  }
/** Returns what it says. */
bool rules_patterns_wait(const dictum_host *host, const dictum_cfg *cfg);

/* ---- replacement texts ---------------------------------------------------------------------- */

/** A value with $1, ${1} or $(1) in it, where the pattern's groups go; $$ is a dollar. */
struct rules_template;

/** Parses @p text. Each mistake is a warning.
 * @param zero  this table's word for $0, which is not a group: "out of range"
 * @return OK; INVALID after a mistake: skip this rule; NOMEM. */
dictum_status rules_template_parse(const struct rules_origin *from, uint64_t line, const char *text,
                                   const char *zero, struct rules_template **out,
                                   dictum_error *err);
/** NULL is fine. */
void rules_template_free(struct rules_template *template);
/** Returns the highest group that is asked for; 0: none. */
unsigned rules_template_groups(const struct rules_template *template);
/** Returns the text of group @p n, from 1; empty when it took no part in the match. */
typedef dictum_key rules_template_group(const void *match, unsigned n);
/** Emits the value. @p group and @p match may be NULL when there are no groups.
 * @return OK; NOMEM. */
dictum_status rules_template_emit(const struct rules_template *template,
                                  rules_template_group *group, const void *match,
                                  const dictum_host *host, dictum_sink *sink, dictum_error *err);

#endif
