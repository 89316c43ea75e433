/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * threadslots.h - a few places for what one thread at a time may use, so that threads seldom meet.
 *
 * A table keeps a reader for each place. A thread begins its search for a free
 * place at its own, so that it mostly finds the same reader again.
 */
#ifndef DICTUM_PLUGINS_THREADSLOTS_H
#define DICTUM_PLUGINS_THREADSLOTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { threadslots_n = 16 };

struct threadslots {
  struct {
    _Alignas(64) pthread_mutex_t lock; /* on a cache line of its own */
  } each[threadslots_n];
};

/** Allocates @p bytes for a table that has such places in it: zeroed, and aligned as they are.
 * To be freed with free(). @return NULL without memory. */
void *threadslots_alloc(size_t bytes);

void threadslots_init(struct threadslots *slots);
void threadslots_destroy(struct threadslots *slots);

/** Takes a place, and waits while all are taken. @return which, below threadslots_n */
size_t threadslots_take(struct threadslots *slots);
void threadslots_give(struct threadslots *slots, size_t which);

/** In a child after fork(), which leaves a table behind: has @p close release what each place
 * guards, except where a thread of the parent was using it: that is in an unknown state, and stays.
 * @return true when nothing had to stay */
bool threadslots_forget(struct threadslots *slots, void (*close)(void *rock, size_t which),
                        void *rock);

#endif
