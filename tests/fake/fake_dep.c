/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_dep.c - a client library that is there, or not. */
extern const char *fake_dep_answer(void);
__attribute__((visibility("default"))) const char *fake_dep_answer(void) {
  return "yes";
}
