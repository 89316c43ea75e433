/* SPDX-License-Identifier: BSD-2-Clause */
/* connpool.c - the connections of one table to its server, one for each call that is under way. */
#include "connpool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

struct connpool {
  struct endpoint *endpoints;
  size_t nendpoints;
  atomic_size_t favourite; /* the endpoint that answered last */
  int64_t idle_ns, ttl_ns;
  pthread_mutex_t lock; /* guards what follows, but the connections that are in use */
  pthread_cond_t given;
  size_t nidle, nfree;
  struct conn *idle[connpool_most]; /* the one used last is the last */
  struct conn *free[connpool_most]; /* without a connection */
  struct conn conns[connpool_most];
};

/* ---- life ----------------------------------------------------------------------------------- */

static void free_endpoints(struct endpoint *endpoints, size_t n) {
  for (size_t i = 0; i < n; i++)
    endpoint_free(&endpoints[i]);
  free(endpoints);
}

/* Counts time by the clock of the deadlines. */
static bool init_cond(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  if (pthread_condattr_init(&attr) != 0)
    return false;
  bool done = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(cond, &attr) == 0;
  pthread_condattr_destroy(&attr);
  return done;
}

static bool init_locks(struct connpool *pool) {
  if (pthread_mutex_init(&pool->lock, NULL) != 0)
    return false;
  if (init_cond(&pool->given))
    return true;
  pthread_mutex_destroy(&pool->lock);
  return false;
}

struct connpool *connpool_new(struct endpoint *endpoints, size_t n, int64_t idle_ns,
                              int64_t ttl_ns) {
  struct connpool *pool = calloc(1, sizeof *pool);
  if (!pool || !init_locks(pool)) {
    free(pool);
    free_endpoints(endpoints, n);
    return NULL;
  }
  pool->endpoints = endpoints;
  pool->nendpoints = n;
  pool->idle_ns = idle_ns;
  pool->ttl_ns = ttl_ns;
  for (size_t i = 0; i < connpool_most; i++) {
    atomic_init(&pool->conns[i].stream.fd, -1);
    pool->free[pool->nfree++] = &pool->conns[i];
  }
  return pool;
}

static void release(struct connpool *pool) {
  for (size_t i = 0; i < connpool_most; i++)
    stream_free(&pool->conns[i].stream);
  free_endpoints(pool->endpoints, pool->nendpoints);
  free(pool);
}

void connpool_free(struct connpool *pool) {
  if (!pool)
    return;
  pthread_cond_destroy(&pool->given);
  pthread_mutex_destroy(&pool->lock);
  release(pool);
}

/* Another thread of the parent may have been changing a connection or the lists: then their memory
 * is left behind. */
void connpool_forget(struct connpool *pool) {
  if (!pool)
    return;
  for (size_t i = 0; i < connpool_most; i++) {
    int fd = atomic_exchange(&pool->conns[i].stream.fd, -1);
    if (fd >= 0)
      close(fd);
  }
  if (pthread_mutex_trylock(&pool->lock) == 0 && pool->nidle + pool->nfree == connpool_most)
    release(pool);
}

const char *connpool_label(const struct connpool *pool) {
  return pool->endpoints[atomic_load_explicit(&pool->favourite, memory_order_relaxed)].label;
}

/* ---- idle connections ------------------------------------------------------------------------ */

/* The first @p n idle ones end. With the lock held; close(2) of such a socket does not wait. */
static void end_idle(struct connpool *pool, size_t n) {
  for (size_t i = 0; i < n; i++) {
    stream_close(&pool->idle[i]->stream);
    pool->free[pool->nfree++] = pool->idle[i];
  }
  pool->nidle -= n;
  memmove(pool->idle, pool->idle + n, pool->nidle * sizeof pool->idle[0]);
}

static void expire(struct connpool *pool, int64_t now_ns) {
  size_t n = 0;
  while (n < pool->nidle && now_ns - pool->idle[n]->idle_since_ns > pool->idle_ns)
    n++;
  if (n > 0)
    end_idle(pool, n);
}

/* ---- taking and giving ----------------------------------------------------------------------- */

static bool wait_for_one(struct connpool *pool, int64_t deadline_ns) {
  const struct timespec until = {(time_t)(deadline_ns / 1000000000),
                                 (long)(deadline_ns % 1000000000)};
  while (pool->nidle + pool->nfree == 0)
    if (pthread_cond_timedwait(&pool->given, &pool->lock, &until) == ETIMEDOUT)
      return pool->nidle + pool->nfree > 0;
  return true;
}

/* An idle connection, or room for one. NULL: none until the deadline. */
static struct conn *take(struct connpool *pool, bool fresh, int64_t deadline_ns) {
  struct conn *conn = NULL;
  pthread_mutex_lock(&pool->lock);
  expire(pool, clock_now());
  if (fresh)
    end_idle(pool, pool->nidle);
  if (wait_for_one(pool, deadline_ns))
    conn = pool->nidle > 0 ? pool->idle[--pool->nidle] : pool->free[--pool->nfree];
  pthread_mutex_unlock(&pool->lock);
  return conn;
}

static bool connect_any(struct connpool *pool, struct conn *conn, int64_t deadline_ns,
                        struct fault *fault) {
  size_t first = atomic_load_explicit(&pool->favourite, memory_order_relaxed);
  for (size_t i = 0; i < pool->nendpoints; i++) {
    size_t place = (first + i) % pool->nendpoints;
    int64_t now = clock_now();
    int64_t until = now + (deadline_ns - now) / (int64_t)(pool->nendpoints - i);
    if (!stream_connect(&conn->stream, &pool->endpoints[place], until, fault))
      continue;
    if (place != first)
      atomic_store_explicit(&pool->favourite, place, memory_order_relaxed);
    conn->endpoint = &pool->endpoints[place];
    conn->born_ns = clock_now();
    return true;
  }
  return false;
}

struct conn *connpool_take(struct connpool *pool, bool fresh, int64_t deadline_ns,
                           struct fault *fault) {
  struct conn *conn = take(pool, fresh, deadline_ns);
  if (!conn) {
    fault_set(fault, FAULT_BUSY, ETIMEDOUT, "all connections are in use");
    return NULL;
  }
  conn->fresh = false;
  if (atomic_load(&conn->stream.fd) >= 0) {
    if (!fresh && stream_is_quiet(&conn->stream))
      return conn;
    stream_close(&conn->stream);
  }
  conn->fresh = true;
  if (connect_any(pool, conn, deadline_ns, fault))
    return conn;
  connpool_give(pool, conn, false);
  return NULL;
}

void connpool_give(struct connpool *pool, struct conn *conn, bool sound) {
  conn->idle_since_ns = clock_now();
  if (!sound || conn->idle_since_ns - conn->born_ns > pool->ttl_ns)
    stream_close(&conn->stream);
  pthread_mutex_lock(&pool->lock);
  if (atomic_load(&conn->stream.fd) >= 0)
    pool->idle[pool->nidle++] = conn;
  else
    pool->free[pool->nfree++] = conn;
  pthread_cond_signal(&pool->given);
  pthread_mutex_unlock(&pool->lock);
}
