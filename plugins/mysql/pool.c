/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c - the connections of one table. */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "connect.h"

struct pool {
  const dictum_host *services;
  struct server server;

  pthread_mutex_t mutex; /* guards what follows, but the sockets */
  pthread_cond_t given;
  struct pool_conn *idle; /* the one used last comes first */
  unsigned live;
  bool *taken; /* which places for sockets are */
  atomic_int *sockets;
};

/* ---- life ----------------------------------------------------------------------------------- */

static void free_memory(struct pool *pool) {
  maria_server_free(&pool->server);
  free(pool->taken);
  free(pool->sockets);
  free(pool);
}

static bool init_locks(struct pool *pool) {
  if (pthread_mutex_init(&pool->mutex, NULL) != 0)
    return false;
  if (clock_cond_init(&pool->given) == 0)
    return true;
  pthread_mutex_destroy(&pool->mutex);
  return false;
}

struct pool *maria_pool_new(const dictum_host *services, struct server *server) {
  struct pool *pool = calloc(1, sizeof *pool);
  if (!pool) {
    maria_server_free(server);
    return NULL;
  }
  pool->services = services;
  pool->server = *server;
  *server = (struct server){0};
  pool->taken = calloc(pool->server.connections, sizeof *pool->taken);
  pool->sockets = calloc(pool->server.connections, sizeof *pool->sockets);
  if (!pool->taken || !pool->sockets || !init_locks(pool)) {
    free_memory(pool);
    return NULL;
  }
  for (unsigned i = 0; i < pool->server.connections; i++)
    atomic_init(&pool->sockets[i], -1);
  return pool;
}

/* ---- closing connections -------------------------------------------------------------------- */

/* The socket is forgotten first: a child may close only what is open. */
static void finish(struct pool *pool, struct pool_conn *conn, bool sound) {
  atomic_store(&pool->sockets[conn->slot], -1);
  maria_connect_end(conn->my, sound);
}

/* Without the lock, as a good-bye takes its time. */
static void finish_list(struct pool *pool, struct pool_conn *list, bool sound) {
  unsigned n = 0;
  for (struct pool_conn *conn = list; conn; conn = conn->next, n++)
    finish(pool, conn, sound);
  if (n == 0)
    return;
  pthread_mutex_lock(&pool->mutex);
  for (struct pool_conn *conn = list; conn; conn = conn->next)
    pool->taken[conn->slot] = false;
  pool->live -= n;
  pthread_cond_broadcast(&pool->given);
  pthread_mutex_unlock(&pool->mutex);
  while (list) {
    struct pool_conn *next = list->next;
    free(list);
    list = next;
  }
}

void maria_pool_free(struct pool *pool) {
  if (!pool)
    return;
  struct pool_conn *idle = pool->idle;
  pool->idle = NULL;
  finish_list(pool, idle, true);
  pthread_cond_destroy(&pool->given);
  pthread_mutex_destroy(&pool->mutex);
  free_memory(pool);
}

void maria_pool_forget(struct pool *pool) {
  for (unsigned i = 0; pool && i < pool->server.connections; i++) {
    int fd = atomic_exchange(&pool->sockets[i], -1);
    if (fd >= 0)
      close(fd);
  }
}

void maria_pool_drop(struct pool *pool, struct pool_conn *conn) {
  conn->next = NULL;
  finish_list(pool, conn, false);
}

