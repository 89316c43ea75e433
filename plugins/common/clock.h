/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.h - deadlines, on CLOCK_MONOTONIC in nanoseconds; 0 is none. */
#ifndef DICTUM_PLUGINS_CLOCK_H
#define DICTUM_PLUGINS_CLOCK_H

#include <stdint.h>
#include <pthread.h>

int64_t clock_now(void);
/** For poll(2): milliseconds, rounded up; 0 when it has passed; -1 for none. */
int clock_left_ms(int64_t deadline);
/** A part of the time that is left, for one of @p parts attempts. */
int64_t clock_slice(int64_t deadline, unsigned parts);
/** A condition that counts time by this clock. @return 0 or an error number */
int clock_cond_init(pthread_cond_t *cond);
/** Waits for @p cond. @return 0, or ETIMEDOUT when @p deadline has passed */
int clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline);

#endif
