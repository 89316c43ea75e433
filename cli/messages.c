/* SPDX-License-Identifier: BSD-2-Clause */
/* messages.c - "PROG: warning: TEXT" on standard error, and the library's events among it. */
#include "messages.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A message about a line of a source, kept back until its turn. */
struct held {
  uint64_t line;
  size_t arrival;
  char *text;
};

static const char *program = "dictum";
static bool keep_utf8;
static bool verbose;
static bool had_fatal;

/* No more than this many are kept back: order is a courtesy, memory is not free. */
static struct held held[10000];
static size_t nheld;
static bool holding;

void messages_program(const char *name) {
  program = name;
}

void messages_utf8(bool utf8) {
  keep_utf8 = utf8;
}

void messages_verbose(bool on) {
  verbose = on;
}

/* Returns how many bytes the character at @p s takes, or 0 if it is not valid UTF-8 above 127. */
static size_t utf8_character(const unsigned char *s) {
  size_t n = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
             : s[0] >= 0xe0 && s[0] <= 0xef ? 3
             : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                            : 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80)
      return 0;
  bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
  bool surrogate = s[0] == 0xed && s[1] > 0x9f;
  bool beyond = s[0] == 0xf4 && s[1] > 0x8f;
  return overlong || surrogate || beyond ? 0 : n;
}

static void make_printable(char *text) {
  for (unsigned char *s = (unsigned char *)text; *s;) {
    size_t n = *s >= 0x20 && *s < 0x7f ? 1 : keep_utf8 ? utf8_character(s) : 0;
    if (n == 0)
      *s = '?';
    s += n ? n : 1;
  }
}

static void print_line(const char *level, char *text) {
  make_printable(text);
  /* One call, so that lines of several processes do not mix. */
  fprintf(stderr, "%s: %s%s%s\n", program, level ? level : "", level ? ": " : "", text);
}

bool messages_had_fatal(void) {
  return had_fatal;
}

void message(const char *level, const char *fmt, ...) {
  char *text;
  had_fatal |= level && strcmp(level, "fatal") == 0;
  va_list args;
  va_start(args, fmt);
  int len = vasprintf(&text, fmt, args);
  va_end(args);
  if (len < 0) {
    fprintf(stderr, "%s: fatal: out of memory\n", program);
    return;
  }
  print_line(level, text);
  free(text);
}

static int by_line(const void *a, const void *b) {
  const struct held *x = a, *y = b;
  if (x->line != y->line)
    return x->line < y->line ? -1 : 1;
  return x->arrival < y->arrival ? -1 : 1;
}

static void print_held(void) {
  qsort(held, nheld, sizeof *held, by_line);
  for (size_t i = 0; i < nheld; i++) {
    print_line("warning", held[i].text);
    free(held[i].text);
  }
  nheld = 0;
}

void messages_hold(void) {
  holding = true;
}

void messages_release(void) {
  print_held();
  holding = false;
}

static bool hold(const dictum_event *event) {
  bool about_line = event->code == DICTUM_CODE_SOURCE_LINE || event->code == DICTUM_CODE_DUPLICATE;
  if (!holding || !about_line || event->line == 0)
    return false;
  if (nheld == sizeof held / sizeof *held)
    print_held();
  char *text = strdup(event->text);
  if (!text)
    return false;
  held[nheld] = (struct held){event->line, nheld, text};
  nheld++;
  return true;
}

void messages_event(void *rock, const dictum_event *event) {
  (void)rock;
  bool serious = event->level >= DICTUM_LEVEL_WARNING;
  /* Who puts "debug:" before a table wants to see. */
  if (!serious && !verbose && event->code != DICTUM_CODE_ACCESS)
    return;
  if (serious && hold(event))
    return;
  message(serious ? "warning" : NULL, "%s", event->text);
}
