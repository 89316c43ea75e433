/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - the servers of one table, the connections to each, and who may use one. */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "resolve.h"

/* The library's ring ends the process with more. */
enum { most_servers = 100 };

/* ---- settings ------------------------------------------------------------------------------- */

/* A number, or the name of a service. 0: neither. */
static in_port_t port_of(const char *text) {
  char *end;
  errno = 0;
  unsigned long port = strtoul(text, &end, 10);
  if (*text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && port <= UINT16_MAX)
    return (in_port_t)port;
  const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found;
  if ((*text >= '0' && *text <= '9') || getaddrinfo(NULL, text, &hints, &found) != 0)
    return 0;
  struct sockaddr_in address;
  memcpy(&address, found->ai_addr, sizeof address);
  freeaddrinfo(found);
  return ntohs(address.sin_port);
}

static bool is_address(const char *host) {
  unsigned char bytes[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* "host:port" or "[address]:port". */
static dictum_status read_endpoint(const struct settings *settings, struct server *server) {
  const char *text = server->label, *colon = strrchr(text, ':');
  const char *close = *text == '[' ? strchr(text, ']') : NULL;
  if (!colon || colon[1] == '\0')
    return settings_refuse(settings, "%s: missing service information: host:port is needed", text);
  size_t len = close ? (size_t)(close - text) - 1 : (size_t)(colon - text);
  bool is_bad = len == 0 || len >= MEMCACHED_NI_MAXHOST || *text == '/' ||
                (*text == '[' && (!close || close + 1 != colon));
  if (is_bad)
    return settings_refuse(settings, "%s: bad host", text);
  server->port = port_of(colon + 1);
  if (server->port == 0)
    return settings_refuse(settings, "%s: bad port", text);
  server->host = strndup(close ? text + 1 : text, len);
  if (!server->host)
    return settings_nomem(settings);
  server->resolves = !is_address(server->host);
  return DICTUM_OK;
}

static dictum_status read_path(const struct settings *settings, struct server *server) {
  enum { longest = 107 }; /* of the 108 bytes of sun_path, see unix(7), one is for the NUL */
  if (server->label[0] != '/' || strlen(server->label) > longest)
    return settings_refuse(settings, "%s: a socket needs a path from \"/\" on of at most %d bytes",
                           server->label, longest);
  server->host = strdup(server->label);
  return server->host ? DICTUM_OK : settings_nomem(settings);
}

/* Waits are measured on the clock of deadlines. */
static bool init_lock(struct server *server) {
  pthread_condattr_t attr;
  if (pthread_condattr_init(&attr) != 0)
    return false;
  bool done = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&server->freed, &attr) == 0;
  pthread_condattr_destroy(&attr);
  if (done && pthread_mutex_init(&server->lock, NULL) == 0)
    return server->has_lock = true;
  if (done)
    pthread_cond_destroy(&server->freed);
  return false;
}

/* Once the list is complete: a lock must stay where it is. */
static bool init_locks(struct servers *servers) {
  for (size_t i = 0; i < servers->n; i++)
    if (!init_lock(&servers->list[i]))
      return false;
  return true;
}

static dictum_status read_server(const struct settings *settings, void *rock, const char *word) {
  struct servers *servers = rock;
  const char *colon = strchr(word, ':');
  if (!colon || (strncmp(word, "inet:", 5) != 0 && strncmp(word, "unix:", 5) != 0))
    return settings_refuse(settings,
                           "bad memcache setting \"%s\": need inet:host:port or unix:path", word);
  if (servers->n == most_servers)
    return settings_refuse(settings, "more than %d servers", most_servers);
  struct server *list = realloc(servers->list, (servers->n + 1) * sizeof *list);
  if (!list)
    return settings_nomem(settings);
  servers->list = list;
  struct server *server = &list[servers->n];
  *server = (struct server){.label = strdup(colon + 1)};
  if (!server->label)
    return settings_nomem(settings);
  servers->n++;
  return word[0] == 'u' ? read_path(settings, server) : read_endpoint(settings, server);
}

static memcached_return_t add_server(memcached_st *memc, const struct server *server) {
  return server->port ? memcached_server_add(memc, server->host, server->port)
                      : memcached_server_add_unix_socket(memc, server->host);
}

static bool make_ring(struct servers *servers) {
  servers->ring = memcached_create(NULL);
  bool done = servers->ring &&
              memcached_behavior_set(servers->ring, MEMCACHED_BEHAVIOR_DISTRIBUTION,
                                     MEMCACHED_DISTRIBUTION_CONSISTENT_KETAMA) == MEMCACHED_SUCCESS;
  for (size_t i = 0; i < servers->n && done; i++)
    done = add_server(servers->ring, &servers->list[i]) == MEMCACHED_SUCCESS;
  return done;
}

dictum_status memcache_servers_open(struct servers *out, const struct settings *settings) {
  *out = (struct servers){0};
  dictum_status status = settings_words(settings, settings_text(settings, "memcache"), read_server,
                                        out);
  if (status == DICTUM_OK && out->n == 0)
    status = settings_refuse(settings, "the setting memcache names no server");
  if (status == DICTUM_OK && (!init_locks(out) || (out->n > 1 && !make_ring(out))))
    status = settings_nomem(settings);
  return status;
}

size_t memcache_servers_place(const struct servers *servers, const char *key, size_t len) {
  return servers->ring ? memcached_generate_hash(servers->ring, key, len) : 0;
}

/* ---- connections ---------------------------------------------------------------------------- */

/* The library takes 0 for "do not wait at all" and less for "for ever". */
static int64_t left_ms(int64_t until_ns) {
  if (until_ns == 0)
    return -1;
  int64_t left = (until_ns - clock_now() + 999999) / 1000000;
  if (left > INT_MAX)
    return INT_MAX;
  return left > 0 ? left : 0;
}

void memcache_link_limit(struct link *link, int64_t until_ns) {
  memcached_behavior_set(link->memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, (uint64_t)left_ms(until_ns));
}

/* What the system keeps of what a server has yet to read; see lookup.c. */
enum { send_buffer_bytes = 262144 };

/* @param address  NULL: that of @p server, which needs no name server */
static memcached_st *make_connection(const struct server *server, const char *address,
                                     int64_t until_ns) {
  memcached_st *memc = memcached_create(NULL);
  if (!memc)
    return NULL;
  memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
  memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_SOCKET_SEND_SIZE, send_buffer_bytes);
  memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, (uint64_t)left_ms(until_ns));
  /* One that could not connect does not try again, half-way through a batch: it is thrown away. */
  memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_RETRY_TIMEOUT, INT32_MAX / 2);
  memcached_return_t code = address ? memcached_server_add(memc, address, server->port)
                                    : add_server(memc, server);
  if (code == MEMCACHED_SUCCESS)
    return memc;
  memcached_free(memc);
  return NULL;
}

