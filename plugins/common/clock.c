/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.c - deadlines, on CLOCK_MONOTONIC in nanoseconds; 0 is none. */
#include "clock.h"

#include <limits.h>
#include <time.h>

int64_t clock_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int clock_left_ms(int64_t deadline) {
  if (deadline == 0)
    return -1;
  int64_t left = deadline - clock_now();
  if (left <= 0)
    return 0;
  left = (left + 999999) / 1000000;
  return left > INT_MAX ? INT_MAX : (int)left;
}

int64_t clock_slice(int64_t deadline, unsigned parts) {
  if (deadline == 0 || parts <= 1)
    return deadline;
  int64_t now = clock_now();
  return deadline <= now ? deadline : now + (deadline - now) / parts;
}

int clock_cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  int error = pthread_condattr_init(&attr);
  if (error)
    return error;
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  error = pthread_cond_init(cond, &attr);
  pthread_condattr_destroy(&attr);
  return error;
}

int clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline) {
  if (deadline == 0)
    return pthread_cond_wait(cond, mutex);
  const struct timespec until = {(time_t)(deadline / 1000000000), (long)(deadline % 1000000000)};
  return pthread_cond_timedwait(cond, mutex, &until);
}
