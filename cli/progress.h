/* SPDX-License-Identifier: BSD-2-Clause */
/* progress.h - one line on a terminal that tells how far a long piece of work has come. */
#ifndef DICTUM_CLI_PROGRESS_H
#define DICTUM_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
  const char *label;
  bool wanted; /**< standard error is a terminal */
  bool shown;
  int64_t next_ns; /**< nothing is shown before this time */
};

/** Nothing is shown in the first second. @p label must stay. */
void progress_start(struct progress *progress, const char *label);
/** Shows "LABEL: VERB DONE of TOTAL UNIT"; @p total is 0 if unknown. Cheap to call often. */
void progress_show(struct progress *progress, const char *verb, uint64_t done, uint64_t total,
                   const char *unit);
/** Removes the line, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif
