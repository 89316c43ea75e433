/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conformance.h - does a type of table keep the promises of dictum.h?
 *
 * Uses nothing but the public interface, so that it can judge any plugin.
 */
#ifndef DICTUM_CLI_CONFORMANCE_H
#define DICTUM_CLI_CONFORMANCE_H

#include <dictum.h>
#include <stdbool.h>
#include <stdio.h>

/** A stream of the Test Anything Protocol. */
struct tap {
  FILE *stream;
  unsigned count, failed;
};

/** Prints one "ok" or "not ok" line; @p why, unless NULL or "", follows as a comment. */
void tap_result(struct tap *tap, bool ok, const char *what, const char *why);
/** Prints the plan, which ends the stream. */
void tap_end(const struct tap *tap);

/** Tries out the table @p spec. A type that can be written loses the table's content, and starts
 * threads and child processes; @p ctx must not be in use elsewhere. */
void conformance_run(dictum_ctx *ctx, const char *spec, struct tap *tap);

#endif
