/* SPDX-License-Identifier: BSD-2-Clause */
/* hostword.h - a word of the setting "hosts", as in pgsql_table(5) and mysql_table(5). */
#ifndef DICTUM_PLUGINS_HOSTWORD_H
#define DICTUM_PLUGINS_HOSTWORD_H

#include <dictum_plugin.h>
#include <stdbool.h>

/** Points into the word. */
struct hostword {
  bool is_local;    /**< a Unix socket: "unix:path" or "/path" */
  dictum_key name;  /**< the path; or a name or address, without brackets */
  const char *port; /**< what stands behind the colon, not checked; NULL: there is none */
};

/** Takes apart "name", "name:port", "[address]", "[address]:port", or an IPv6 address by itself,
 * with or without "inet:" before it, or a Unix socket.
 * @return false for brackets that do not fit, and for a host without a name */
bool hostword_read(const char *word, struct hostword *out);

#endif
