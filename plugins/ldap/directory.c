/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory.c - connections to LDAP servers, and searches that end in time.
 *
 * libldap connects, binds and encrypts with its own limit on the network, which
 * is set to what is left of the call's time, divided among the servers that it
 * may try; everything else is waited for in ldap_result(), with the rest. It
 * looks up host names without a limit, so only those are left to it that were
 * found just before.
 *
 * STATUS by LDAP's result codes: see directory_status(), and ldap_table(5).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "ldap_table.h"
#include "resolve.h"

/* ---- errors --------------------------------------------------------------------------------- */

dictum_status directory_status(int code) {
  switch (code) {
  case LDAP_SUCCESS:
    return DICTUM_OK;
  case LDAP_NO_MEMORY:
    return DICTUM_NOMEM;
  case LDAP_PROTOCOL_ERROR:
  case LDAP_AUTH_METHOD_NOT_SUPPORTED:
  case LDAP_STRONG_AUTH_REQUIRED:
  case LDAP_CONFIDENTIALITY_REQUIRED:
  case LDAP_UNAVAILABLE_CRITICAL_EXTENSION:
  case LDAP_UNDEFINED_TYPE:
  case LDAP_INAPPROPRIATE_MATCHING:
  case LDAP_INVALID_SYNTAX:
  case LDAP_NO_SUCH_OBJECT:
  case LDAP_INVALID_DN_SYNTAX:
  case LDAP_INAPPROPRIATE_AUTH:
  case LDAP_INVALID_CREDENTIALS:
  case LDAP_INSUFFICIENT_ACCESS:
  case LDAP_FILTER_ERROR:
  case LDAP_PARAM_ERROR:
  case LDAP_AUTH_UNKNOWN:
  case LDAP_NOT_SUPPORTED:
    return DICTUM_CONFIG;
  default:
    return DICTUM_RETRY;
  }
}

static dictum_status fail(const struct table *table, LDAP *ld, const char *what, int code,
                          dictum_error *err) {
  char *detail = NULL;
  if (ld)
    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &detail);
  bool more = detail && *detail;
  dictum_status status = table->host->fail(err, directory_status(code), 0, "%s: %s: %s%s%s%s",
                                           table->label, what, ldap_err2string(code),
                                           more ? " (" : "", more ? detail : "", more ? ")" : "");
  ldap_memfree(detail);
  return status;
}

static dictum_status timed_out(const struct table *table, const char *what, dictum_error *err) {
  return table->host->fail(err, DICTUM_RETRY, ETIMEDOUT, "%s: %s: timed out", table->label, what);
}

/* ---- time ----------------------------------------------------------------------------------- */

static struct timeval left_of(int64_t deadline_ns, unsigned share) {
  int64_t us = (deadline_ns - clock_now()) / 1000 / share;
  if (us < 1)
    us = 1;
  return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static void limit_network(const struct table *table, LDAP *ld, int64_t deadline_ns) {
  const struct timeval each = left_of(deadline_ns, table->nuris), all = left_of(deadline_ns, 1);
  ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &each);
  ldap_set_option(ld, LDAP_OPT_TIMEOUT, &all);
}

/* libldap's own limit does not hold while TLS is being agreed upon: it tries to read again and
 * again. So below TLS there is a layer that fails once it is late, and the socket wakes it. */
static bool is_late(const Sockbuf_IO_Desc *layer) {
  const struct connection *connection = layer->sbiod_pvt;
  if (clock_now() < connection->deadline_ns)
    return false;
  errno = ETIMEDOUT;
  return true;
}

static int guard_setup(Sockbuf_IO_Desc *layer, void *connection) {
  layer->sbiod_pvt = connection;
  return 0;
}

static int guard_end(Sockbuf_IO_Desc *layer) {
  (void)layer;
  return 0;
}

static int guard_ctrl(Sockbuf_IO_Desc *layer, int option, void *arg) {
  return LBER_SBIOD_CTRL_NEXT(layer, option, arg);
}

static ber_slen_t guard_read(Sockbuf_IO_Desc *layer, void *bytes, ber_len_t n) {
  return is_late(layer) ? -1 : LBER_SBIOD_READ_NEXT(layer, bytes, n);
}

