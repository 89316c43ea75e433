/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - which servers a table asks, and how: its settings, as libpq wants them.
 *
 * Two tables with the same settings here share their connections (pool.h).
 */
#ifndef DICTUM_PGSQL_SERVER_H
#define DICTUM_PGSQL_SERVER_H

#include <libpq-fe.h>

#include "settings.h"

/** In the order in which they are tried. */
enum host_kind { HOST_UNIX, HOST_INET, HOST_URI };

/** One word of the setting "hosts". */
struct server_host {
  enum host_kind kind;
  char *label;           /**< for messages; without user and password */
  char *name;            /**< host name, folder of the socket, or NULL: libpq's default */
  char *port;            /**< or NULL: libpq's default */
  PQconninfoOption *uri; /**< HOST_URI: what it says */
};

struct server {
  char *user, *password, *dbname, *encoding;
  char *password_file; /**< path, or NULL */
  char *passfile;      /**< path, or NULL */
  char *tls_mode, *tls_ca_file, *tls_cert_file, *tls_key_file, *tls_server_name;
  char *session; /**< target_session_attrs */
  struct server_host *hosts;
  size_t nhosts;
  unsigned connections;
  int64_t idle_ns, retry_ns;
  struct text identity; /**< all of this as bytes: equal for servers that are the same */
};

/** Reads the settings of a table, and tells about secrets that others may read.
 * @return OK; CONFIG for a mistake in them; NOMEM. */
dictum_status server_init(const struct settings *settings, struct server *out);
/** {0} is fine. */
void server_free(struct server *server);

/** Settings of one connection, for PQconnectStartParams(). Pointers belong to the server, the host
 * and who adds them. */
struct server_words {
  const char *keys[64], *values[64];
  size_t n;
};
/** Adds a setting; "" and NULL are left out, and so is what is there already. */
void server_word(struct server_words *words, const char *key, const char *value);
/** Adds all that is known of a connection to @p host but addresses and password. */
void server_words_of(const struct server *server, const struct server_host *host,
                     struct server_words *words);
/** Finds a setting; NULL: not there. */
const char *server_find_word(const struct server_words *words, const char *key);

#endif
