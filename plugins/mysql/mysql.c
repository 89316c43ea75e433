/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mysql.c - the type mysql: questions to MySQL and MariaDB, described as in Postfix's
 * mysql_table(5).
 *
 * A key's way: the domain filter; the query's parts, of which none may be
 * missing; a connection from the pool (common/hostpool.c); the statement with the key
 * escaped for it (statement.c); its rows through result_format (answer.c). Keys
 * of a batch go one after the other over one connection.
 *
 * WAITING is done in poll(2), until the deadline of the call and no longer
 * (connect.c). What cannot be bounded: a name that the library looks up again,
 * for the check of a certificate.
 *
 * ERRORS by number: errors.c.
 *
 * THREADS: any number. An open table does not change.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "table.h"

static const dictum_opt table_opts[] = {
    {"hosts", DICTUM_OPT_STR, "localhost", 0, 0, "servers: host:port, unix:/socket"},
    {"user", DICTUM_OPT_STR, "", 0, 0, "who asks"},
    {"password", DICTUM_OPT_STR, "", 0, 0, "the user's password"},
    {"password_file", DICTUM_OPT_STR, "", 0, 0,
     "file with the password; without a slash: a credential of systemd's"},
    {"dbname", DICTUM_OPT_STR, "", 1, 0, "the database"},
    {"charset", DICTUM_OPT_STR, "utf8mb4", 1, 0, "character set of keys and values"},
    {"query", DICTUM_OPT_STR, "", 0, 0, "SQL with %s, %u, %d, %1 .. %9 for the key"},
    {"result_format", DICTUM_OPT_STR, "%s", 1, 0, "what is made of each value"},
    {"domain", DICTUM_OPT_STR, "", 0, 0, "only ask for user@domain with one of these domains"},
    {"expansion_limit", DICTUM_OPT_INT, "0", INT_MIN, INT_MAX, "most values for a key; 0: any"},
    {"require_result_set", DICTUM_OPT_BOOL, "yes", 0, 0, "a query without rows is a mistake"},
    {"idle_interval", DICTUM_OPT_INT, "60", 1, INT_MAX,
     "seconds after which an idle connection is closed"},
    {"retry_interval", DICTUM_OPT_INT, "60", 1, INT_MAX,
     "seconds for which other servers come before one that failed"},
    {"connections", DICTUM_OPT_INT, "4", 1, 1000, "most connections of this table"},
    {"option_file", DICTUM_OPT_STR, "", 0, 0, "file with more options, as my.cnf"},
    {"option_group", DICTUM_OPT_STR, "client", 0, 0, "the group in it"},
    {"tls_cert_file", DICTUM_OPT_STR, "", 0, 0, "our certificate"},
    {"tls_key_file", DICTUM_OPT_STR, "", 0, 0, "the key of our certificate"},
    {"tls_CAfile", DICTUM_OPT_STR, "", 0, 0, "certificates of authorities that are trusted"},
    {"tls_CApath", DICTUM_OPT_STR, "", 0, 0, "a folder of them"},
    {"tls_ciphers", DICTUM_OPT_STR, "", 0, 0, "ciphers that may be used"},
    {"tls_verify_cert", DICTUM_OPT_STR, "", 0, 0,
     "yes or no: must the certificate be that of the host"},
    {"select_field", DICTUM_OPT_STR, "", 0, 0, "without query: the column with the value"},
    {"table", DICTUM_OPT_STR, "", 0, 0, "without query: the table"},
    {"where_field", DICTUM_OPT_STR, "", 0, 0, "without query: the column with the key"},
    {"additional_conditions", DICTUM_OPT_STR, "", 0, 0, "without query: more SQL"},
};

/* ---- life ----------------------------------------------------------------------------------- */

static void free_table(struct table *table) {
  domains_free(table->domains);
  maria_statement_free(table->statement);
  maria_server_free(&table->server);
  template_free(&table->query);
  template_free(&table->result);
  free(table->label);
  free(table);
}

static void table_close(void *self) {
  struct table *table = self;
  hostpool_free(table->pool);
  free_table(table);
}

/* Nothing of a table changes, so that all of it can be freed, whatever other threads of the parent
 * were doing. Its pool is another matter. */
static void table_forget(void *self) {
  struct table *table = self;
  hostpool_forget(table->pool);
  free_table(table);
}

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

static void describe_host(void *rock, size_t i, struct hostpool_host *host) {
  const struct table *table = rock;
  host->rank = table->server.hosts[i].kind;
  host->label = table->server.hosts[i].label;
}