/* libldap's own last layer would let the host be killed by SIGPIPE when the server is gone. */
static ber_slen_t guard_write(Sockbuf_IO_Desc *layer, void *bytes, ber_len_t n) {
  int fd;
  if (is_late(layer))
    return -1;
  if (ber_sockbuf_ctrl(layer->sbiod_sb, LBER_SB_OPT_GET_FD, &fd) != 1)
    return LBER_SBIOD_WRITE_NEXT(layer, bytes, n);
  return send(fd, bytes, n, MSG_NOSIGNAL);
}

static Sockbuf_IO guard = {guard_setup, guard_end, guard_ctrl, guard_read, guard_write, guard_end};

static void limit_socket(struct connection *connection) {
  const struct timeval left = left_of(connection->deadline_ns, 1);
  setsockopt(connection->fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof left);
  setsockopt(connection->fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
}

/* Called by libldap for each new connection, before anything is sent. */
static int on_connect(LDAP *ld, Sockbuf *sb, LDAPURLDesc *url, struct sockaddr *addr,
                      struct ldap_conncb *self) {
  struct connection *connection = self->lc_arg;
  (void)ld;
  (void)url;
  (void)addr;
  const int below_tls = (LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2;
  if (ber_sockbuf_ctrl(sb, LBER_SB_OPT_GET_FD, &connection->fd) == 1)
    limit_socket(connection);
  return ber_sockbuf_add_io(sb, &guard, below_tls, connection);
}

static void on_disconnect(LDAP *ld, Sockbuf *sb, struct ldap_conncb *self) {
  (void)ld;
  (void)sb;
  ((struct connection *)self->lc_arg)->fd = -1;
}

/* ---- connecting ----------------------------------------------------------------------------- */

void directory_close(struct connection *connection) {
  if (!connection->ld)
    return;
  ldap_unbind_ext(connection->ld, NULL, NULL);
  connection->ld = NULL;
  connection->fd = -1;
}

static int set_tls(const struct table *table, LDAP *ld) {
  static const struct {
    const char *setting;
    int option;
  } texts[] = {{"tls_ca_cert_file", LDAP_OPT_X_TLS_CACERTFILE},
               {"tls_ca_cert_dir", LDAP_OPT_X_TLS_CACERTDIR},
               {"tls_cert", LDAP_OPT_X_TLS_CERTFILE},
               {"tls_key", LDAP_OPT_X_TLS_KEYFILE},
               {"tls_cipher_suite", LDAP_OPT_X_TLS_CIPHER_SUITE}};
  int require = table->host->opt_int(table->cfg, "tls_require_cert") ? LDAP_OPT_X_TLS_DEMAND
                                                                     : LDAP_OPT_X_TLS_NEVER;
  int code = ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &require);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0] && code == LDAP_SUCCESS; i++) {
    const char *text = table->host->opt_str(table->cfg, texts[i].setting);
    if (*text)
      code = ldap_set_option(ld, texts[i].option, text);
  }
  const int as_client = 0;
  return code == LDAP_SUCCESS ? ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &as_client) : code;
}

static bool uses_tls(const struct table *table) {
  return table->start_tls || strstr(table->uris, "ldaps://");
}

static int set_options(const struct table *table, LDAP *ld) {
  int code = ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &table->version);
  if (code == LDAP_SUCCESS)
    code = ldap_set_option(ld, LDAP_OPT_DEREF, &table->dereference);
  if (code == LDAP_SUCCESS)
    code = ldap_set_option(ld, LDAP_OPT_REFERRALS,
                           table->chase_referrals ? LDAP_OPT_ON : LDAP_OPT_OFF);
  return code == LDAP_SUCCESS && uses_tls(table) ? set_tls(table, ld) : code;
}

/* What SASL's mechanism PLAIN sends: whom to act as, who we are and the password, NUL between. */
static bool plain_secret(const struct table *table, struct text *out) {
  const dictum_host *host = table->host;
  const char *as = host->opt_str(table->cfg, "sasl_authz_id");
  const char *dn = host->opt_str(table->cfg, "bind_dn");
  const char *password = host->opt_str(table->cfg, "bind_pw");
  return text_append(out, as, strlen(as) + 1) && text_append(out, dn, strlen(dn) + 1) &&
         text_append(out, password, strlen(password));
}

