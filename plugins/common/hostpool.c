/* SPDX-License-Identifier: BSD-2-Clause */
/* hostpool.c - connections to some hosts, of which any will do. */
#include "hostpool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

struct hostpool {
  struct hostpool_plan plan;
  struct hostpool_host *hosts;

  pthread_mutex_t mutex; /* guards what follows, but the sockets */
  pthread_cond_t given;
  struct hostpool_conn *idle; /* the one used last comes first */
  unsigned live;
  bool *taken; /* which places for sockets are */
  atomic_int *sockets;
};

/* ---- life ----------------------------------------------------------------------------------- */

static void free_memory(struct hostpool *pool) {
  free(pool->hosts);
  free(pool->taken);
  free(pool->sockets);
  free(pool);
}

static bool init_locks(struct hostpool *pool) {
  if (pthread_mutex_init(&pool->mutex, NULL) != 0)
    return false;
  if (clock_cond_init(&pool->given) == 0)
    return true;
  pthread_mutex_destroy(&pool->mutex);
  return false;
}

struct hostpool *hostpool_new(const struct hostpool_plan *plan) {
  struct hostpool *pool = calloc(1, sizeof *pool);
  if (!pool)
    return NULL;
  pool->plan = *plan;
  pool->hosts = calloc(plan->nhosts, sizeof *pool->hosts);
  pool->taken = calloc(plan->connections, sizeof *pool->taken);
  pool->sockets = calloc(plan->connections, sizeof *pool->sockets);
  if (!pool->hosts || !pool->taken || !pool->sockets || !init_locks(pool)) {
    free_memory(pool);
    return NULL;
  }
  for (size_t i = 0; i < plan->nhosts; i++)
    plan->describe(plan->rock, i, &pool->hosts[i]);
  for (unsigned i = 0; i < plan->connections; i++)
    atomic_init(&pool->sockets[i], -1);
  return pool;
}

/* ---- closing connections -------------------------------------------------------------------- */

/* The socket is forgotten first: a child may close only what is open. */
static void finish(struct hostpool *pool, struct hostpool_conn *conn, bool sound) {
  atomic_store(&pool->sockets[conn->slot], -1);
  pool->plan.end(conn->link, sound);
}

/* Without the lock, as a good-bye takes its time. */
static void finish_list(struct hostpool *pool, struct hostpool_conn *list, bool sound) {
  unsigned n = 0;
  for (struct hostpool_conn *conn = list; conn; conn = conn->next, n++)
    finish(pool, conn, sound);
  if (n == 0)
    return;
  pthread_mutex_lock(&pool->mutex);
  for (struct hostpool_conn *conn = list; conn; conn = conn->next)
    pool->taken[conn->slot] = false;
  pool->live -= n;
  pthread_cond_broadcast(&pool->given);
  pthread_mutex_unlock(&pool->mutex);
  while (list) {
    struct hostpool_conn *next = list->next;
    free(list);
    list = next;
  }
}

void hostpool_free(struct hostpool *pool) {
  if (!pool)
    return;
  struct hostpool_conn *idle = pool->idle;
  pool->idle = NULL;
  finish_list(pool, idle, true);
  pthread_cond_destroy(&pool->given);
  pthread_mutex_destroy(&pool->mutex);
  free_memory(pool);
}

void hostpool_forget(struct hostpool *pool) {
  for (unsigned i = 0; pool && i < pool->plan.connections; i++) {
    int fd = atomic_exchange(&pool->sockets[i], -1);
    if (fd >= 0)
      close(fd);
  }
}

void hostpool_drop(struct hostpool *pool, struct hostpool_conn *conn) {
  conn->next = NULL;
  finish_list(pool, conn, false);
}

