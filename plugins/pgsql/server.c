/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - which servers a table asks, and how: its settings, as libpq wants them. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* ---- hosts ---------------------------------------------------------------------------------- */

static const char *uri_value(const PQconninfoOption *options, const char *key) {
  for (; options && options->keyword; options++)
    if (strcmp(options->keyword, key) == 0)
      return options->val && *options->val ? options->val : NULL;
  return NULL;
}

static bool copy(char **out, const char *text, size_t len) {
  *out = strndup(text, len);
  return *out != NULL;
}

/* "name", "name:port", "[address]", "[address]:port", or an IPv6 address by itself. */
static bool read_address(struct server_host *host, const char *word) {
  const char *colon = strrchr(word, ':');
  if (word[0] == '[') {
    const char *end = strchr(word, ']');
    if (!end || (end[1] != '\0' && end[1] != ':'))
      return false;
    colon = end[1] == ':' ? end + 1 : NULL;
    if (!copy(&host->name, word + 1, (size_t)(end - word - 1)))
      return false;
  } else {
    if (colon && strchr(word, ':') != colon)
      colon = NULL;
    if (!copy(&host->name, word, colon ? (size_t)(colon - word) : strlen(word)))
      return false;
  }
  return host->name[0] != '\0' && (!colon || copy(&host->port, colon + 1, strlen(colon + 1)));
}

/* libpq's own words about a URI would show the password in it. */
static dictum_status read_uri(const struct reading *reading, struct server_host *host,
                              const char *word) {
  char *words = NULL;
  host->uri = PQconninfoParse(word, &words);
  PQfreemem(words);
  if (!host->uri)
    return reading->host->fail(reading->err, DICTUM_CONFIG, 0,
                               "%s: hosts: there is a URI that cannot be understood",
                               reading->args->name);
  const char *name = uri_value(host->uri, "host"), *port = uri_value(host->uri, "port");
  if (name && !copy(&host->name, name, strlen(name)))
    return nomem(reading);
  if (port && !copy(&host->port, port, strlen(port)))
    return nomem(reading);
  if (asprintf(&host->label, "%s%s%s", name ? name : "(default)", port ? ":" : "",
               port ? port : "") < 0) {
    host->label = NULL;
    return nomem(reading);
  }
  return DICTUM_OK;
}

static dictum_status read_host(const struct reading *reading, struct server_host *host,
                               const char *word) {
  if (strstr(word, "://")) {
    host->kind = HOST_URI;
    return read_uri(reading, host, word);
  }
  if (!copy(&host->label, word, strlen(word)))
    return nomem(reading);
  const bool named = strncmp(word, "unix:", 5) == 0;
  if (named || word[0] == '/') {
    host->kind = HOST_UNIX;
    return copy(&host->name, named ? word + 5 : word, strlen(word)) ? DICTUM_OK : nomem(reading);
  }
  host->kind = HOST_INET;
  if (read_address(host, strncmp(word, "inet:", 5) == 0 ? word + 5 : word))
    return DICTUM_OK;
  return reading->host->fail(reading->err, DICTUM_CONFIG, 0, "%s: hosts: bad host \"%s\"",
                             reading->args->name, word);
}

static dictum_status add_host(const struct reading *reading, const char *word) {
  struct server *server = reading->server;
  struct server_host *hosts = realloc(server->hosts, (server->nhosts + 1) * sizeof *hosts);
  if (!hosts)
    return nomem(reading);
  server->hosts = hosts;
  hosts[server->nhosts] = (struct server_host){0};
  return read_host(reading, &hosts[server->nhosts++], word);
}

static dictum_status read_hosts(const struct reading *reading) {
  static const char separators[] = ", \t\r\n";
  char *list = strdup(setting(reading, "hosts")), *place;
  if (!list)
    return nomem(reading);
  dictum_status status = DICTUM_OK;
  for (char *word = strtok_r(list, separators, &place); word && status == DICTUM_OK;
       word = strtok_r(NULL, separators, &place))
    status = add_host(reading, word);
  free(list);
  return status == DICTUM_OK && reading->server->nhosts == 0 ? add_host(reading, "localhost")
                                                             : status;
}