static int send_bind(const struct table *table, LDAP *ld, int *id) {
  const dictum_host *host = table->host;
  const char *password = host->opt_str(table->cfg, "bind_pw");
  struct berval secret = {strlen(password), (char *)(uintptr_t)password};
  if (table->bind == BIND_SIMPLE)
    return ldap_sasl_bind(ld, host->opt_str(table->cfg, "bind_dn"), LDAP_SASL_SIMPLE, &secret, NULL,
                          NULL, id);
  const char *mechanism = host->opt_str(table->cfg, "sasl_mechs");
  if (strcasecmp(mechanism, "EXTERNAL") == 0) {
    const char *as = host->opt_str(table->cfg, "sasl_authz_id");
    secret = (struct berval){strlen(as), (char *)(uintptr_t)as};
    return ldap_sasl_bind(ld, NULL, "EXTERNAL", &secret, NULL, NULL, id);
  }
  struct text plain = {0};
  int code = LDAP_NO_MEMORY;
  if (plain_secret(table, &plain)) {
    secret = (struct berval){plain.len, plain.data};
    code = ldap_sasl_bind(ld, NULL, "PLAIN", &secret, NULL, NULL, id);
    memset(plain.data, 0, plain.len);
  }
  text_free(&plain);
  return code;
}

/* @return the server's result code, or libldap's */
static int wait_for(LDAP *ld, int id, int64_t deadline_ns, LDAPMessage **out) {
  struct timeval left = left_of(deadline_ns, 1);
  int code = LDAP_OTHER;
  *out = NULL;
  int type = ldap_result(ld, id, LDAP_MSG_ALL, &left, out);
  if (type == 0)
    return LDAP_TIMEOUT;
  if (type < 0) {
    ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
    return code == LDAP_SUCCESS ? LDAP_SERVER_DOWN : code;
  }
  int parsed = ldap_parse_result(ld, *out, &code, NULL, NULL, NULL, NULL, 0);
  return parsed == LDAP_SUCCESS ? code : parsed;
}

static int bind_to(const struct table *table, LDAP *ld, int64_t deadline_ns) {
  int id;
  LDAPMessage *answer = NULL;
  if (table->bind == BIND_NOT)
    return LDAP_SUCCESS;
  int code = send_bind(table, ld, &id);
  if (code == LDAP_SUCCESS)
    code = wait_for(ld, id, deadline_ns, &answer);
  ldap_msgfree(answer);
  return code;
}

/* Why the host of @p uri has no address now; NULL: it has one, or needs none. */
static const char *look_up(const char *uri, int64_t deadline_ns, int *sys_errno) {
  LDAPURLDesc *url;
  struct addresses addresses;
  const char *why = NULL;
  if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS)
    return NULL; /* libldap has words for it */
  if (url->lud_host && *url->lud_host && strcmp(url->lud_scheme, "ldapi") != 0)
    why = resolve(url->lud_host, deadline_ns, &addresses, sys_errno);
  ldap_free_urldesc(url);
  return why;
}

/* libldap wants names, for certificates, and nothing can tell it when to stop looking one up. So it
 * is given those that were found just now. */
static dictum_status find_servers(const struct table *table, int64_t deadline_ns,
                                  struct text *found, dictum_error *err) {
  const char *why = NULL;
  int sys_errno = 0;
  unsigned left = table->nuris;
  char *place, *uris = strdup(table->uris);
  bool done = uris != NULL;
  for (char *uri = done ? strtok_r(uris, " ", &place) : NULL; uri && done;
       uri = strtok_r(NULL, " ", &place)) {
    const char *reason = look_up(uri, clock_slice(deadline_ns, left--), &sys_errno);
    if (reason)
      why = reason;
    else
      done = (found->len == 0 || text_append(found, " ", 1)) &&
             text_append(found, uri, strlen(uri));
  }
  free(uris);
  if (!done || !text_append(found, "", 1))
    return table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  if (found->len > 1 || !why)
    return DICTUM_OK;
  return table->host->fail(err, DICTUM_RETRY, sys_errno, "%s: connect to server: %s", table->label,
                           why);
}