static dictum_status connect_host(void *rock, size_t i, int64_t deadline, void **link, int *fd,
                                  dictum_error *err) {
  const struct table *table = rock;
  MYSQL *my = NULL;
  dictum_status status = maria_connect_to(table->host, &table->server, &table->server.hosts[i],
                                          deadline, &my, err);
  if (status != DICTUM_OK)
    return status;
  *link = my;
  *fd = mysql_get_socket(my);
  return DICTUM_OK;
}

static void end_connection(void *link, bool sound) {
  maria_connect_end(link, sound);
}

static dictum_status open_pool(struct table *table, dictum_error *err) {
  const struct hostpool_plan plan = {.services = table->host,
                                     .type = "mysql",
                                     .nhosts = table->server.nhosts,
                                     .connections = table->server.connections,
                                     .idle_ns = table->server.idle_ns,
                                     .retry_ns = table->server.retry_ns,
                                     .rock = table,
                                     .describe = describe_host,
                                     .connect = connect_host,
                                     .end = end_connection};
  maria_connect_prepare();
  table->pool = hostpool_new(&plan);
  return table->pool ? DICTUM_OK : nomem(table->host, err);
}

static dictum_status read_settings(struct table *table, const struct settings *settings) {
  dictum_status status = settings_query(settings, &table->query);
  if (status == DICTUM_OK)
    status = maria_statement_parse(table->host, &table->query, settings->args->name,
                                   &table->statement, settings->err);
  if (status == DICTUM_OK)
    status = settings_template(settings, "result_format", TEMPLATE_RESULT, &table->result);
  if (status == DICTUM_OK)
    status = domains_open(settings, &table->domains);
  if (status == DICTUM_OK)
    status = maria_server_init(settings, &table->server);
  if (status == DICTUM_OK)
    status = open_pool(table, settings->err);
  table->expansion_limit = (uint64_t)settings_number(settings, "expansion_limit");
  table->wants_rows = settings_number(settings, "require_result_set") != 0;
  return status;
}

/* The first question makes the first connection. */
static dictum_status table_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                dictum_error *err) {
  const struct settings settings = {host, args, err};
  struct table *table = calloc(1, sizeof *table);
  if (!table)
    return nomem(host, err);
  table->host = host;
  table->slot = args->slot;
  if (asprintf(&table->label, "%s:%s", args->type, args->name) < 0)
    table->label = NULL;
  dictum_status status = table->label ? read_settings(table, &settings) : nomem(host, err);
  if (status != DICTUM_OK) {
    table_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* Is the server to be asked for key @p i? Else it has its answer. */
static bool is_open(struct inquiry *inquiry, size_t i) {
  const dictum_key *whole = &inquiry->asking.keys[i];
  const struct address key = address_of(whole->p, whole->n);
  if (!asking_admits(&inquiry->asking, i, inquiry->table->domains))
    return false;
  if (maria_statement_suits(inquiry->table->statement, &key))
    return true;
  asking_absent(&inquiry->asking, i);
  return false;
}

/* The server is asked for what is open; the other keys have their answer before. */
static dictum_status answer(struct table *table, struct asking asking) {
  struct inquiry inquiry = {.table = table, .asking = asking};
  size_t *open = reallocarray(NULL, asking.n, sizeof *open), n = 0;
  if (!open)
    return nomem(table->host, asking.err);
  for (size_t i = 0; i < asking.n; i++)
    if (is_open(&inquiry, i))
      open[n++] = i;
  dictum_status status = n > 0 ? maria_ask_server(&inquiry, open, n) : DICTUM_OK;
  free(open);
  text_free(&inquiry.sql);
  text_free(&inquiry.value);
  return status == DICTUM_OK ? asking_status(&inquiry.asking) : status;
}

static dictum_status table_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                  dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  const dictum_key one = {key, len};
  return answer(table, asking_one(table->host, call, &one, sink, err));
}

static dictum_status table_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                       size_t n, dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  return answer(table, asking_many(table->host, call, keys, n, sink, err));
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type table_types[] = {{
    .name = "mysql",
    .summary = "MySQL and MariaDB, asked as a settings file says",
    .caps = DICTUM_CAP_NETWORK | DICTUM_CAP_SETTINGS | DICTUM_CAP_MAY_WAIT,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = table_opts,
    .nopts = sizeof table_opts / sizeof table_opts[0],
    .open = table_open,
    .close = table_close,
    .forget = table_forget,
    .lookup = table_lookup,
    .lookup_many = table_lookup_many,
}};

DICTUM_PLUGIN_DEFINE(dictum_mysql, "dictum-mysql", PACKAGE_VERSION, table_types);
