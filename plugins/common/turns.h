/* SPDX-License-Identifier: BSD-2-Clause */
/* turns.h - who of many threads has which of a few things, such as connections. */
#ifndef DICTUM_PLUGINS_TURNS_H
#define DICTUM_PLUGINS_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** Things number 0 .. n-1, n at most 32. Any thread. */
struct turns {
  pthread_mutex_t lock;
  pthread_cond_t given_back;
  uint32_t taken; /**< a bit for each */
  unsigned n;
};

/** False when the system has no room; then nothing is to be destroyed. */
bool turns_init(struct turns *turns, unsigned n);
/** Nobody may have one. Not in a child after fork(). */
void turns_destroy(struct turns *turns);

/** Takes the first that is free; waits until @p deadline_ns on CLOCK_MONOTONIC, 0: for ever.
 * @return its number, to be given back; -1 when there was none in time */
int turns_take(struct turns *turns, int64_t deadline_ns);
void turns_give_back(struct turns *turns, int number);

#endif
