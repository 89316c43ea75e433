/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lazy.h - something that is made once it has been asked for often enough to pay.
 *
 * Any number of threads may ask at once: one of them makes it, the others do
 * without it in the meantime. There is no lock, so a fork finds it either made
 * or not.
 */
#ifndef DICTUM_PLUGINS_LAZY_H
#define DICTUM_PLUGINS_LAZY_H

#include <stdatomic.h>

struct lazy {
  unsigned after; /**< made when it is asked for this often; 0: never */
  atomic_uint asked;
  _Atomic(void *) made;
};

/** Makes the thing. @return it, or NULL when that cannot be done: there will be none. */
typedef void *lazy_make(const void *from);

/** Returns it, or NULL when there is none (yet). */
static inline void *lazy_get(struct lazy *lazy, lazy_make *make, const void *from) {
  void *made = atomic_load_explicit(&lazy->made, memory_order_acquire);
  if (made || lazy->after == 0)
    return made;
  if (atomic_load_explicit(&lazy->asked, memory_order_relaxed) >= lazy->after)
    return NULL;
  if (atomic_fetch_add_explicit(&lazy->asked, 1, memory_order_relaxed) + 1 != lazy->after)
    return NULL;
  made = make(from);
  atomic_store_explicit(&lazy->made, made, memory_order_release);
  return made;
}

#endif
