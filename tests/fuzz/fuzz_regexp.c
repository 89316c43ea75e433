/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_regexp.c - feeds rules and keys to the regexp plugin; see rules_target.h.
 *
 * The C library's matcher has no limits of its own, and is not what is tested here: patterns that
 * could keep it busy for long are left out.
 */
#include "rules_target.h"

extern const dictum_plugin dictum_regexp_LTX_dictum_plugin;

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/* Many copies, and back references, can take any time. */
static bool may_take_long(const char *rules) {
  int loops = 0;
  for (const char *p = rules; *p; p++) {
    if (*p == '{' && is_digit(p[1]) && is_digit(p[2]))
      return true;
    if (*p == ',' && is_digit(p[1]) && is_digit(p[2]))
      return true;
    if (*p == '\\' && is_digit(p[1]))
      return true;
    loops += *p == '*' || *p == '+' || *p == '{' || *p == '?';
    if (*p == '\n')
      loops = 0;
    if (loops > 8)
      return true;
  }
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return fuzz_rules(&dictum_regexp_LTX_dictum_plugin.types[0], may_take_long, data, size);
}
