/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pgsql.c - the type pgsql: questions to PostgreSQL, described as in Postfix's pgsql_table(5).
 *
 * A key's way: the domain filter; the query's parts, of which none may be
 * missing; a connection from the pool (pool.c); the statement with the key as a
 * parameter (statement.c), alone or with others of a batch (script.c); its rows
 * through result_format (answer.c).
 *
 * WAITING is done in poll(2), until the deadline of the call and no longer. The
 * server is told the same limit. Connecting may wait for more than the server,
 * and is done aside (connect.c).
 *
 * ERRORS by SQLSTATE: sqlstate.c. Without one there was no answer: RETRY.
 *
 * THREADS: any number. An open table does not change.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static const dictum_opt pgsql_opts[] = {
    {"hosts", DICTUM_OPT_STR, "localhost", 0, 0,
     "servers: host:port, unix:/folder, postgresql:// URIs"},
    {"user", DICTUM_OPT_STR, "", 0, 0, "who asks"},
    {"password", DICTUM_OPT_STR, "", 0, 0, "the user's password"},
    {"password_file", DICTUM_OPT_STR, "", 0, 0,
     "file with the password; without a slash: a credential of systemd's"},
    {"passfile", DICTUM_OPT_STR, "", 0, 0, "file in the format of libpq's .pgpass"},
    {"dbname", DICTUM_OPT_STR, "", 0, 0, "the database"},
    {"encoding", DICTUM_OPT_STR, "UTF8", 1, 0, "encoding of keys and values"},
    {"query", DICTUM_OPT_STR, "", 0, 0, "SQL with %s, %u, %d, %1 .. %9 for the key"},
    {"result_format", DICTUM_OPT_STR, "%s", 1, 0, "what is made of each value"},
    {"domain", DICTUM_OPT_STR, "", 0, 0, "only ask for user@domain with one of these domains"},
    {"expansion_limit", DICTUM_OPT_INT, "0", INT_MIN, INT_MAX, "most values for a key; 0: any"},
    {"idle_interval", DICTUM_OPT_INT, "60", 1, INT_MAX,
     "seconds after which an idle connection is closed"},
    {"retry_interval", DICTUM_OPT_INT, "60", 1, INT_MAX,
     "seconds for which other servers come before one that failed"},
    {"connections", DICTUM_OPT_INT, "4", 1, 1000, "most connections of this process"},
    {"statement_timeout", DICTUM_OPT_BOOL, "yes", 0, 0,
     "tell the server to stop when nobody waits any more"},
    {"target_session_attrs", DICTUM_OPT_STR, "any", 0, 0,
     "any, read-write, read-only, primary or standby"},
    {"tls_mode", DICTUM_OPT_STR, "", 0, 0,
     "disable, allow, prefer, require, verify-ca or verify-full"},
    {"tls_ca_file", DICTUM_OPT_STR, "", 0, 0, "certificates of authorities that are trusted"},
    {"tls_cert_file", DICTUM_OPT_STR, "", 0, 0, "our certificate"},
    {"tls_key_file", DICTUM_OPT_STR, "", 0, 0, "the key of our certificate"},
    {"tls_server_name", DICTUM_OPT_STR, "", 0, 0, "the name in the server's certificate"},
    {"select_function", DICTUM_OPT_STR, "", 0, 0, "without query: a function to call"},
    {"select_field", DICTUM_OPT_STR, "", 0, 0, "without query: the column with the value"},
    {"table", DICTUM_OPT_STR, "", 0, 0, "without query: the table"},
    {"where_field", DICTUM_OPT_STR, "", 0, 0, "without query: the column with the key"},
    {"additional_conditions", DICTUM_OPT_STR, "", 0, 0, "without query: more SQL"},
};

/* ---- life ----------------------------------------------------------------------------------- */

static void free_table(struct table *table) {
  domains_free(table->domains);
  statement_free(table->statement);
  template_free(&table->query);
  template_free(&table->result);
  free(table->label);
  free(table);
}

