/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - which servers a table asks, and how: its settings, as libpq wants them. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostword.h"
#include "secret.h"

/* ---- hosts ---------------------------------------------------------------------------------- */

static const char *uri_value(const PQconninfoOption *options, const char *key) {
  for (; options && options->keyword; options++)
    if (strcmp(options->keyword, key) == 0)
      return options->val && *options->val ? options->val : NULL;
  return NULL;
}

static bool copy(char **out, const char *text) {
  *out = strdup(text);
  return *out != NULL;
}

/* libpq's own words about a URI would show the password in it. */
static dictum_status read_uri(const struct settings *settings, struct server_host *host,
                              const char *word) {
  char *words = NULL;
  host->uri = PQconninfoParse(word, &words);
  PQfreemem(words);
  if (!host->uri)
    return settings_refuse(settings, "hosts: there is a URI that cannot be understood");
  const char *name = uri_value(host->uri, "host"), *port = uri_value(host->uri, "port");
  if (name && !copy(&host->name, name))
    return settings_nomem(settings);
  if (port && !copy(&host->port, port))
    return settings_nomem(settings);
  if (asprintf(&host->label, "%s%s%s", name ? name : "(default)", port ? ":" : "",
               port ? port : "") < 0) {
    host->label = NULL;
    return settings_nomem(settings);
  }
  return DICTUM_OK;
}

static dictum_status read_host(const struct settings *settings, struct server_host *host,
                               const char *word) {
  struct hostword parts;
  if (strstr(word, "://")) {
    host->kind = HOST_URI;
    return read_uri(settings, host, word);
  }
  if (!hostword_read(word, &parts))
    return settings_refuse(settings, "hosts: bad host \"%s\"", word);
  host->kind = parts.is_local ? HOST_UNIX : HOST_INET;
  host->name = strndup(parts.name.p, parts.name.n);
  const bool done = host->name && copy(&host->label, word) &&
                    (!parts.port || copy(&host->port, parts.port));
  return done ? DICTUM_OK : settings_nomem(settings);
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

static bool is_one_of(const char *text, const char *const *list) {
  for (; *list; list++)
    if (strcmp(*list, text) == 0)
      return true;
  return false;
}

static dictum_status check_choices(const struct settings *settings, struct server *server) {
  static const char *const modes[] = {"",        "disable",   "allow",       "prefer",
                                      "require", "verify-ca", "verify-full", NULL};
  static const char *const sessions[] = {"any",     "read-write", "read-only",
                                         "primary", "standby",    NULL};
  const char *option = NULL, *value = NULL;
  if (!is_one_of(server->tls_mode, modes))
    option = "tls_mode", value = server->tls_mode;
  if (!is_one_of(server->session, sessions))
    option = "target_session_attrs", value = server->session;
  if (pg_char_to_encoding(server->encoding) < 0)
    return settings_refuse(settings, "cannot set the encoding to %s: there is no such encoding",
                           server->encoding);
  if (!option)
    return DICTUM_OK;
  return settings_refuse(settings, "bad %s: %s", option, value);
}

/* Only a URI has a database of its own. */
static dictum_status check_dbname(const struct settings *settings, struct server *server) {
  for (size_t i = 0; i < server->nhosts && !*server->dbname; i++)
    if (server->hosts[i].kind != HOST_URI)
      return settings->host->fail(settings->err, DICTUM_CONFIG, 0,
                                  "%s:%s: host %s requires dbname setting", settings->args->type,
                                  settings->args->name, server->hosts[i].label);
  return DICTUM_OK;
}

static dictum_status copy_settings(const struct settings *settings, struct server *server) {
  const struct settings_copy list[] = {
      {&server->user, "user"},
      {&server->password, "password"},
      {&server->dbname, "dbname"},
      {&server->encoding, "encoding"},
      {&server->tls_mode, "tls_mode"},
      {&server->tls_ca_file, "tls_ca_file"},
      {&server->tls_cert_file, "tls_cert_file"},
      {&server->tls_key_file, "tls_key_file"},
      {&server->tls_server_name, "tls_server_name"},
      {&server->session, "target_session_attrs"},
  };
  server->connections = (unsigned)settings_number(settings, "connections");
  server->idle_ns = settings_number(settings, "idle_interval") * 1000000000;
  server->retry_ns = settings_number(settings, "retry_interval") * 1000000000;
  return settings_copy(settings, list, sizeof list / sizeof *list);
}

static dictum_status find_secrets(const struct settings *settings, struct server *server) {
  dictum_status status = secret_locate(settings, "password_file", &server->password_file);
  if (status == DICTUM_OK)
    status = secret_locate(settings, "passfile", &server->passfile);
  if (status != DICTUM_OK)
    return status;
  if (server->password_file)
    secret_warn(settings, "password_file", settings_text(settings, "password_file"),
                server->password_file);
  /* libpq would pass over one that a group may read, whoever guards it. */
  if (server->passfile)
    secret_warn(settings, "passfile", server->passfile, server->passfile);
  if (*server->tls_key_file)
    secret_warn(settings, "tls_key_file", "/", server->tls_key_file);
  if (*server->password)
    settings_warn_of_password(settings);
  return DICTUM_OK;
}

static dictum_status identify(const struct settings *settings, struct server *server) {
  static const char *const names[] = {"hosts",
                                      "user",
                                      "password",
                                      "dbname",
                                      "encoding",
                                      "tls_mode",
                                      "tls_ca_file",
                                      "tls_cert_file",
                                      "tls_key_file",
                                      "tls_server_name",
                                      "target_session_attrs"};
  char numbers[96];
  int len = snprintf(numbers, sizeof numbers, "%u %lld %lld", server->connections,
                     (long long)server->idle_ns, (long long)server->retry_ns);
  bool done = text_append(&server->identity, numbers, (size_t)len + 1);
  for (size_t i = 0; i < sizeof names / sizeof *names && done; i++)
    done = text_append(&server->identity, settings_text(settings, names[i]),
                       strlen(settings_text(settings, names[i])) + 1);
  const char *const paths[] = {server->password_file, server->passfile};
  for (size_t i = 0; i < sizeof paths / sizeof *paths && done; i++)
    done = text_append(&server->identity, paths[i] ? paths[i] : "",
                       (paths[i] ? strlen(paths[i]) : 0) + 1);
  return done ? DICTUM_OK : settings_nomem(settings);
}

dictum_status server_init(const struct settings *settings, struct server *out) {
  *out = (struct server){0};
  static dictum_status (*const steps[])(const struct settings *, struct server *) = {
      copy_settings, read_hosts, check_dbname, check_choices, find_secrets, identify};
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < sizeof steps / sizeof *steps && status == DICTUM_OK; i++)
    status = steps[i](settings, out);
  if (status != DICTUM_OK)
    server_free(out);
  return status;
}

