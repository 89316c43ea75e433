/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.c - connections, shared by all tables of the process that ask the same servers. */
#include "pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "connect.h"

struct pool {
  const dictum_host *services;
  struct server server;
  struct hostpool *connections;
  struct registry *registry;
  struct pool *next;
  unsigned owners; /* the registry's lock guards it */
};

/* ---- the pools of this process -------------------------------------------------------------- */

/* A child makes its own: the parent's lock may have been held at the moment of the fork. */
struct registry {
  unsigned generation;
  pthread_mutex_t mutex;
  struct pool *pools;
  struct registry *before; /* the parent's, which stays as it is */
};

static atomic_uint generation;
static _Atomic(struct registry *) current;
static pthread_once_t watch_once = PTHREAD_ONCE_INIT;
static bool watched;

static void count_fork(void) {
  atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static void watch_forks(void) {
  watched = pthread_atfork(NULL, NULL, count_fork) == 0;
}

/* NULL: out of memory. */
static struct registry *find_registry(void) {
  if (pthread_once(&watch_once, watch_forks) != 0 || !watched)
    return NULL;
  unsigned now = atomic_load(&generation);
  struct registry *found = atomic_load(&current);
  if (found && found->generation == now)
    return found;
  struct registry *fresh = calloc(1, sizeof *fresh);
  if (!fresh || pthread_mutex_init(&fresh->mutex, NULL) != 0) {
    free(fresh);
    return NULL;
  }
  fresh->generation = now;
  fresh->before = found;
  if (atomic_compare_exchange_strong(&current, &found, fresh))
    return fresh;
  pthread_mutex_destroy(&fresh->mutex);
  free(fresh);
  return found;
}

/* ---- what libpq does for it ----------------------------------------------------------------- */

static void describe_host(void *rock, size_t i, struct hostpool_host *host) {
  const struct pool *pool = rock;
  host->rank = pool->server.hosts[i].kind;
  host->label = pool->server.hosts[i].label;
}

static dictum_status connect_host(void *rock, size_t i, int64_t deadline, void **link, int *fd,
                                  dictum_error *err) {
  const struct pool *pool = rock;
  PGconn *pg = NULL;
  dictum_status status = connect_to(pool->services, &pool->server, &pool->server.hosts[i], deadline,
                                    &pg, err);
  if (status != DICTUM_OK)
    return status;
  *link = pg;
  *fd = PQsocket(pg);
  return DICTUM_OK;
}

/* libpq finds out by itself whether a good-bye can be said. */
static void end_connection(void *link, bool sound) {
  (void)sound;
  PQfinish(link);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void free_pool(struct pool *pool) {
  hostpool_free(pool->connections);
  server_free(&pool->server);
  free(pool);
}

static struct pool *new_pool(const dictum_host *services, struct server *server) {
  struct pool *pool = calloc(1, sizeof *pool);
  if (!pool)
    return NULL;
  const struct hostpool_plan plan = {.services = services,
                                     .type = "pgsql",
                                     .nhosts = server->nhosts,
                                     .connections = server->connections,
                                     .idle_ns = server->idle_ns,
                                     .retry_ns = server->retry_ns,
                                     .rock = pool,
                                     .describe = describe_host,
                                     .connect = connect_host,
                                     .end = end_connection};
  pool->services = services;
  pool->server = *server;
  pool->owners = 1;
  *server = (struct server){0};
  pool->connections = hostpool_new(&plan);
  if (pool->connections)
    return pool;
  free_pool(pool);
  return NULL;
}

static bool is_same(const struct text *a, const struct text *b) {
  return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static struct pool *find_or_make(struct registry *registry, const dictum_host *services,
                                 struct server *server) {
  for (struct pool *pool = registry->pools; pool; pool = pool->next)
    if (is_same(&pool->server.identity, &server->identity)) {
      pool->owners++;
      return pool;
    }
  struct pool *pool = new_pool(services, server);
  if (!pool)
    return NULL;
  pool->registry = registry;
  pool->next = registry->pools;
  registry->pools = pool;
  return pool;
}

dictum_status pool_open(const dictum_host *services, struct server *server, struct pool **out,
                        dictum_error *err) {
  struct registry *registry = find_registry();
  *out = NULL;
  if (registry) {
    pthread_mutex_lock(&registry->mutex);
    *out = find_or_make(registry, services, server);
    pthread_mutex_unlock(&registry->mutex);
  }
  server_free(server);
  return *out ? DICTUM_OK : services->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

void pool_close(struct pool *pool) {
  if (!pool)
    return;
  struct registry *registry = pool->registry;
  pthread_mutex_lock(&registry->mutex);
  bool last = --pool->owners == 0;
  struct pool **link = &registry->pools;
  while (last && *link != pool)
    link = &(*link)->next;
  if (last)
    *link = pool->next;
  pthread_mutex_unlock(&registry->mutex);
  if (last)
    free_pool(pool);
}

void pool_forget(struct pool *pool) {
  if (pool)
    hostpool_forget(pool->connections);
}

struct hostpool *pool_connections(const struct pool *pool) {
  return pool->connections;
}