/* ---- other settings ------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *list) {
  for (; *list; list++)
    if (strcmp(*list, text) == 0)
      return true;
  return false;
}

static dictum_status check_choices(const struct reading *reading) {
  static const char *const modes[] = {"",        "disable",   "allow",       "prefer",
                                      "require", "verify-ca", "verify-full", NULL};
  static const char *const sessions[] = {"any",     "read-write", "read-only",
                                         "primary", "standby",    NULL};
  const struct server *server = reading->server;
  const char *option = NULL, *value = NULL;
  if (!is_one_of(server->tls_mode, modes))
    option = "tls_mode", value = server->tls_mode;
  if (!is_one_of(server->session, sessions))
    option = "target_session_attrs", value = server->session;
  if (pg_char_to_encoding(server->encoding) < 0)
    return reading->host->fail(reading->err, DICTUM_CONFIG, 0,
                               "%s: cannot set the encoding to %s: there is no such encoding",
                               reading->args->name, server->encoding);
  if (!option)
    return DICTUM_OK;
  return reading->host->fail(reading->err, DICTUM_CONFIG, 0, "%s: bad %s: %s", reading->args->name,
                             option, value);
}

/* Only a URI has a database of its own. */
static dictum_status check_dbname(const struct reading *reading) {
  const struct server *server = reading->server;
  for (size_t i = 0; i < server->nhosts && !*server->dbname; i++)
    if (server->hosts[i].kind != HOST_URI)
      return reading->host->fail(reading->err, DICTUM_CONFIG, 0,
                                 "%s:%s: host %s requires dbname setting", reading->args->type,
                                 reading->args->name, server->hosts[i].label);
  return DICTUM_OK;
}

static dictum_status copy_settings(const struct reading *reading) {
  struct server *server = reading->server;
  const struct {
    char **to;
    const char *name;
  } list[] = {
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
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    if (!(*list[i].to = strdup(setting(reading, list[i].name))))
      return nomem(reading);
  const dictum_cfg *cfg = reading->args->cfg;
  server->connections = (unsigned)reading->host->opt_int(cfg, "connections");
  server->idle_ns = reading->host->opt_int(cfg, "idle_interval") * 1000000000;
  server->retry_ns = reading->host->opt_int(cfg, "retry_interval") * 1000000000;
  return DICTUM_OK;
}

/* Whoever reads the settings reads the password. They may not be a file. */
static void warn_of_settings(const struct reading *reading) {
  struct stat st;
  const char *name = reading->args->name;
  if (*reading->server->password && (name[0] == '/' || name[0] == '.') && stat(name, &st) == 0 &&
      (st.st_mode & S_IROTH))
    reading->host->log(reading->args->slot, DICTUM_LEVEL_INFO, DICTUM_CODE_FILE,
                       "%s holds a password, and everybody may read it", name);
}

static dictum_status find_secrets(const struct reading *reading) {
  const dictum_host *host = reading->host;
  struct server *server = reading->server;
  const char *word = setting(reading, "password_file"), *pass = setting(reading, "passfile");
  dictum_status status = secret_locate(host, "password_file", word, &server->password_file,
                                       reading->err);
  if (status == DICTUM_OK)
    status = secret_locate(host, "passfile", pass, &server->passfile, reading->err);
  if (status != DICTUM_OK)
    return status;
  if (server->password_file)
    secret_warn(host, reading->args->slot, "password_file", word, server->password_file);
  /* libpq would pass over one that a group may read, whoever guards it. */
  if (server->passfile)
    secret_warn(host, reading->args->slot, "passfile", server->passfile, server->passfile);
  if (*server->tls_key_file)
    secret_warn(host, reading->args->slot, "tls_key_file", "/", server->tls_key_file);
  warn_of_settings(reading);
  return DICTUM_OK;
}

static dictum_status identify(const struct reading *reading) {
  struct server *server = reading->server;
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
    done = text_append(&server->identity, setting(reading, names[i]),
                       strlen(setting(reading, names[i])) + 1);
  const char *const paths[] = {server->password_file, server->passfile};
  for (size_t i = 0; i < sizeof paths / sizeof *paths && done; i++)
    done = text_append(&server->identity, paths[i] ? paths[i] : "",
                       (paths[i] ? strlen(paths[i]) : 0) + 1);
  return done ? DICTUM_OK : nomem(reading);
}

dictum_status server_init(const dictum_host *host, const dictum_open_args *args, struct server *out,
                          dictum_error *err) {
  *out = (struct server){0};
  const struct reading reading = {host, args, out, err};
  static dictum_status (*const steps[])(const struct reading *) = {
      copy_settings, read_hosts, check_dbname, check_choices, find_secrets, identify};
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < sizeof steps / sizeof *steps && status == DICTUM_OK; i++)
    status = steps[i](&reading);
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
