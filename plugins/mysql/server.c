/* SPDX-License-Identifier: BSD-2-Clause */
/* server.c - which servers a table asks, and how: its settings. */
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
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

static bool read_port(const char *text, unsigned *out) {
  char *end;
  unsigned long port = strtoul(text, &end, 10);
  *out = (unsigned)port;
  return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port > 0 && port < 65536;
}

/* "name", "name:port", "[address]", "[address]:port", or an IPv6 address by itself. Cuts @p word.
 */
static const char *read_address(char *word, unsigned *port, bool *good) {
  char *colon = strrchr(word, ':');
  if (word[0] == '[') {
    char *end = strchr(++word, ']');
    *good = end && (end[1] == '\0' || end[1] == ':');
    if (!*good)
      return word;
    colon = end[1] == ':' ? end + 1 : NULL;
    *end = '\0';
  } else if (colon && strchr(word, ':') != colon) {
    colon = NULL;
  }
  *good = !colon || read_port(colon + 1, port);
  if (colon)
    *colon = '\0';
  *good &= word[0] != '\0';
  return word;
}

/* @param word  a copy, which is cut */
static dictum_status read_host(const struct reading *reading, struct server_host *host,
                               char *word) {
  bool good = true;
  host->label = strdup(word);
  host->kind = word[0] == '/' || strncmp(word, "unix:", 5) == 0 ? HOST_UNIX : HOST_INET;
  char *name = strncmp(word, "unix:", 5) == 0 || strncmp(word, "inet:", 5) == 0 ? word + 5 : word;
  const char *cut = host->kind == HOST_UNIX ? name : read_address(name, &host->port, &good);
  host->name = strdup(cut);
  if (!host->label || !host->name)
    return nomem(reading);
  if (good && *host->name)
    return DICTUM_OK;
  return reading->host->fail(reading->err, DICTUM_CONFIG, 0, "%s: hosts: bad host \"%s\"",
                             reading->args->name, host->label);
}

static dictum_status add_host(const struct reading *reading, char *word) {
  struct server *server = reading->server;
  struct server_host *hosts = reallocarray(server->hosts, server->nhosts + 1, sizeof *hosts);
  if (!hosts)
    return nomem(reading);
  server->hosts = hosts;
  hosts[server->nhosts] = (struct server_host){0};
  return read_host(reading, &hosts[server->nhosts++], word);
}

static dictum_status read_hosts(const struct reading *reading) {
  static const char separators[] = ", \t\r\n";
  char *list = strdup(setting(reading, "hosts")), *place, localhost[] = "localhost";
  if (!list)
    return nomem(reading);
  dictum_status status = DICTUM_OK;
  for (char *word = strtok_r(list, separators, &place); word && status == DICTUM_OK;
       word = strtok_r(NULL, separators, &place))
    status = add_host(reading, word);
  free(list);
  return status == DICTUM_OK && reading->server->nhosts == 0 ? add_host(reading, localhost)
                                                             : status;
}

/* ---- other settings ------------------------------------------------------------------------- */

static dictum_status copy_settings(const struct reading *reading) {
  struct server *server = reading->server;
  const struct {
    char **to;
    const char *name;
  } list[] = {
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
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    if (!(*list[i].to = strdup(setting(reading, list[i].name))))
      return nomem(reading);
  const dictum_cfg *cfg = reading->args->cfg;
  server->connections = (unsigned)reading->host->opt_int(cfg, "connections");
  server->idle_ns = reading->host->opt_int(cfg, "idle_interval") * 1000000000;
  server->retry_ns = reading->host->opt_int(cfg, "retry_interval") * 1000000000;
  return DICTUM_OK;
}

static dictum_status read_verify(const struct reading *reading) {
  const char *text = setting(reading, "tls_verify_cert");
  reading->server->verifies = strcasecmp(text, "yes") == 0;
  reading->server->may_not_verify = strcasecmp(text, "no") == 0;
  if (!*text || reading->server->verifies || reading->server->may_not_verify)
    return DICTUM_OK;
  return reading->host->fail(reading->err, DICTUM_CONFIG, 0,
                             "%s: bad boolean configuration: tls_verify_cert = %s",
                             reading->args->name, text);
}

static void warn_of_settings(const struct reading *reading) {
  struct stat st;
  const char *name = reading->args->name;
  if (*reading->server->password && (name[0] == '/' || name[0] == '.') && stat(name, &st) == 0 &&
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
  if (server->password_file)
    secret_warn(reading->host, slot, "password_file", word, server->password_file);
  if (*server->tls_key_file)
    secret_warn(reading->host, slot, "tls_key_file", "/", server->tls_key_file);
  warn_of_settings(reading);
  return DICTUM_OK;
}

dictum_status maria_server_init(const dictum_host *host, const dictum_open_args *args,
                                struct server *out, dictum_error *err) {
  *out = (struct server){0};
  const struct reading reading = {host, args, out, err};
  static dictum_status (*const steps[])(const struct reading *) = {copy_settings, read_hosts,
                                                                   read_verify, find_secrets};
  dictum_status status = DICTUM_OK;
  for (size_t i = 0; i < sizeof steps / sizeof *steps && status == DICTUM_OK; i++)
    status = steps[i](&reading);
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