/* Moves what is idle and `matches` to a list of its own. With the lock held. */
static struct hostpool_conn *pick_idle(struct hostpool *pool,
                                       bool (*matches)(const struct hostpool_conn *, const void *),
                                       const void *rock) {
  struct hostpool_conn *picked = NULL;
  for (struct hostpool_conn **link = &pool->idle; *link;) {
    struct hostpool_conn *conn = *link;
    if (!matches(conn, rock)) {
      link = &conn->next;
      continue;
    }
    *link = conn->next;
    conn->next = picked;
    picked = conn;
  }
  return picked;
}

static bool is_of_host(const struct hostpool_conn *conn, const void *host) {
  return conn->host == host;
}

static bool is_older(const struct hostpool_conn *conn, const void *moment) {
  return conn->idle_since < *(const int64_t *)moment;
}

void hostpool_drop_host(struct hostpool *pool, struct hostpool_conn *conn, bool blame) {
  pthread_mutex_lock(&pool->mutex);
  conn->next = pick_idle(pool, is_of_host, conn->host);
  if (blame)
    conn->host->failed_until = clock_now() + pool->plan.retry_ns;
  pthread_mutex_unlock(&pool->mutex);
  finish_list(pool, conn, false);
}

/* ---- new connections ------------------------------------------------------------------------ */

/* A place in the order of hosts. */
struct place {
  struct hostpool_host *host;
  int64_t failed_until; /* 0: it is in order */
  unsigned chance;
};

static int compare_places(const void *left, const void *right) {
  const struct place *a = left, *b = right;
  if (a->failed_until != b->failed_until)
    return a->failed_until < b->failed_until ? -1 : 1;
  if (a->host->rank != b->host->rank)
    return a->host->rank < b->host->rank ? -1 : 1;
  return (a->chance > b->chance) - (a->chance < b->chance);
}

/* Only to spread the load: no secret hangs on it. */
static unsigned next_chance(void) {
  static atomic_uint state;
  unsigned x = atomic_fetch_add(&state, 0x9e3779b9U) ^ (unsigned)clock_now();
  x = (x ^ (x >> 16)) * 0x45d9f3bU;
  return x ^ (x >> 16);
}

/* With the lock held. */
static void order_hosts(struct hostpool *pool, struct place *places) {
  int64_t now = clock_now();
  for (size_t i = 0; i < pool->plan.nhosts; i++) {
    struct hostpool_host *host = &pool->hosts[i];
    places[i] = (struct place){host, host->failed_until > now ? host->failed_until : 0,
                               next_chance()};
  }
  qsort(places, pool->plan.nhosts, sizeof *places, compare_places);
}

static void set_health(struct hostpool *pool, struct hostpool_host *host, bool failed) {
  pthread_mutex_lock(&pool->mutex);
  host->failed_until = failed ? clock_now() + pool->plan.retry_ns : 0;
  pthread_mutex_unlock(&pool->mutex);
}

/* Tries the hosts in turn, each with its part of the time. What may pass by itself counts more
 * than what an operator must mend at one of them. */
static dictum_status connect_any(struct hostpool *pool, const struct place *places,
                                 int64_t deadline, struct hostpool_conn *conn, int *fd,
                                 dictum_error *err) {
  size_t n = pool->plan.nhosts;
  dictum_status worst = DICTUM_CONFIG;
  for (size_t i = 0; i < n; i++) {
    dictum_error why = DICTUM_ERROR_INIT;
    const size_t number = (size_t)(places[i].host - pool->hosts);
    dictum_status status = pool->plan.connect(
        pool->plan.rock, number, clock_slice(deadline, (unsigned)(n - i)), &conn->link, fd, &why);
    set_health(pool, places[i].host, status != DICTUM_OK);
    if (status == DICTUM_OK) {
      conn->host = places[i].host;
      return DICTUM_OK;
    }
    if (status != DICTUM_CONFIG || worst == DICTUM_CONFIG)
      pool->plan.services->fail(err, status, why.sys_errno, "%s", why.what);
    if (status != DICTUM_CONFIG)
      worst = status;
    if (status == DICTUM_NOMEM)
      break;
  }
  return worst;
}

