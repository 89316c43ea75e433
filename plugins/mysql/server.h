/* SPDX-License-Identifier: BSD-2-Clause */
/* server.h - which servers a table asks, and how: its settings. */
#ifndef DICTUM_MYSQL_SERVER_H
#define DICTUM_MYSQL_SERVER_H

#include "settings.h"

/** In the order in which they are tried. */
enum host_kind { HOST_UNIX, HOST_INET };

/** One word of the setting "hosts". */
struct server_host {
  enum host_kind kind;
  char *label;   /**< the word, for messages */
  char *name;    /**< host name, or the socket's path */
  unsigned port; /**< 0: the default */
};

struct server {
  char *user, *password, *dbname, *charset;
  char *password_file; /**< path, or NULL */
  char *option_file, *option_group;
  char *tls_cert_file, *tls_key_file, *tls_ca_file, *tls_ca_path, *tls_ciphers;
  bool verifies, may_not_verify; /**< tls_verify_cert: yes; no. Neither: the library's default */
  struct server_host *hosts;
  size_t nhosts;
  unsigned connections;
  int64_t idle_ns, retry_ns;
};

/** Reads the settings of a table, and tells about secrets that others may read.
 * @return OK; CONFIG for a mistake in them; NOMEM. */
dictum_status maria_server_init(const struct settings *settings, struct server *out);
/** {0} is fine. */
void maria_server_free(struct server *server);
/** Is TLS asked for, by any of its settings but a plain "no"? */
bool maria_server_wants_tls(const struct server *server);

#endif
