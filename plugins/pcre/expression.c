/* SPDX-License-Identifier: BSD-2-Clause */
/* expression.c - matching with PCRE2, within limits of time and memory. */
#include "expression.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain_pattern.h"
#include "threadplace.h"

/* Steps of one match; PCRE2's own default, which Postfix leaves as it is. */
enum { most_steps = 10000000 };
/* Machine code counts anew at each place where a match could begin: this is for all together. */
enum { most_jit_steps = 50000000, least_jit_limit = 100 };
/* KiB; the interpreter needs some 150 bytes for each place that it may have to come back to. */
enum { most_heap = 64 * 1024 };
enum { jit_stack_at_first = 32 * 1024, jit_stack_most = 1024 * 1024 };
/* Making machine code takes about as long as interpreting so often. */
enum { jit_after = 24 };
/* One match in so many is counted, as a random one, and for all of them: threads that write to the
 * memory of one pattern at each match would slow each other down. A power of two. */
enum { matches_for_one = 8 };

struct expression {
  _Atomic(pcre2_code *) code; /* for the interpreter; NULL: not yet */
  _Atomic(pcre2_code *) jit;  /* the same with machine code, or NULL (yet) */
  atomic_uint matches;        /* about */
  uint32_t flags;
  unsigned groups;
  char text[];
};

struct matcher {
  pcre2_match_data *data;
  pcre2_match_context *limits, *jit_limits;
  pcre2_jit_stack *jit_stack;
  uint32_t jit_limit; /* what is in jit_limits */
  uint32_t chance;
  bool swollen; /* holds more memory than most calls need */
};

/* ---- a lock that is not ours ---------------------------------------------------------------- */

/* PCRE2 takes a lock of its own around the memory for machine code. A child that was forked while
 * another thread had it would wait for it for ever, so such a child does without machine code. */
static _Atomic(pid_t) jit_process;
static atomic_int jit_users;
static atomic_bool jit_is_shut;

static bool jit_enter(void) {
  pid_t self = getpid(), seen = atomic_load(&jit_process);
  if (seen != self) {
    /* In a child, before anything was added to what the parent had counted at the fork. Of two
     * threads that come here at once, one may shut it without need: that costs speed only. */
    if (seen != 0 && atomic_load(&jit_users) > 0)
      atomic_store(&jit_is_shut, true);
    atomic_store(&jit_process, self);
  }
  if (atomic_load(&jit_is_shut))
    return false;
  atomic_fetch_add(&jit_users, 1);
  return true;
}

static void jit_leave(void) {
  atomic_fetch_sub(&jit_users, 1);
}

/* ---- patterns ------------------------------------------------------------------------------- */

/* Is \C in a pattern of UTF-8? It could stop in the middle of a character, and PCRE2 does not
 * promise where it goes from there. */
static bool is_unsafe(const pcre2_code *code) {
  uint32_t options = 0, has_c = 0;
  pcre2_pattern_info(code, PCRE2_INFO_ALLOPTIONS, &options);
  pcre2_pattern_info(code, PCRE2_INFO_HASBACKSLASHC, &has_c);
  return has_c && (options & PCRE2_UTF);
}

static pcre2_code *compile(const struct expression *expression, int *error, size_t *offset) {
  pcre2_code *code = pcre2_compile((PCRE2_SPTR)expression->text, PCRE2_ZERO_TERMINATED,
                                   expression->flags, error, offset, NULL);
  if (!code || !is_unsafe(code))
    return code;
  *error = PCRE2_ERROR_BACKSLASH_C_CALLER_DISABLED;
  pcre2_code_free(code);
  return NULL;
}

/* @p expression is not anybody else's yet. */
static bool compile_first(struct expression *expression, int *code, size_t *offset) {
  uint32_t groups = 0;
  pcre2_code *own = compile(expression, code, offset);
  if (!own)
    return false;
  pcre2_pattern_info(own, PCRE2_INFO_CAPTURECOUNT, &groups);
  expression->groups = groups;
  atomic_store_explicit(&expression->code, own, memory_order_relaxed);
  return true;
}

