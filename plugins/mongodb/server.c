/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.c - which servers a table asks.
 *
 * The library quotes what it does not understand of a uri, be it a piece of the
 * password. So its words are passed on only when there can be no secret in them.
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "secret.h"

/* ---- uri ------------------------------------------------------------------------------------ */

static bool may_hold_secret(const char *uri) {
  return strchr(uri, '@') || strcasestr(uri, "password") || strcasestr(uri, "properties");
}

static dictum_status refuse(const struct settings *settings, const char *why) {
  const bool secret = may_hold_secret(settings_text(settings, "uri"));
  return settings_refuse(settings, "uri: %s",
                         secret ? "it cannot be read. In name and password, write any of "
                                  "\":/?#[]@%\" as %XX"
                                : why);
}

static const char *text_in(const mongoc_uri_t *uri, const char *option) {
  return mongoc_uri_get_option_as_utf8(uri, option, NULL);
}

static bool is_set(const mongoc_uri_t *uri, const char *option) {
  return mongoc_uri_get_option_as_bool(uri, option, false);
}

static void read_tls(struct server *server) {
  const mongoc_uri_t *uri = server->uri;
  const bool any = is_set(uri, MONGOC_URI_TLSINSECURE);
  server->tls = (mongoc_ssl_opt_t){
      .pem_file = text_in(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE),
      .pem_pwd = text_in(uri, MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD),
      .ca_file = text_in(uri, MONGOC_URI_TLSCAFILE),
      .weak_cert_validation = any || is_set(uri, MONGOC_URI_TLSALLOWINVALIDCERTIFICATES),
      .allow_invalid_hostname = any || is_set(uri, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES),
  };
}

static dictum_status read_uri(const struct settings *settings, struct server *server) {
  bson_error_t error = {0};
  server->uri = mongoc_uri_new_with_error(settings_text(settings, "uri"), &error);
  if (!server->uri)
    return refuse(settings, error.message);
  read_tls(server);
  return DICTUM_OK;
}

/* The hosts, with a comma between them. */
static dictum_status make_label(const struct settings *settings, struct server *server) {
  const char *srv = mongoc_uri_get_srv_hostname(server->uri);
  struct text label = {0};
  bool done = text_append(&label, srv ? srv : "", srv ? strlen(srv) : 0);
  for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(server->uri); host && done && !srv;
       host = host->next)
    done = (label.len == 0 || text_append(&label, ",", 1)) &&
           text_append(&label, host->host_and_port, strlen(host->host_and_port));
  if (!done) {
    text_free(&label);
    return settings_nomem(settings);
  }
  server->label = label.data;
  return strchr(label.data, '@') ? refuse(settings, "a host with '@'") : DICTUM_OK;
}

/* ---- secrets -------------------------------------------------------------------------------- */

static dictum_status find_secrets(const struct settings *settings, struct server *server) {
  dictum_status status = secret_locate(settings, "password_file", &server->password_file);
  if (status != DICTUM_OK)
    return status;
  if (server->password_file && !mongoc_uri_get_username(server->uri))
    return settings_refuse(settings, "password_file: there is no user in uri");
  if (server->password_file)
    secret_warn(settings, "password_file", settings_text(settings, "password_file"),
                server->password_file);
  if (server->tls.pem_file)
    secret_warn(settings, "tlsCertificateKeyFile", "/", server->tls.pem_file);
  if (mongoc_uri_get_password(server->uri) || server->tls.pem_pwd)
    settings_warn_of_password(settings);
  return DICTUM_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

dictum_status mongo_server_init(const struct settings *settings, struct server *out) {
  *out = (struct server){0};
  static dictum_status (*const steps[])(const struct settings *,
                                        struct server *) = {read_uri, make_label, find_secrets};
  dictum_status status = DICTUM_OK;
  out->dbname = settings_text(settings, "dbname");
  out->collection = settings_text(settings, "collection");
  for (size_t i = 0; i < sizeof steps / sizeof *steps && status == DICTUM_OK; i++)
    status = steps[i](settings, out);
  if (status != DICTUM_OK)
    mongo_server_free(out);
  return status;
}

void mongo_server_free(struct server *server) {
  if (server->uri)
    mongoc_uri_destroy(server->uri);
  free(server->label);
  free(server->password_file);
  *server = (struct server){0};
}
