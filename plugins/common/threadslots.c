/* SPDX-License-Identifier: BSD-2-Clause */
/* threadslots.c - a few places for what one thread at a time may use, so that threads seldom meet.
 */
#include "threadslots.h"

#include <stdlib.h>
#include <string.h>

#include "threadplace.h"

void *threadslots_alloc(size_t bytes) {
  const size_t alignment = _Alignof(struct threadslots);
  bytes = (bytes + alignment - 1) / alignment * alignment;
  void *table = aligned_alloc(alignment, bytes);
  return table ? memset(table, 0, bytes) : NULL;
}

void threadslots_init(struct threadslots *slots) {
  /* Without attributes this cannot fail where threads are the system's own. */
  for (size_t i = 0; i < threadslots_n; i++)
    pthread_mutex_init(&slots->each[i].lock, NULL);
}

void threadslots_destroy(struct threadslots *slots) {
  for (size_t i = 0; i < threadslots_n; i++)
    pthread_mutex_destroy(&slots->each[i].lock);
}

size_t threadslots_take(struct threadslots *slots) {
  size_t first = threadplace(threadslots_n);
  for (size_t i = 0; i < threadslots_n; i++) {
    size_t which = (first + i) % threadslots_n;
    if (pthread_mutex_trylock(&slots->each[which].lock) == 0)
      return which;
  }
  pthread_mutex_lock(&slots->each[first].lock);
  return first;
}

void threadslots_give(struct threadslots *slots, size_t which) {
  pthread_mutex_unlock(&slots->each[which].lock);
}

bool threadslots_forget(struct threadslots *slots, void (*close)(void *rock, size_t which),
                        void *rock) {
  bool all = true;
  for (size_t i = 0; i < threadslots_n; i++) {
    if (pthread_mutex_trylock(&slots->each[i].lock) == 0)
      close(rock, i);
    else
      all = false;
  }
  return all;
}
