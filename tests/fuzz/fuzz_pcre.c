/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_pcre.c - feeds rules and keys to the pcre plugin; see rules_target.h.
 *
 * The plugin's limits end what explodes, but ten million steps for a key are many here: patterns
 * that could take so long are left out.
 */
#include "rules_target.h"

#include <string.h>

extern const dictum_plugin dictum_pcre_LTX_dictum_plugin;

/* More loops than these in a table may take seconds for a key. */
static bool may_take_long(const char *rules) {
  int loops = 0;
  for (const char *p = rules; *p; p++)
    loops += strchr("*+{?", *p) != NULL;
  return loops > 12;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return fuzz_rules(&dictum_pcre_LTX_dictum_plugin.types[0], may_take_long, data, size);
}
