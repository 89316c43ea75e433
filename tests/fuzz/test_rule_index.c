/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_rule_index.c - random tables with an index and without: every key has the same answer.
 *
 *     test_rule_index [SEED [PAIRS]]      PAIRS of table and key for each type (50000)
 */
#include "rules_target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const dictum_plugin dictum_regexp_LTX_dictum_plugin, dictum_pcre_LTX_dictum_plugin,
    dictum_cidr_LTX_dictum_plugin;

static uint64_t state;

static uint32_t random_below(uint32_t limit) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 16) % limit;
}

/* ---- text ----------------------------------------------------------------------------------- */

struct text {
  char bytes[2000];
  size_t len;
};

static void add(struct text *text, const char *more) {
  size_t len = strlen(more);
  if (text->len + len >= sizeof text->bytes)
    return;
  memcpy(text->bytes + text->len, more, len + 1);
  text->len += len;
}

#define ADD_ONE_OF(text, ...)                                                                      \
  do {                                                                                             \
    static const char *const choices[] = {__VA_ARGS__};                                            \
    add(text, choices[random_below(sizeof choices / sizeof choices[0])]);                          \
  } while (0)

static void add_word(struct text *text) {
  ADD_ONE_OF(text, "abcd", "abce", "bcde", "ab", "c", "Spam", "spamS", "example", "@ex", "amp",
             "le.", "ABCD", "dddd", "dd", "x", "pam@", "-", "\xc3\xa9");
}

/* ---- regular expressions -------------------------------------------------------------------- */

static void add_piece(struct text *text, bool perl) {
  switch (random_below(8)) {
  case 0:
    ADD_ONE_OF(text, ".", ".*", "[a-d]", "[^x]+", "[]x]", "(ab|spam)", "(abcd)?", "(abcd|)", "^",
               "$", "\\.", "\\w", "\\b", "()", "[[:alpha:]]", "(a(b[)]c)?)", "|", "(.)\\1");
    break;
  case 1:
    if (perl)
      ADD_ONE_OF(text, "(?:abcd)", "(?=abcd)", "(?!abcd)", "(?i)", "(?x) a b # c\n ", "(*ACCEPT)",
                 "(?#abcd)", "\\Qab.\\E", "\\x61bc", "[\\]ab]", "(?<n>abcd)", "(?-i:abcd)", "\\d",
                 "\\K", "(?>ab|a)", "(?|ab|cd)", "\\ca", "(?<=abcd)", "(a(?R)?b)", "(*COMMIT)",
                 "[\\Qa]\\E]");
    break;
  default:
    add_word(text);
  }
  if (random_below(5) == 0)
    ADD_ONE_OF(text, "?", "*", "+", "{2}", "{0}", "{0,1}", "{1,2}", "{0,}", "+?", "*?", "{,2}",
               "??", "{02}", "{00}");
}

static void add_pattern(struct text *text, bool perl) {
  if (random_below(8) == 0)
    add(text, "!");
  add(text, "/");
  for (uint32_t n = 1 + random_below(4); n > 0; n--)
    add_piece(text, perl);
  add(text, "/");
  if (random_below(6) == 0)
    ADD_ONE_OF(text, "i", "m", "x", "ix");
}

static void add_expression_line(struct text *text, bool perl, int number) {
  char value[32];
  switch (random_below(10)) {
  case 0:
    add(text, "if ");
    add_pattern(text, perl);
    add(text, "\n");
    return;
  case 1:
    add(text, "endif\n");
    return;
  }
  add_pattern(text, perl);
  if (!perl && random_below(8) == 0)
    add(text, "!/abcd/");
  snprintf(value, sizeof value, " rule%d\n", number);
  add(text, value);
}

static void add_expression_key(struct text *text) {
  for (uint32_t n = 1 + random_below(5); n > 0; n--)
    add_word(text);
  add(text, "\n");
}

