/* SPDX-License-Identifier: BSD-2-Clause */
/* ldap_table.h - an open table, its connections, and what they are asked. */
#ifndef DICTUM_PLUGINS_LDAP_TABLE_H
#define DICTUM_PLUGINS_LDAP_TABLE_H

#include <ldap.h>

#include "domains.h"
#include "turns.h"
#include "values.h"

enum { connections = 4 };

/** How to make ourselves known. */
enum bind_how { BIND_NOT, BIND_SIMPLE, BIND_SASL };

/** One connection; one thread at a time. */
struct connection {
  LDAP *ld;            /**< NULL: not open */
  int fd;              /**< its socket; -1: not known */
  int64_t deadline_ns; /**< of the call that uses it */
  struct ldap_conncb callback;
};

/** Unchanging once it is open, but for the connections. Strings from opt_str() are core's. */
struct table {
  const dictum_host *host;
  const dictum_cfg *cfg;
  dictum_slot *slot;
  char *label; /**< "ldap:/etc/mail/users.cf" */
  char *uris;  /**< with a space between them */
  unsigned nuris;
  int version, scope, dereference, size_limit;
  bool chase_referrals, start_tls;
  enum bind_how bind;
  int64_t timeout_ns;
  struct template base, filter, result;
  bool base_has_key;
  struct domains *domains; /**< or NULL */
  int64_t recursion_limit, expansion_limit;
  char **attributes; /**< all that are asked for, NULL at the end; in the order of their kinds: */
  size_t nresult, nspecial, nterminal, nleaf;
  struct turns turns; /**< of the connections */
  struct connection connections[connections];
};

/** One search; also of what a DN or URL in an entry refers to. */
struct search {
  const char *base, *filter;
  int scope;
  char **attributes;
};

/* ---- directory.c: servers ---- */

/** Runs a search. Connects if need be, and once more when the server has gone away meanwhile.
 * @param out  receives LDAP's result code when the status is OK, and the entries
 * @return OK, also with LDAP_NO_SUCH_OBJECT and LDAP_INVALID_DN_SYNTAX, which are for the caller to
 *   judge; else as told in directory.c. */
dictum_status directory_search(struct table *table, struct connection *connection,
                               const struct search *search, int64_t deadline_ns, int *code,
                               LDAPMessage **out, dictum_error *err);
/** Ends the connection, if there is one. */
void directory_close(struct connection *connection);
/** What a result code of LDAP's means; LDAP_SUCCESS: OK. */
dictum_status directory_status(int code);

/* ---- expand.c: entries ---- */

/** The answer to one key while it is put together. */
struct expansion {
  struct table *table;
  struct connection *connection;
  int64_t deadline_ns, depth;
  struct values values;
  struct text answer; /**< of these */
  dictum_error *err;
};

/** Adds the values of all entries in @p entries, and of those that they refer to.
 * @param attributes  those that count
 * @return OK; RETRY for too many values or levels; what a search answers; NOMEM. */
dictum_status expand_entries(struct expansion *expansion, LDAPMessage *entries, char **attributes);

#endif
