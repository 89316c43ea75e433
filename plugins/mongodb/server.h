/* SPDX-License-Identifier: BSD-2-Clause */
/* server.h - which servers a table asks: the settings "uri" and "password_file". */
#ifndef DICTUM_MONGODB_SERVER_H
#define DICTUM_MONGODB_SERVER_H

#include <mongoc/mongoc.h>

#include "settings.h"

struct server {
  mongoc_uri_t *uri;
  char *label;         /**< hosts, for messages */
  char *password_file; /**< path, or NULL */
  const char *dbname, *collection;
  mongoc_ssl_opt_t tls;
};

/** Reads the settings of a table, and tells about secrets that others may read.
 * @return OK; CONFIG for a mistake in them, in words that hold no secret; NOMEM. */
dictum_status mongo_server_init(const struct settings *settings, struct server *out);
/** {0} is fine. */
void mongo_server_free(struct server *server);

#endif
