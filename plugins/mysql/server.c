/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - which servers a table asks, and how: its settings. */
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hostword.h"
#include "secret.h"

/* ---- hosts ---------------------------------------------------------------------------------- */

static bool read_port(const char *text, unsigned *out) {
  char *end;
  unsigned long port = strtoul(text, &end, 10);
  *out = (unsigned)port;
  return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port > 0 && port < 65536;
}

static dictum_status read_host(const struct settings *settings, struct server_host *host,
                               const char *word) {
  struct hostword parts;
  const bool good = hostword_read(word, &parts) && parts.name.n > 0;
  host->kind = parts.is_local ? HOST_UNIX : HOST_INET;
  host->label = strdup(word);
  host->name = strndup(parts.name.p, parts.name.n);
  if (!host->label || !host->name)
    return settings_nomem(settings);
  if (good && (!parts.port || read_port(parts.port, &host->port)))
    return DICTUM_OK;
  return settings_refuse(settings, "hosts: bad host \"%s\"", word);
}

static dictum_status add_host(const struct settings *settings, void *rock, const char *word) {
  struct server *server = rock;
  struct server_host *hosts = reallocarray(server->hosts, server->nhosts + 1, sizeof *hosts);
  if (!hosts)
    return settings_nomem(settings);
  server->hosts = hosts;
  hosts[server->nhosts] = (struct server_host){0};
  return read_host(settings, &hosts[server->nhosts++], word);
}

static dictum_status read_hosts(const struct settings *settings, struct server *server) {
  const char *list = settings_text(settings, "hosts");
  dictum_status status = settings_words(settings, list, add_host, server);
  return status == DICTUM_OK && server->nhosts == 0 ? add_host(settings, server, "localhost")
                                                    : status;
}

/* ---- other settings ------------------------------------------------------------------------- */

static dictum_status copy_settings(const struct settings *settings, struct server *server) {
  const struct settings_copy list[] = {
      {&server->user, "user"},
      {&server->password, "password"},
      {&server->dbname, "dbname"},
      {&server->charset, "charset"},
      {&server->option_file, "option_file"},
      {&server->option_group, "option_group"},
      {&server->tls_cert_file, "tls_cert_file"},
      {&server->tls_key_file, "tls_key_file"},
      {&server->tls_ca_file, "tls_CAfile"},
      {&server->tls_ca_path, "tls_CApath"},
      {&server->tls_ciphers, "tls_ciphers"},
  };
  server->connections = (unsigned)settings_number(settings, "connections");
  server->idle_ns = settings_number(settings, "idle_interval") * 1000000000;
  server->retry_ns = settings_number(settings, "retry_interval") * 1000000000;
  return settings_copy(settings, list, sizeof list / sizeof *list);
}

static dictum_status read_verify(const struct settings *settings, struct server *server) {
  const char *text = settings_text(settings, "tls_verify_cert");
  server->verifies = strcasecmp(text, "yes") == 0;
  server->may_not_verify = strcasecmp(text, "no") == 0;
  if (!*text || server->verifies || server->may_not_verify)
    return DICTUM_OK;
  return settings_refuse(settings, "bad boolean configuration: tls_verify_cert = %s", text);
}

static dictum_status find_secrets(const struct settings *settings, struct server *server) {
  dictum_status status = secret_locate(settings, "password_file", &server->password_file);
  if (status != DICTUM_OK)
    return status;
  if (server->password_file)
    secret_warn(settings, "password_file", settings_text(settings, "password_file"),
                server->password_file);
  if (*server->tls_key_file)
    secret_warn(settings, "tls_key_file", "/", server->tls_key_file);
  if (*server->password)
    settings_warn_of_password(settings);
  return DICTUM_OK;
}

dictum_status maria_server_init(const struct settings *settings, struct server *out) {
  *out = (struct server){0};
  static dictum_status (*const steps[])(const struct settings *, struct server *) = {
      copy_settings, read_hosts, read_verify, find_secrets};
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < sizeof steps / sizeof *steps && status == DICTUM_OK; i++)
    status = steps[i](settings, out);
  if (status != DICTUM_OK)
    maria_server_free(out);
  return status;
}

void maria_server_free(struct server *server) {
  for (size_t i = 0; i < server->nhosts; i++) {
    free(server->hosts[i].label);
    free(server->hosts[i].name);
  }
  free(server->hosts);
  if (server->password)
    explicit_bzero(server->password, strlen(server->password));
  char *const texts[] = {server->user,          server->password,     server->dbname,
                         server->charset,       server->option_file,  server->option_group,
                         server->tls_cert_file, server->tls_key_file, server->tls_ca_file,
                         server->tls_ca_path,   server->tls_ciphers,  server->password_file};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    free(texts[i]);
  *server = (struct server){0};
}

bool maria_server_wants_tls(const struct server *server) {
  return server->verifies || *server->tls_cert_file || *server->tls_key_file ||
         *server->tls_ca_file || *server->tls_ca_path || *server->tls_ciphers;
}