/* The place in `sockets` is the caller's already. */
static dictum_status connect_new(struct hostpool *pool, struct place *places, unsigned slot,
                                 int64_t deadline, struct hostpool_conn **out, dictum_error *err) {
  struct hostpool_conn *conn = calloc(1, sizeof *conn);
  int fd = -1;
  dictum_status status = conn && places
                             ? connect_any(pool, places, deadline, conn, &fd, err)
                             : pool->plan.services->fail(err, DICTUM_NOMEM, 0, "out of memory");
  if (status == DICTUM_OK) {
    conn->slot = slot;
    atomic_store(&pool->sockets[slot], fd);
    *out = conn;
    return DICTUM_OK;
  }
  free(conn);
  pthread_mutex_lock(&pool->mutex);
  pool->taken[slot] = false;
  pool->live--;
  pthread_cond_signal(&pool->given);
  pthread_mutex_unlock(&pool->mutex);
  return status;
}

static unsigned take_slot(struct hostpool *pool) {
  unsigned slot = 0;
  while (pool->taken[slot])
    slot++;
  pool->taken[slot] = true;
  pool->live++;
  return slot;
}

/* ---- taking and giving ---------------------------------------------------------------------- */

/* The best rank of hosts; of these, the one used last, so that those that are not needed grow old.
 */
static struct hostpool_conn *take_idle(struct hostpool *pool) {
  struct hostpool_conn **best = NULL;
  for (struct hostpool_conn **link = &pool->idle; *link; link = &(*link)->next)
    if (!best || (*link)->host->rank < (*best)->host->rank)
      best = link;
  if (!best)
    return NULL;
  struct hostpool_conn *conn = *best;
  *best = conn->next;
  conn->next = NULL;
  conn->reused = true;
  return conn;
}

/* Those that were idle for too long are closed first, and make room. Leaves with the lock held. */
static void lock_and_expire(struct hostpool *pool) {
  const int64_t oldest = clock_now() - pool->plan.idle_ns;
  pthread_mutex_lock(&pool->mutex);
  struct hostpool_conn *old = pick_idle(pool, is_older, &oldest);
  if (!old)
    return;
  pthread_mutex_unlock(&pool->mutex);
  finish_list(pool, old, true);
  pthread_mutex_lock(&pool->mutex);
}

dictum_status hostpool_take(struct hostpool *pool, int64_t deadline, struct hostpool_conn **out,
                            dictum_error *err) {
  int timed_out = 0;
  lock_and_expire(pool);
  *out = take_idle(pool);
  while (!*out && pool->live >= pool->plan.connections && !timed_out) {
    timed_out = clock_cond_wait(&pool->given, &pool->mutex, deadline);
    *out = take_idle(pool);
  }
  bool may_connect = !*out && pool->live < pool->plan.connections;
  unsigned slot = may_connect ? take_slot(pool) : 0;
  struct place *places = may_connect ? calloc(pool->plan.nhosts, sizeof *places) : NULL;
  if (places)
    order_hosts(pool, places);
  pthread_mutex_unlock(&pool->mutex);
  if (*out)
    return DICTUM_OK;
  if (!may_connect)
    return pool->plan.services->fail(err, DICTUM_RETRY, ETIMEDOUT,
                                     "all %u connections to %s server %s are busy",
                                     pool->plan.connections, pool->plan.type, pool->hosts[0].label);
  dictum_status status = connect_new(pool, places, slot, deadline, out, err);
  free(places);
  return status;
}

void hostpool_give(struct hostpool *pool, struct hostpool_conn *conn) {
  conn->idle_since = clock_now();
  pthread_mutex_lock(&pool->mutex);
  conn->next = pool->idle;
  pool->idle = conn;
  pthread_cond_signal(&pool->given);
  pthread_mutex_unlock(&pool->mutex);
}
