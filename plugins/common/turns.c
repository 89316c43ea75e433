/* SPDX-License-Identifier: BSD-2-Clause */
/* turns.c - who of many threads has which of a few things, such as connections. */
#include "turns.h"

#include <time.h>

bool turns_init(struct turns *turns, unsigned n) {
  pthread_condattr_t attributes;
  turns->n = n;
  turns->taken = 0;
  if (pthread_condattr_init(&attributes) != 0)
    return false;
  bool done = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&turns->given_back, &attributes) == 0;
  pthread_condattr_destroy(&attributes);
  if (done && pthread_mutex_init(&turns->lock, NULL) != 0) {
    pthread_cond_destroy(&turns->given_back);
    done = false;
  }
  return done;
}

void turns_destroy(struct turns *turns) {
  pthread_mutex_destroy(&turns->lock);
  pthread_cond_destroy(&turns->given_back);
}

static int first_free(const struct turns *turns) {
  for (unsigned i = 0; i < turns->n; i++)
    if (!(turns->taken & UINT32_C(1) << i))
      return (int)i;
  return -1;
}

int turns_take(struct turns *turns, int64_t deadline_ns) {
  const struct timespec until = {deadline_ns / 1000000000, deadline_ns % 1000000000};
  int error = 0, number;
  pthread_mutex_lock(&turns->lock);
  while ((number = first_free(turns)) < 0 && error == 0)
    error = deadline_ns ? pthread_cond_timedwait(&turns->given_back, &turns->lock, &until)
                        : pthread_cond_wait(&turns->given_back, &turns->lock);
  if (number >= 0)
    turns->taken |= UINT32_C(1) << number;
  pthread_mutex_unlock(&turns->lock);
  return number;
}

void turns_give_back(struct turns *turns, int number) {
  pthread_mutex_lock(&turns->lock);
  turns->taken &= ~(UINT32_C(1) << number);
  pthread_cond_signal(&turns->given_back);
  pthread_mutex_unlock(&turns->lock);
}