/* The library says goodbye to the server, and must not wait for it to listen. */
static void end_connection(memcached_st *memc) {
  memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, 0);
  memcached_free(memc);
}

/* Which address of several there is a server at shows when it is asked something. */
static memcached_return_t connect_any(struct link *link, const struct addresses *addresses,
                                      int64_t until_ns) {
  memcached_return_t code = MEMCACHED_HOST_LOOKUP_FAILURE;
  for (unsigned i = 0; i < addresses->n; i++) {
    const int64_t until = clock_slice(until_ns, addresses->n - i);
    link->memc = make_connection(link->server, addresses->text[i], until);
    if (!link->memc)
      return MEMCACHED_MEMORY_ALLOCATION_FAILURE;
    if (addresses->n == 1)
      return MEMCACHED_SUCCESS;
    memcache_link_limit(link, until);
    code = memcached_version(link->memc);
    if (code == MEMCACHED_SUCCESS)
      return code;
    end_connection(link->memc);
    link->memc = NULL;
  }
  return code;
}

static memcached_return_t connect_link(struct link *link, int64_t until_ns) {
  struct addresses addresses;
  int error;
  if (link->server->resolves) {
    if (!resolve(link->server->host, until_ns, &addresses, &error))
      return connect_any(link, &addresses, until_ns);
    return error == ETIMEDOUT ? MEMCACHED_TIMEOUT : MEMCACHED_HOST_LOOKUP_FAILURE;
  }
  link->memc = make_connection(link->server, NULL, until_ns);
  return link->memc ? MEMCACHED_SUCCESS : MEMCACHED_MEMORY_ALLOCATION_FAILURE;
}

static bool wait_for_one(struct server *server, int64_t until_ns) {
  const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                 .tv_nsec = (long)(until_ns % 1000000000)};
  while (server->nidle == 0 && server->nopen == server_connections_max) {
    int error = until_ns ? pthread_cond_timedwait(&server->freed, &server->lock, &until)
                         : pthread_cond_wait(&server->freed, &server->lock);
    if (error == ETIMEDOUT)
      return false;
  }
  return true;
}

memcached_return_t memcache_link_take(struct server *server, int64_t until_ns, struct link *out) {
  *out = (struct link){.server = server};
  pthread_mutex_lock(&server->lock);
  if (!wait_for_one(server, until_ns)) {
    pthread_mutex_unlock(&server->lock);
    return MEMCACHED_TIMEOUT;
  }
  out->fresh = server->nidle == 0;
  if (out->fresh)
    server->nopen++;
  else
    out->memc = server->idle[--server->nidle];
  pthread_mutex_unlock(&server->lock);
  memcached_return_t code = out->fresh ? connect_link(out, until_ns) : MEMCACHED_SUCCESS;
  if (code != MEMCACHED_SUCCESS)
    memcache_link_give(out, false);
  return code;
}

void memcache_link_give(struct link *link, bool sound) {
  struct server *server = link->server;
  memcached_st *ended[server_connections_max + 1];
  size_t n = 0;
  pthread_mutex_lock(&server->lock);
  if (sound) {
    server->idle[server->nidle++] = link->memc;
  } else {
    ended[n++] = link->memc;
    while (server->nidle > 0)
      ended[n++] = server->idle[--server->nidle];
    server->nopen -= n;
  }
  if (n > 1)
    pthread_cond_broadcast(&server->freed);
  else
    pthread_cond_signal(&server->freed);
  pthread_mutex_unlock(&server->lock);
  link->memc = NULL;
  for (size_t i = 0; i < n; i++)
    if (ended[i])
      end_connection(ended[i]);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void free_server(struct server *server) {
  free(server->label);
  free(server->host);
}

void memcache_servers_close(struct servers *servers) {
  for (size_t i = 0; i < servers->n; i++) {
    struct server *server = &servers->list[i];
    while (server->nidle > 0)
      end_connection(server->idle[--server->nidle]);
    if (server->has_lock) {
      pthread_cond_destroy(&server->freed);
      pthread_mutex_destroy(&server->lock);
    }
    free_server(server);
  }
  if (servers->ring)
    memcached_free(servers->ring);
  free(servers->list);
}

void memcache_servers_forget(struct servers *servers) {
  for (size_t i = 0; i < servers->n; i++)
    free_server(&servers->list[i]);
  if (servers->ring)
    memcached_free(servers->ring);
  free(servers->list);
}
