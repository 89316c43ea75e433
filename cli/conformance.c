/* SPDX-License-Identifier: BSD-2-Clause */
/* conformance.c - does a type of table keep the promises of dictum.h? Runs all checks. */
#include "conformance.h"

#include "conformance_suite.h"

static const struct {
  const char *what;
  enum verdict (*check)(struct suite *suite);
} checks[] = {
    {"what was put is found, and nothing else", check_fill},
    {"a table without entries", check_empty},
    {"any bytes in keys and values come back or are refused", check_bytes},
    {"an empty value comes back or is refused", check_empty_value},
    {"a value of 1 MB and long keys come back or are refused", check_long},
    {"case is folded", check_folding},
    {"a batch answers as single lookups do", check_batch},
    {"a walk gives every entry once", check_walk},
    {"an abandoned replacement leaves the old content", check_abort},
    {"a reader sees the old content until commit, then the new", check_commit},
    {"put refuses, ignores or replaces a key that is there", check_put},
    {"del removes, and knows what is not there", check_delete},
    {"threads share one table", check_threads},
    {"threads read while the table is replaced", check_readers_and_writer},
    {"a child process goes on with its parent's table", check_fork},
};

/* A scratch table may not be there yet, and a table that cannot be written must be. */
static enum verdict learn_caps(struct suite *suite) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table;
  dictum_status status = suite_open_to_write(suite, true, &table, &err);
  if (status == DICTUM_UNSUPPORTED)
    status = suite_open_to_write(suite, false, &table, &err);
  if (status == DICTUM_UNSUPPORTED)
    status = dictum_open(suite->ctx, suite->spec, raw, &table, &err);
  if (status != DICTUM_OK)
    return suite_fail_call(suite, "opening", status, &err);
  suite->caps = dictum_caps(table);
  dictum_close(table);
  return PASS;
}

static void print_line(struct tap *tap, bool ok, const char *spec, const char *what,
                       const char *skip) {
  fprintf(tap->stream, "%s %u - %s%s%s%s\n", ok ? "ok" : "not ok", ++tap->count, spec,
          *spec ? ": " : "", what, skip);
  if (!ok)
    tap->failed++;
}

static void print_why(struct tap *tap, const char *why) {
  if (why && *why)
    fprintf(tap->stream, "# %s\n", why);
}

void tap_result(struct tap *tap, bool ok, const char *what, const char *why) {
  print_line(tap, ok, "", what, "");
  print_why(tap, why);
  fflush(tap->stream);
}

void tap_end(const struct tap *tap) {
  fprintf(tap->stream, "1..%u\n", tap->count);
}

void conformance_run(dictum_ctx *ctx, const char *spec, struct tap *tap) {
  struct suite suite = {.ctx = ctx, .spec = spec};
  enum verdict verdict = learn_caps(&suite);
  print_line(tap, verdict == PASS, spec, "opens", "");
  print_why(tap, suite.why);
  for (size_t i = 0; i < sizeof checks / sizeof checks[0] && verdict != FAIL; i++) {
    suite.why[0] = '\0';
    fflush(tap->stream); /* a plugin that crashes has told how far it came */
    enum verdict this = checks[i].check(&suite);
    print_line(tap, this != FAIL, spec, checks[i].what,
               this == SKIP ? " # SKIP the type cannot do that" : "");
    print_why(tap, suite.why);
  }
}
