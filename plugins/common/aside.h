/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aside.h - work that nothing can limit in time, done by a thread of its own.
 *
 * Clients' libraries look names up, read files and talk to key servers in the
 * middle of what is otherwise free of waiting. Who waits for such work may leave
 * at the deadline: the thread then ends by itself, and what it made goes with it.
 */
#ifndef DICTUM_PLUGINS_ASIDE_H
#define DICTUM_PLUGINS_ASIDE_H

#include <stdint.h>

enum aside_answer {
  ASIDE_DONE,
  ASIDE_LATE,  /**< the deadline came first */
  ASIDE_BUSY,  /**< too many threads are still at work that nobody waits for */
  ASIDE_NOMEM, /**< out of memory, or no thread can be had */
};

/** Does the work. It may use @p job and what lives for ever, as who waits may leave at any time. */
typedef void aside_work(void *job);
/** Frees the job and what the work made. */
typedef void aside_release(void *job);

/** Does @p work and waits for it. Signals go to other threads than that one.
 * @param job       after DONE it is the caller's, as before; after any other answer it is gone, or
 *                  will be when the work ends
 * @param deadline  on CLOCK_MONOTONIC; 0: none */
enum aside_answer aside_run(aside_work *work, aside_release *release, void *job, int64_t deadline);

/** Returns a moment shortly before @p deadline, for work that does keep to time most of the way: so
 * it ends before it is left. */
int64_t aside_before(int64_t deadline);

/** Returns words for an answer other than DONE. */
const char *aside_why(enum aside_answer answer);

#endif