static void free_secret(char *secret) {
  if (secret)
    explicit_bzero(secret, strlen(secret));
  free(secret);
}

void server_free(struct server *server) {
  for (size_t i = 0; i < server->nhosts; i++) {
    free(server->hosts[i].label);
    free(server->hosts[i].name);
    free(server->hosts[i].port);
    PQconninfoFree(server->hosts[i].uri);
  }
  free(server->hosts);
  char *const texts[] = {
      server->user,         server->dbname,          server->encoding,    server->password_file,
      server->passfile,     server->tls_mode,        server->tls_ca_file, server->tls_cert_file,
      server->tls_key_file, server->tls_server_name, server->session};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    free(texts[i]);
  free_secret(server->password);
  secret_free(&server->identity);
  *server = (struct server){0};
}

/* ---- words for libpq ------------------------------------------------------------------------ */

const char *server_find_word(const struct server_words *words, const char *key) {
  for (size_t i = 0; i < words->n; i++)
    if (strcmp(words->keys[i], key) == 0)
      return words->values[i];
  return NULL;
}

void server_word(struct server_words *words, const char *key, const char *value) {
  /* The last place is for the NULL behind them. */
  if (!value || !*value || words->n + 1 >= sizeof words->keys / sizeof *words->keys ||
      server_find_word(words, key))
    return;
  words->keys[words->n] = key;
  words->values[words->n++] = value;
}

void server_words_of(const struct server *server, const struct server_host *host,
                     struct server_words *words) {
  for (const PQconninfoOption *option = host->uri; option && option->keyword; option++)
    server_word(words, option->keyword, option->val);
  if (host->kind != HOST_URI) {
    server_word(words, "user", server->user);
    server_word(words, "dbname", server->dbname);
    server_word(words, "port", host->port);
  }
  server_word(words, "sslmode", server->tls_mode);
  server_word(words, "sslrootcert", server->tls_ca_file);
  server_word(words, "sslcert", server->tls_cert_file);
  server_word(words, "sslkey", server->tls_key_file);
  server_word(words, "target_session_attrs", server->session);
  server_word(words, "client_encoding", server->encoding);
  server_word(words, "fallback_application_name", "dictum");
  /* Else libpq may ask a Kerberos server first, and wait for it. */
  server_word(words, "gssencmode", "disable");
}
