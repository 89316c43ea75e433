/* SPDX-License-Identifier: BSD-2-Clause */
/* link.c - a client of libmongoc's that one call at a time uses, and its sockets. */
#include "link.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "secret.h"
#include "wire.h"

enum { farewell_ms = 100, long_ago = 1 };

/* ---- the library ---------------------------------------------------------------------------- */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static _Thread_local unsigned hushed;

static void on_log(mongoc_log_level_t level, const char *domain, const char *message, void *rock) {
  if (hushed == 0)
    mongoc_log_default_handler(level, domain, message, rock);
}

/* The library counts what it does in shared memory. One that is left behind by a process that was
 * killed makes the next one of its number print a warning while it loads the library, when nothing
 * can be done about that. So its name is given up at once; only mongoc-stat wants it. */
static void start_library(void) {
  char name[40];
  mongoc_init();
  mongoc_log_set_handler(on_log, NULL);
  snprintf(name, sizeof name, "/mongoc-%d", (int)getpid());
  shm_unlink(name);
}

void mongo_library_start(void) {
  pthread_once(&library_once, start_library);
}

void mongo_library_hush(void) {
  hushed++;
}

void mongo_library_unhush(void) {
  hushed--;
}

/* ---- clients -------------------------------------------------------------------------------- */

void mongo_link_init(struct link *link, const dictum_host *host, const struct server *server) {
  *link = (struct link){.host = host, .server = server};
  for (size_t i = 0; i < link_sockets_most; i++)
    atomic_init(&link->sockets[i], -1);
}

static dictum_status set_password(const struct link *link, mongoc_uri_t *uri, dictum_error *err) {
  struct text password = {0};
  dictum_status status = secret_read(link->host, "password_file", link->server->password_file,
                                     &password, err);
  if (status == DICTUM_OK && !mongoc_uri_set_password(uri, password.data))
    status = link->host->fail(err, DICTUM_CONFIG, 0, "password_file: %s: it is not UTF-8",
                              link->server->password_file);
  secret_free(&password);
  return status;
}

/* The library asks all members of a set what they are, and waits for one that is silent. That is to
 * leave time for the question. */
static void limit_scan(const struct link *link, mongoc_uri_t *uri) {
  const int left = clock_left_ms(link->deadline);
  const int own = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, 10000);
  const mongoc_host_list_t *hosts = mongoc_uri_get_hosts(uri);
  const bool is_set = mongoc_uri_get_replica_set(uri) || !hosts || hosts->next;
  if (is_set && left >= 0 && left / 3 < own)
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, left / 3 + 1);
}

/* One attempt to reach a server is enough, and one to read: what is tried again is ours to say. */
static dictum_status make_client(struct link *link, mongoc_uri_t *uri, dictum_error *err) {
  const struct server *server = link->server;
  bson_error_t error = {0};
  dictum_status status = server->password_file ? set_password(link, uri, err) : DICTUM_OK;
  if (status != DICTUM_OK)
    return status;
  mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, true);
  mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, false);
  mongoc_uri_set_compressors(uri, "");
  limit_scan(link, uri);
  link->client = mongoc_client_new_from_uri_with_error(uri, &error);
  if (!link->client)
    return link->host->fail(err, mongoc_uri_get_srv_hostname(uri) ? DICTUM_RETRY : DICTUM_CONFIG, 0,
                            "connect to mongodb server %s: %s", server->label, error.message);
  mongoc_client_set_error_api(link->client, MONGOC_ERROR_API_VERSION_2);
  mongoc_client_set_stream_initiator(link->client, mongo_wire_open, link);
  return DICTUM_OK;
}

void mongo_link_absolve(struct link *link) {
  link->lost = link->refused = link->garbled = false;
  link->why[0] = '\0';
}

dictum_status mongo_link_begin(struct link *link, int64_t deadline, dictum_error *err) {
  link->deadline = deadline;
  mongo_link_absolve(link);
  if (link->client)
    return DICTUM_OK;
  link->proven = false;
  mongoc_uri_t *uri = mongoc_uri_copy(link->server->uri);
  dictum_status status = make_client(link, uri, err);
  mongoc_uri_destroy(uri);
  return status;
}

/* As in the child of a fork, the library then gives up cursors and sessions without a word. */
void mongo_link_silence(struct link *link) {
  link->deadline = long_ago;
  mongoc_client_reset(link->client);
}

bool mongo_link_is_silent(const struct link *link) {
  return link->deadline == long_ago;
}

void mongo_link_end(struct link *link) {
  if (!link->client)
    return;
  if (!mongo_link_is_silent(link))
    link->deadline = clock_now() + farewell_ms * INT64_C(1000000);
  mongoc_client_destroy(link->client);
  link->client = NULL;
}

void mongo_link_forget(struct link *link) {
  for (size_t i = 0; i < link_sockets_most; i++) {
    int fd = atomic_exchange(&link->sockets[i], -1);
    if (fd >= 0)
      close(fd);
  }
}
