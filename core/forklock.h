/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * forklock.h - a mutex that is free in a forked child, and the fork counter.
 *
 * Another thread of the parent may hold a mutex at the moment of fork(); in the
 * child nobody would ever release it. Each lock therefore remembers in which
 * process generation it was made, and is made anew by the first child thread
 * that wants it. What it guards may be half changed then; its users check their
 * own generation and rebuild.
 */
#ifndef DICTUM_CORE_FORKLOCK_H
#define DICTUM_CORE_FORKLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/** Counts forks between the first context of the program and this process. */
extern atomic_uint fork_generation;

/** Starts counting. @return false when the system refuses. Any thread, any number of times. */
bool fork_watch(void);

struct forklock {
  pthread_mutex_t mutex;
  atomic_uint generation;
};

void forklock_init(struct forklock *lock);
void forklock_destroy(struct forklock *lock);
void forklock_acquire(struct forklock *lock);
void forklock_release(struct forklock *lock);

#endif
