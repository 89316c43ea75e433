/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_cidr.c - feeds rules and addresses to the cidr plugin; see rules_target.h. */
#include "rules_target.h"

extern const dictum_plugin dictum_cidr_LTX_dictum_plugin;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return fuzz_rules(&dictum_cidr_LTX_dictum_plugin.types[0], NULL, data, size);
}
