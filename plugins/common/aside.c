/* SPDX-License-Identifier: BSD-2-Clause */
/* aside.c - work that nothing can limit in time, done by a thread of its own. */
#include "aside.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "clock.h"

/* Belongs to the thread and to who waits for it; the last one frees it. */
struct aside {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  bool done, left; /* the work is; who waited has */
  aside_work *work;
  aside_release *release;
  void *job;
};

/* ---- threads that nobody waits for ---------------------------------------------------------- */

enum { most_left = 16 };
static atomic_int left_behind;
static _Atomic(pid_t) process;

/* The threads of the parent are not in a child. */
static bool may_start(void) {
  pid_t self = getpid();
  if (atomic_exchange(&process, self) != self)
    atomic_store(&left_behind, 0);
  return atomic_load(&left_behind) < most_left;
}

/* ---- life ----------------------------------------------------------------------------------- */

static struct aside *aside_new(aside_work *work, aside_release *release, void *job) {
  struct aside *aside = calloc(1, sizeof *aside);
  if (!aside)
    return NULL;
  if (pthread_mutex_init(&aside->mutex, NULL) != 0) {
    free(aside);
    return NULL;
  }
  if (clock_cond_init(&aside->cond) != 0) {
    pthread_mutex_destroy(&aside->mutex);
    free(aside);
    return NULL;
  }
  aside->work = work;
  aside->release = release;
  aside->job = job;
  return aside;
}

static void aside_free(struct aside *aside) {
  pthread_cond_destroy(&aside->cond);
  pthread_mutex_destroy(&aside->mutex);
  free(aside);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void *thread_main(void *rock) {
  struct aside *aside = rock;
  aside->work(aside->job);
  pthread_mutex_lock(&aside->mutex);
  bool left = aside->left;
  aside->done = true;
  pthread_cond_signal(&aside->cond);
  pthread_mutex_unlock(&aside->mutex);
  if (left) {
    aside->release(aside->job);
    aside_free(aside);
    atomic_fetch_sub(&left_behind, 1);
  }
  return NULL;
}

/* The host's signals are not for this thread, and its own mask stays as it is. */
static bool start_thread(struct aside *aside, pthread_t *thread) {
  pthread_attr_t attr;
  sigset_t all;
  if (pthread_attr_init(&attr) != 0)
    return false;
  sigfillset(&all);
  bool started = pthread_attr_setsigmask_np(&attr, &all) == 0 &&
                 pthread_create(thread, &attr, thread_main, aside) == 0;
  pthread_attr_destroy(&attr);
  return started;
}

/* @return false: it is the thread's from now on */
static bool wait_for(struct aside *aside, int64_t deadline) {
  int late = 0;
  pthread_mutex_lock(&aside->mutex);
  while (!aside->done && !late)
    late = clock_cond_wait(&aside->cond, &aside->mutex, deadline);
  aside->left = !aside->done;
  if (aside->left)
    atomic_fetch_add(&left_behind, 1);
  bool done = aside->done;
  pthread_mutex_unlock(&aside->mutex);
  return done;
}

enum aside_answer aside_run(aside_work *work, aside_release *release, void *job, int64_t deadline) {
  pthread_t thread;
  bool may = may_start();
  struct aside *aside = may ? aside_new(work, release, job) : NULL;
  if (!aside || !start_thread(aside, &thread)) {
    if (aside)
      aside_free(aside);
    release(job);
    return may ? ASIDE_NOMEM : ASIDE_BUSY;
  }
  if (!wait_for(aside, deadline)) {
    pthread_detach(thread);
    return ASIDE_LATE;
  }
  pthread_join(thread, NULL);
  aside_free(aside);
  return ASIDE_DONE;
}

int64_t aside_before(int64_t deadline) {
  const int64_t most = 10000000; /* 10 ms */
  int64_t left = deadline - clock_now();
  if (deadline == 0 || left <= 0)
    return deadline;
  return deadline - (left / 16 < most ? left / 16 : most);
}

const char *aside_why(enum aside_answer answer) {
  switch (answer) {
  case ASIDE_LATE:
    return "timed out";
  case ASIDE_BUSY:
    return "too many attempts hang";
  default:
    return "out of memory";
  }
}