/* ---- networks ------------------------------------------------------------------------------- */

/* Few different bits, so that networks meet. */
static void add_address(struct text *text, bool v6, unsigned bits) {
  char written[80];
  uint32_t address = random_below(4) << 30 | random_below(4) << 22 | random_below(4);
  if (bits < 32)
    address &= bits ? ~(UINT32_MAX >> bits) : 0;
  if (v6)
    snprintf(written, sizeof written, "%x:%x::", address >> 16, address & 0xffff);
  else
    snprintf(written, sizeof written, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
             address >> 8 & 255, address & 255);
  add(text, written);
}

static void add_network(struct text *text) {
  char written[16];
  unsigned bits = random_below(3) ? random_below(13) : random_below(33);
  if (random_below(8) == 0)
    add(text, "!");
  add_address(text, random_below(2), bits);
  snprintf(written, sizeof written, "/%u", bits);
  add(text, written);
}

static void add_network_line(struct text *text, int number) {
  char value[32];
  uint32_t kind = random_below(8);
  if (kind == 0) {
    add(text, "if ");
    add_network(text);
    add(text, "\n");
  } else if (kind == 1) {
    add(text, "endif\n");
  } else {
    add_network(text);
    snprintf(value, sizeof value, " rule%d\n", number);
    add(text, value);
  }
}

static void add_network_key(struct text *text) {
  add_address(text, random_below(2), 32);
  add(text, "\n");
}

/* ---- the test ------------------------------------------------------------------------------- */

struct kind {
  const dictum_plugin *plugin;
  void (*line)(struct text *text, int number);
  void (*key)(struct text *text);
};

static void regexp_line(struct text *text, int number) {
  add_expression_line(text, false, number);
}

static void pcre_line(struct text *text, int number) {
  add_expression_line(text, true, number);
}

static bool test(const struct kind *kind, uint64_t wanted) {
  uint64_t began, asked = 0, before, answered = 0;
  fuzz_rules_count(&began, &before);
  do {
    struct text rules = {.len = 0}, keys = {.len = 0};
    uint8_t data[sizeof rules.bytes + sizeof keys.bytes];
    for (int lines = 1 + (int)random_below(20); lines > 0; lines--)
      kind->line(&rules, lines);
    for (int i = 0; i < 20; i++)
      kind->key(&keys);
    data[0] = 0;
    memcpy(data + 1, rules.bytes, rules.len + 1);
    memcpy(data + 2 + rules.len, keys.bytes, keys.len);
    fuzz_rules(&kind->plugin->types[0], NULL, data, 2 + rules.len + keys.len);
    fuzz_rules_count(&asked, &answered);
  } while (asked - began < wanted);
  answered -= before;
  printf("# %s: %" PRIu64 " questions, %" PRIu64 " answers\n", kind->plugin->types[0].name,
         asked - began, answered);
  return answered > wanted / 10 && answered < wanted * 99 / 100;
}

int main(int argc, char **argv) {
  static const struct kind kinds[] = {
      {&dictum_regexp_LTX_dictum_plugin, regexp_line, add_expression_key},
      {&dictum_pcre_LTX_dictum_plugin, pcre_line, add_expression_key},
      {&dictum_cidr_LTX_dictum_plugin, add_network_line, add_network_key},
  };
  const int n = sizeof kinds / sizeof kinds[0];
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  uint64_t pairs = argc > 2 ? strtoull(argv[2], NULL, 10) : 50000;
  int failed = 0;
  printf("1..%d\n# seed %" PRIu64 "\n", n, seed);
  fflush(stdout);
  for (int i = 0; i < n; i++) {
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    bool good = test(&kinds[i], pairs);
    failed += !good;
    printf("%sok %d - %s answers the same with an index\n", good ? "" : "not ", i + 1,
           kinds[i].plugin->types[0].name);
    fflush(stdout);
  }
  return failed > 0;
}