struct expression *expression_new(const char *pattern, uint32_t flags, bool may_wait, int *code,
                                  size_t *offset) {
  *code = PCRE2_ERROR_HEAP_FAILED;
  *offset = 0;
  size_t size = strlen(pattern) + 1;
  struct expression *expression = calloc(1, sizeof *expression + size);
  if (!expression)
    return NULL;
  expression->flags = flags;
  memcpy(expression->text, pattern, size);
  bool plain = may_wait && !(flags & PCRE2_EXTENDED) && plain_pattern(pattern, &expression->groups);
  if (plain || compile_first(expression, code, offset))
    return expression;
  free(expression);
  return NULL;
}

void expression_free(struct expression *expression) {
  if (!expression)
    return;
  if (expression->jit && jit_enter()) {
    pcre2_code_free(expression->jit);
    jit_leave();
  }
  pcre2_code_free(expression->code);
  free(expression);
}

const char *expression_text(const struct expression *expression) {
  return expression->text;
}

uint32_t expression_flags(const struct expression *expression) {
  return expression->flags;
}

unsigned expression_groups(const struct expression *expression) {
  return expression->groups;
}

/* Compiles it if nobody has. Of several threads that do, the first has made it for all. */
static pcre2_code *code_of(struct expression *expression, int *error) {
  pcre2_code *others = atomic_load_explicit(&expression->code, memory_order_acquire);
  if (others)
    return others;
  size_t offset;
  pcre2_code *own = compile(expression, error, &offset);
  if (!own || atomic_compare_exchange_strong_explicit(&expression->code, &others, own,
                                                      memory_order_acq_rel, memory_order_acquire))
    return own;
  pcre2_code_free(own);
  return others;
}

/* Other threads may be matching with the code as it is: machine code goes to a copy. */
static void make_jit(struct expression *expression, const pcre2_code *code) {
  if (!jit_enter())
    return;
  pcre2_code *copy = pcre2_code_copy(code);
  if (copy && pcre2_jit_compile(copy, PCRE2_JIT_COMPLETE) == 0)
    atomic_store_explicit(&expression->jit, copy, memory_order_release);
  else
    pcre2_code_free(copy);
  jit_leave();
}

/* A linear congruential generator; its high bits are random enough. */
static bool is_counted(struct matcher *matcher) {
  matcher->chance = matcher->chance * 1664525 + 1013904223;
  return matcher->chance < UINT32_MAX / matches_for_one;
}

static pcre2_code *jit_of(struct expression *expression, const pcre2_code *code,
                          struct matcher *matcher) {
  pcre2_code *jit = atomic_load_explicit(&expression->jit, memory_order_acquire);
  if (jit || atomic_load_explicit(&expression->matches, memory_order_relaxed) >= jit_after ||
      !is_counted(matcher))
    return jit;
  if (atomic_fetch_add_explicit(&expression->matches, matches_for_one, memory_order_relaxed) ==
      jit_after - matches_for_one)
    make_jit(expression, code);
  return atomic_load_explicit(&expression->jit, memory_order_acquire);
}

/* ---- memory to match in --------------------------------------------------------------------- */

static void matcher_free(struct matcher *matcher) {
  pcre2_match_data_free(matcher->data);
  pcre2_match_context_free(matcher->limits);
  pcre2_match_context_free(matcher->jit_limits);
  pcre2_jit_stack_free(matcher->jit_stack);
  free(matcher);
}

static struct matcher *matcher_new(unsigned groups) {
  struct matcher *matcher = calloc(1, sizeof *matcher);
  if (!matcher)
    return NULL;
  matcher->data = pcre2_match_data_create(groups + 1, NULL);
  matcher->limits = pcre2_match_context_create(NULL);
  matcher->jit_limits = pcre2_match_context_create(NULL);
  matcher->jit_stack = pcre2_jit_stack_create(jit_stack_at_first, jit_stack_most, NULL);
  if (!matcher->data || !matcher->limits || !matcher->jit_limits) {
    matcher_free(matcher);
    return NULL;
  }
  pcre2_set_match_limit(matcher->limits, most_steps);
  pcre2_set_heap_limit(matcher->limits, most_heap);
  /* Without a stack, which a PCRE2 without machine code does not have, it uses the thread's. */
  pcre2_jit_stack_assign(matcher->jit_limits, NULL, matcher->jit_stack);
  return matcher;
}