static void pgsql_close(void *self) {
  struct table *table = self;
  pool_close(table->pool);
  free_table(table);
}

/* Nothing of a table changes, so that all of it can be freed, whatever other threads of the parent
 * were doing. Its pool is another matter. */
static void pgsql_forget(void *self) {
  struct table *table = self;
  pool_forget(table->pool);
  free_table(table);
}

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

/* Before there was "query", a function could be named, too. */
static dictum_status read_query(const struct settings *settings, struct template *out) {
  const char *function = settings_text(settings, "select_function");
  if (*settings_text(settings, "query") || !*function)
    return settings_query(settings, out);
  char *query;
  if (asprintf(&query, "SELECT %s('%%s')", function) < 0)
    return settings_nomem(settings);
  dictum_status status = template_parse(settings->host, query, TEMPLATE_QUERY, settings->args->name,
                                        out, settings->err);
  free(query);
  return status;
}

static dictum_status read_settings(struct table *table, const struct settings *settings) {
  struct server server;
  dictum_status status = read_query(settings, &table->query);
  if (status == DICTUM_OK)
    status = statement_parse(table->host, &table->query, settings->args->name, &table->statement,
                             settings->err);
  if (status == DICTUM_OK)
    status = settings_template(settings, "result_format", TEMPLATE_RESULT, &table->result);
  if (status == DICTUM_OK)
    status = domains_open(settings, &table->domains);
  if (status == DICTUM_OK)
    status = server_init(settings, &server);
  if (status == DICTUM_OK)
    status = pool_open(table->host, &server, &table->pool, settings->err);
  table->expansion_limit = (uint64_t)settings_number(settings, "expansion_limit");
  table->limits_statements = settings_number(settings, "statement_timeout") != 0;
  return status;
}

/* The first question makes the first connection. */
static dictum_status pgsql_open(const dictum_host *host, const dictum_open_args *args, void **self,
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
    pgsql_close(table);
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
  if (statement_suits(inquiry->table->statement, &key))
    return true;
  asking_absent(&inquiry->asking, i);
  return false;
}

/* The server is asked for what is open; the other keys have their answer before.
 * @return other than OK when keys of a batch are left without an answer, or when the server failed
 * for all that it was asked for */
static dictum_status answer(struct table *table, struct asking asking) {
  struct inquiry inquiry = {.table = table, .asking = asking};
  size_t *open = reallocarray(NULL, asking.n, sizeof *open), n = 0;
  if (!open)
    return nomem(table->host, asking.err);
  for (size_t i = 0; i < asking.n; i++)
    if (is_open(&inquiry, i))
      open[n++] = i;
  dictum_status status = n > 0 ? ask_server(&inquiry, open, n) : DICTUM_OK;
  free(open);
  text_free(&inquiry.value);
  if (status == DICTUM_OK && n > 0 && inquiry.nfailed == n)
    status = inquiry.failure;
  return status == DICTUM_OK && !asking.batch ? inquiry.asking.only : status;
}

static dictum_status pgsql_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                  dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  const dictum_key one = {key, len};
  return answer(table, asking_one(table->host, call, &one, sink, err));
}

static dictum_status pgsql_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                       size_t n, dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  return answer(table, asking_many(table->host, call, keys, n, sink, err));
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type pgsql_types[] = {{
    .name = "pgsql",
    .summary = "PostgreSQL, asked as a settings file says",
    .caps = DICTUM_CAP_NETWORK | DICTUM_CAP_SETTINGS | DICTUM_CAP_MAY_WAIT,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = pgsql_opts,
    .nopts = sizeof pgsql_opts / sizeof pgsql_opts[0],
    .open = pgsql_open,
    .close = pgsql_close,
    .forget = pgsql_forget,
    .lookup = pgsql_lookup,
    .lookup_many = pgsql_lookup_many,
}};

DICTUM_PLUGIN_DEFINE(dictum_pgsql, "dictum-pgsql", PACKAGE_VERSION, pgsql_types);
