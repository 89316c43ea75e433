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
#include <sys/stat.h>

#include "link.h"
#include "secret.h"

/* The settings being read. */
struct reading {
  const dictum_host *host;
  const dictum_open_args *args;
  struct server *server;
  dictum_error *err;
};

static dictum_status nomem(const struct reading *reading) {
  return reading->host->fail(reading->err, DICTUM_NOMEM, 0, "out of memory");
}

static const char *setting(const struct reading *reading, const char *name) {
  return reading->host->opt_str(reading->args->cfg, name);
}

/* ---- uri ------------------------------------------------------------------------------------ */

static bool may_hold_secret(const char *uri) {
  return strchr(uri, '@') || strcasestr(uri, "password") || strcasestr(uri, "properties");
}

static dictum_status refuse(const struct reading *reading, const char *why) {
  const bool secret = may_hold_secret(setting(reading, "uri"));
  return reading->host->fail(reading->err, DICTUM_CONFIG, 0, "%s: uri: %s", reading->args->name,
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

static dictum_status read_uri(const struct reading *reading) {
  struct server *server = reading->server;
  bson_error_t error = {0};
  server->uri = mongoc_uri_new_with_error(setting(reading, "uri"), &error);
  if (!server->uri)
    return refuse(reading, error.message);
  read_tls(server);
  return DICTUM_OK;
}

/* The hosts, with a comma between them. */
static dictum_status make_label(const struct reading *reading) {
  struct server *server = reading->server;
  const char *srv = mongoc_uri_get_srv_hostname(server->uri);
  struct text label = {0};
  bool done = text_append(&label, srv ? srv : "", srv ? strlen(srv) : 0);
  for (const mongoc_host_list_t *host = mongoc_uri_get_hosts(server->uri); host && done && !srv;
       host = host->next)
    done = (label.len == 0 || text_append(&label, ",", 1)) &&
           text_append(&label, host->host_and_port, strlen(host->host_and_port));
  if (!done) {
    text_free(&label);
    return nomem(reading);
  }
  server->label = label.data;
  return strchr(label.data, '@') ? refuse(reading, "a host with '@'") : DICTUM_OK;
}

/* ---- secrets -------------------------------------------------------------------------------- */

static void warn_of_settings(const struct reading *reading) {
  struct stat st;
  const mongoc_uri_t *uri = reading->server->uri;
  const char *name = reading->args->name;
  const bool secret = mongoc_uri_get_password(uri) || reading->server->tls.pem_pwd;
  if (secret && (name[0] == '/' || name[0] == '.') && stat(name, &st) == 0 &&
      (st.st_mode & S_IROTH))
    reading->host->log(reading->args->slot, DICTUM_LEVEL_INFO, DICTUM_CODE_FILE,
                       "%s holds a password, and everybody may read it", name);
}

static dictum_status find_secrets(const struct reading *reading) {
  struct server *server = reading->server;
  const char *word = setting(reading, "password_file");
  dictum_status status = secret_locate(reading->host, "password_file", word, &server->password_file,
                                       reading->err);
  if (status != DICTUM_OK)
    return status;
  dictum_slot *slot = reading->args->slot;
  if (server->password_file && !mongoc_uri_get_username(server->uri))
    return reading->host->fail(reading->err, DICTUM_CONFIG, 0,
                               "%s: password_file: there is no user in uri", reading->args->name);
  if (server->password_file)
    secret_warn(reading->host, slot, "password_file", word, server->password_file);
  if (server->tls.pem_file)
    secret_warn(reading->host, slot, "tlsCertificateKeyFile", "/", server->tls.pem_file);
  warn_of_settings(reading);
  return DICTUM_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

dictum_status mongo_server_init(const dictum_host *host, const dictum_open_args *args,
                                struct server *out, dictum_error *err) {
  *out = (struct server){0};
  const struct reading reading = {host, args, out, err};
  static dictum_status (*const steps[])(const struct reading *) = {read_uri, make_label,
                                                                   find_secrets};
  dictum_status status = DICTUM_OK;
  out->dbname = host->opt_str(args->cfg, "dbname");
  out->collection = host->opt_str(args->cfg, "collection");
  for (size_t i = 0; i < sizeof steps / sizeof *steps && status == DICTUM_OK; i++)
    status = steps[i](&reading);
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