struct matcher *matchers_take(struct matchers *matchers) {
  const size_t places = sizeof matchers->places / sizeof matchers->places[0];
  size_t first = threadplace(places);
  for (size_t i = 0; i < places; i++) {
    _Atomic(struct matcher *) *place = &matchers->places[(first + i) % places].idle;
    if (!atomic_load_explicit(place, memory_order_relaxed))
      continue;
    struct matcher *matcher = atomic_exchange_explicit(place, NULL, memory_order_acquire);
    if (matcher)
      return matcher;
  }
  return matcher_new(matchers->groups);
}

void matchers_give(struct matchers *matchers, struct matcher *matcher) {
  const size_t places = sizeof matchers->places / sizeof matchers->places[0];
  size_t first = threadplace(places);
  for (size_t i = 0; i < places && !matcher->swollen; i++) {
    struct matcher *empty = NULL;
    if (atomic_compare_exchange_strong_explicit(&matchers->places[(first + i) % places].idle,
                                                &empty, matcher, memory_order_release,
                                                memory_order_relaxed))
      return;
  }
  matcher_free(matcher);
}

void matchers_free(struct matchers *matchers) {
  for (size_t i = 0; i < sizeof matchers->places / sizeof matchers->places[0]; i++)
    if (matchers->places[i].idle)
      matcher_free(matchers->places[i].idle);
}

/* ---- matching ------------------------------------------------------------------------------- */

/* A match that can only begin where the text begins needs no more steps for a longer one. */
static uint32_t jit_limit(const pcre2_code *jit, size_t len) {
  uint32_t options = 0;
  pcre2_pattern_info(jit, PCRE2_INFO_ALLOPTIONS, &options);
  if (options & PCRE2_ANCHORED)
    return most_steps;
  size_t limit = most_jit_steps / (len + 1);
  if (limit > most_steps)
    return most_steps;
  return limit > least_jit_limit ? (uint32_t)limit : least_jit_limit;
}

static int interpret(const pcre2_code *code, struct matcher *matcher, const char *text,
                     size_t len) {
  enum { short_text = 4096 };
  int found = pcre2_match(code, (PCRE2_SPTR)text, len, 0, 0, matcher->data, matcher->limits);
  /* The match data keep the memory that they needed. */
  matcher->swollen = matcher->swollen || len > short_text || found < PCRE2_ERROR_NOMATCH;
  return found;
}

static int run_jit(const pcre2_code *jit, struct matcher *matcher, const char *text, size_t len) {
  uint32_t limit = jit_limit(jit, len);
  if (limit != matcher->jit_limit)
    pcre2_set_match_limit(matcher->jit_limits, limit);
  matcher->jit_limit = limit;
  return pcre2_match(jit, (PCRE2_SPTR)text, len, 0, 0, matcher->data, matcher->jit_limits);
}

int expression_match(struct expression *expression, struct matcher *matcher, const char *text,
                     size_t len) {
  int error;
  const pcre2_code *code = code_of(expression, &error);
  if (!code) /* a plain pattern cannot be wrong */
    return PCRE2_ERROR_NOMEMORY;
  const pcre2_code *jit = jit_of(expression, code, matcher);
  int found = jit ? run_jit(jit, matcher, text, len) : PCRE2_ERROR_JIT_STACKLIMIT;
  if (found == PCRE2_ERROR_JIT_STACKLIMIT || found == PCRE2_ERROR_MATCHLIMIT)
    found = interpret(code, matcher, text, len);
  if (found == PCRE2_ERROR_NOMATCH)
    return 0;
  return found >= 0 ? 1 : found;
}

dictum_key matcher_group(const struct matcher *matcher, const char *text, unsigned n) {
  const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(matcher->data) + 2 * (size_t)n;
  if (ends[0] == PCRE2_UNSET || ends[1] < ends[0])
    return (dictum_key){"", 0};
  return (dictum_key){text + ends[0], ends[1] - ends[0]};
}