static dictum_status connect_to(struct table *table, struct connection *connection,
                                const char *uris, int64_t deadline_ns, dictum_error *err) {
  int code = ldap_initialize(&connection->ld, uris);
  const char *what = "cannot use server_host";
  connection->fd = -1;
  if (code == LDAP_SUCCESS) {
    what = "cannot set options";
    connection->deadline_ns = deadline_ns;
    connection->callback = (struct ldap_conncb){on_connect, on_disconnect, connection};
    limit_network(table, connection->ld, deadline_ns);
    code = ldap_set_option(connection->ld, LDAP_OPT_CONNECT_CB, &connection->callback);
    if (code == LDAP_SUCCESS)
      code = set_options(table, connection->ld);
  }
  if (code == LDAP_SUCCESS) {
    what = "connect to server";
    code = ldap_connect(connection->ld);
  }
  if (code == LDAP_SUCCESS && table->start_tls) {
    what = "STARTTLS";
    code = ldap_start_tls_s(connection->ld, NULL, NULL);
  }
  if (code == LDAP_SUCCESS) {
    what = "bind to server";
    code = bind_to(table, connection->ld, deadline_ns);
  }
  if (code == LDAP_SUCCESS)
    return DICTUM_OK;
  dictum_status status = code == LDAP_TIMEOUT ? timed_out(table, what, err)
                                              : fail(table, connection->ld, what, code, err);
  directory_close(connection);
  return status;
}

static dictum_status connect_found(struct table *table, struct connection *connection,
                                   int64_t deadline_ns, dictum_error *err) {
  struct text uris = {0};
  dictum_status status = find_servers(table, deadline_ns, &uris, err);
  if (status == DICTUM_OK)
    status = connect_to(table, connection, uris.data, deadline_ns, err);
  text_free(&uris);
  return status;
}

/* ---- searching ------------------------------------------------------------------------------ */

static int try_search(const struct table *table, LDAP *ld, const struct search *search,
                      int64_t deadline_ns, LDAPMessage **out) {
  struct timeval left = left_of(deadline_ns, 1);
  int id;
  *out = NULL;
  int code = ldap_search_ext(ld, search->base, search->scope, search->filter, search->attributes, 0,
                             NULL, NULL, &left, table->size_limit, &id);
  if (code != LDAP_SUCCESS)
    return code;
  code = wait_for(ld, id, deadline_ns, out);
  if (code == LDAP_TIMEOUT)
    ldap_abandon_ext(ld, id, NULL, NULL);
  return code;
}

static bool is_gone(int code) {
  return code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR || code == LDAP_UNAVAILABLE;
}

/* The connection stays only after answers that say nothing against it. */
static bool is_answer(int code) {
  return code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT || code == LDAP_INVALID_DN_SYNTAX ||
         code == LDAP_SIZELIMIT_EXCEEDED;
}

static dictum_status search_in_peace(struct table *table, struct connection *connection,
                                     const struct search *search, int64_t deadline_ns, int *code,
                                     LDAPMessage **out, dictum_error *err) {
  for (bool again = connection->ld != NULL;; again = false) {
    dictum_status status = DICTUM_OK;
    if (connection->ld) {
      limit_network(table, connection->ld, deadline_ns);
      connection->deadline_ns = deadline_ns;
      limit_socket(connection);
    } else {
      status = connect_found(table, connection, deadline_ns, err);
    }
    if (status != DICTUM_OK)
      return status;
    *code = try_search(table, connection->ld, search, deadline_ns, out);
    if (*code == LDAP_SUCCESS || *code == LDAP_NO_SUCH_OBJECT || *code == LDAP_INVALID_DN_SYNTAX)
      return DICTUM_OK;
    ldap_msgfree(*out);
    *out = NULL;
    if (!again || !is_gone(*code))
      break;
    directory_close(connection);
  }
  dictum_status status;
  if (*code == LDAP_TIMEOUT)
    status = timed_out(table, "search", err);
  else if (*code == LDAP_SIZELIMIT_EXCEEDED)
    status = table->host->fail_key(err, DICTUM_RETRY, 0, "%s: Query size limit (%d) exceeded",
                                   table->label, table->size_limit);
  else
    status = fail(table, connection->ld, "search", *code, err);
  if (!is_answer(*code))
    directory_close(connection);
  return status;
}

dictum_status directory_search(struct table *table, struct connection *connection,
                               const struct search *search, int64_t deadline_ns, int *code,
                               LDAPMessage **out, dictum_error *err) {
  int64_t own_limit = clock_now() + table->timeout_ns;
  if (deadline_ns == 0 || deadline_ns > own_limit)
    deadline_ns = own_limit;
  dictum_status status = search_in_peace(table, connection, search, deadline_ns, code, out, err);
  return status;
}