/* Moves what is idle and `matches` to a list of its own. With the lock held. */
static struct pool_conn *pick_idle(struct pool *pool,
                                   bool (*matches)(const struct pool_conn *, const void *),
                                   const void *rock) {
  struct pool_conn *picked = NULL;
  for (struct pool_conn **link = &pool->idle; *link;) {
    struct pool_conn *conn = *link;
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

static bool is_of_host(const struct pool_conn *conn, const void *host) {
  return conn->host == host;
}

static bool is_older(const struct pool_conn *conn, const void *moment) {
  return conn->idle_since < *(const int64_t *)moment;
}

void maria_pool_drop_host(struct pool *pool, struct pool_conn *conn, bool blame) {
  pthread_mutex_lock(&pool->mutex);
  conn->next = pick_idle(pool, is_of_host, conn->host);
  if (blame)
    conn->host->failed_until = clock_now() + pool->server.retry_ns;
  pthread_mutex_unlock(&pool->mutex);
  finish_list(pool, conn, false);
}

/* ---- new connections ------------------------------------------------------------------------ */

/* A place in the order of hosts. */
struct place {
  struct server_host *host;
  int64_t failed_until; /* 0: it is in order */
  unsigned chance;
};

static int compare_places(const void *left, const void *right) {
  const struct place *a = left, *b = right;
  if (a->failed_until != b->failed_until)
    return a->failed_until < b->failed_until ? -1 : 1;
  if (a->host->kind != b->host->kind)
    return a->host->kind < b->host->kind ? -1 : 1;
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
static void order_hosts(struct pool *pool, struct place *places) {
  int64_t now = clock_now();
  for (size_t i = 0; i < pool->server.nhosts; i++) {
    struct server_host *host = &pool->server.hosts[i];
    places[i] = (struct place){host, host->failed_until > now ? host->failed_until : 0,
                               next_chance()};
  }
  qsort(places, pool->server.nhosts, sizeof *places, compare_places);
}

static void set_health(struct pool *pool, struct server_host *host, bool failed) {
  pthread_mutex_lock(&pool->mutex);
  host->failed_until = failed ? clock_now() + pool->server.retry_ns : 0;
  pthread_mutex_unlock(&pool->mutex);
}

/* Tries the hosts in turn, each with its part of the time. What may pass by itself counts more
 * than what an operator must mend at one of them. */
static dictum_status connect_any(struct pool *pool, const struct place *places, int64_t deadline,
                                 struct pool_conn *conn, dictum_error *err) {
  size_t n = pool->server.nhosts;
  dictum_status worst = DICTUM_CONFIG;
  for (size_t i = 0; i < n; i++) {
    dictum_error why = DICTUM_ERROR_INIT;
    dictum_status status = maria_connect_to(pool->services, &pool->server, places[i].host,
                                            clock_slice(deadline, (unsigned)(n - i)), &conn->my,
                                            &why);
    set_health(pool, places[i].host, status != DICTUM_OK);
    if (status == DICTUM_OK) {
      conn->host = places[i].host;
      return DICTUM_OK;
    }
    if (status != DICTUM_CONFIG || worst == DICTUM_CONFIG)
      pool->services->fail(err, status, why.sys_errno, "%s", why.what);
    if (status != DICTUM_CONFIG)
      worst = status;
    if (status == DICTUM_NOMEM)
      break;
  }
  return worst;
}

/* The place in `sockets` is the caller's already. */
static dictum_status connect_new(struct pool *pool, struct place *places, unsigned slot,
                                 int64_t deadline, struct pool_conn **out, dictum_error *err) {
  struct pool_conn *conn = calloc(1, sizeof *conn);
  dictum_status status = conn && places
                             ? connect_any(pool, places, deadline, conn, err)
                             : pool->services->fail(err, DICTUM_NOMEM, 0, "out of memory");
  if (status == DICTUM_OK) {
    conn->slot = slot;
    conn->tls = mysql_get_ssl_cipher(conn->my) != NULL;
    atomic_store(&pool->sockets[slot], mysql_get_socket(conn->my));
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

static unsigned take_slot(struct pool *pool) {
  unsigned slot = 0;
  while (pool->taken[slot])
    slot++;
  pool->taken[slot] = true;
  pool->live++;
  return slot;
}

/* ---- taking and giving ---------------------------------------------------------------------- */

/* The best kind of host; of these, the one used last, so that those that are not needed grow old.
 */
static struct pool_conn *take_idle(struct pool *pool) {
  struct pool_conn **best = NULL;
  for (struct pool_conn **link = &pool->idle; *link; link = &(*link)->next)
    if (!best || (*link)->host->kind < (*best)->host->kind)
      best = link;
  if (!best)
    return NULL;
  struct pool_conn *conn = *best;
  *best = conn->next;
  conn->next = NULL;
  conn->reused = true;
  return conn;
}

/* Those that were idle for too long are closed first, and make room. Leaves with the lock held. */
static void lock_and_expire(struct pool *pool) {
  const int64_t oldest = clock_now() - pool->server.idle_ns;
  pthread_mutex_lock(&pool->mutex);
  struct pool_conn *old = pick_idle(pool, is_older, &oldest);
  if (!old)
    return;
  pthread_mutex_unlock(&pool->mutex);
  finish_list(pool, old, true);
  pthread_mutex_lock(&pool->mutex);
}

dictum_status maria_pool_take(struct pool *pool, int64_t deadline, struct pool_conn **out,
                              dictum_error *err) {
  int timed_out = 0;
  lock_and_expire(pool);
  *out = take_idle(pool);
  while (!*out && pool->live >= pool->server.connections && !timed_out) {
    timed_out = clock_cond_wait(&pool->given, &pool->mutex, deadline);
    *out = take_idle(pool);
  }
  bool may_connect = !*out && pool->live < pool->server.connections;
  unsigned slot = may_connect ? take_slot(pool) : 0;
  struct place *places = may_connect ? calloc(pool->server.nhosts, sizeof *places) : NULL;
  if (places)
    order_hosts(pool, places);
  pthread_mutex_unlock(&pool->mutex);
  if (*out)
    return DICTUM_OK;
  if (!may_connect)
    return pool->services->fail(err, DICTUM_RETRY, ETIMEDOUT,
                                "all %u connections to mysql server %s are busy",
                                pool->server.connections, pool->server.hosts[0].label);
  dictum_status status = connect_new(pool, places, slot, deadline, out, err);
  free(places);
  return status;
}

void maria_pool_give(struct pool *pool, struct pool_conn *conn) {
  conn->idle_since = clock_now();
  pthread_mutex_lock(&pool->mutex);
  conn->next = pool->idle;
  pool->idle = conn;
  pthread_cond_signal(&pool->given);
  pthread_mutex_unlock(&pool->mutex);
}
