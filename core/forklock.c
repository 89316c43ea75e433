/* SPDX-License-Identifier: BSD-2-Clause */
/* forklock.c - a mutex that is free in a forked child, and the fork counter. */
#include "forklock.h"

#include <limits.h>
#include <sched.h>

atomic_uint fork_generation = 1;

/* Marks a lock that some thread is making anew. */
static const unsigned being_made = UINT_MAX;

static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static int watch_error;

static void count_fork(void) {
  atomic_fetch_add(&fork_generation, 1);
}

static void watch(void) {
  watch_error = pthread_atfork(NULL, NULL, count_fork);
}

bool fork_watch(void) {
  return pthread_once(&watch_once, watch) == 0 && watch_error == 0;
}

void forklock_init(struct forklock *lock) {
  pthread_mutex_init(&lock->mutex, NULL);
  atomic_init(&lock->generation, atomic_load(&fork_generation));
}

void forklock_destroy(struct forklock *lock) {
  if (atomic_load(&lock->generation) == atomic_load(&fork_generation))
    pthread_mutex_destroy(&lock->mutex);
}

static void make_anew(struct forklock *lock, unsigned now) {
  unsigned seen = atomic_load(&lock->generation);
  while (seen != now) {
    if (seen != being_made &&
        atomic_compare_exchange_strong(&lock->generation, &seen, being_made)) {
      pthread_mutex_init(&lock->mutex, NULL);
      atomic_store(&lock->generation, now);
      return;
    }
    sched_yield();
    seen = atomic_load(&lock->generation);
  }
}

void forklock_acquire(struct forklock *lock) {
  unsigned now = atomic_load_explicit(&fork_generation, memory_order_relaxed);
  if (atomic_load_explicit(&lock->generation, memory_order_acquire) != now)
    make_anew(lock, now);
  pthread_mutex_lock(&lock->mutex);
}

void forklock_release(struct forklock *lock) {
  pthread_mutex_unlock(&lock->mutex);
}
