/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sqlite.c - the type sqlite: questions to an SQLite database, described as in Postfix's
 * sqlite_table(5).
 *
 * A key's way: the domain filter; the query's parts, of which none may be
 * missing; a connection (connection.c); the statement with the key as a
 * parameter (statement.h); the first column of its rows through result_format.
 * A batch is one read transaction, so that all of its answers are of one state.
 *
 * THREADS: any number; each takes one of a few connections.
 *
 * ERRORS: locked, out of time, I/O, more results than allowed: RETRY. No such
 * file, no database, damaged, a mistake in the query: CONFIG.
 *
 * FORK: SQLite's memory cannot be used or freed in a child. It is left behind.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "domains.h"
#include "statement.h"
#include "turns.h"
#include "values.h"

enum { connections = 8 };

static const dictum_opt sqlite_opts[] = {
    {"dbpath", DICTUM_OPT_STR, "", 1, 0, "the file with the database"},
    {"query", DICTUM_OPT_STR, "", 0, 0, "SQL with %s, %u, %d, %1 .. %9 for the key"},
    {"result_format", DICTUM_OPT_STR, "%s", 1, 0, "what is made of each value"},
    {"domain", DICTUM_OPT_STR, "", 0, 0, "only ask for user@domain with one of these domains"},
    {"expansion_limit", DICTUM_OPT_INT, "0", INT_MIN, INT_MAX, "most values for a key; 0: any"},
    {"select_field", DICTUM_OPT_STR, "", 0, 0, "without query: the column with the value"},
    {"table", DICTUM_OPT_STR, "", 0, 0, "without query: the table"},
    {"where_field", DICTUM_OPT_STR, "", 0, 0, "without query: the column with the key"},
    {"additional_conditions", DICTUM_OPT_STR, "", 0, 0, "without query: more SQL"},
};

/* Unchanging once it is open, but for `spell` and the connections. */
struct table {
  struct database database;
  dictum_slot *slot;
  char *label, *path;
  struct template query, result;
  struct statement *statement;
  struct domains *domains;  /* or NULL */
  uint64_t expansion_limit; /* 0: none */
  atomic_bool spell;        /* SQLite does not take parameters in this statement */
  struct turns turns;       /* of the connections */
  struct connection connections[connections];
};

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

/* ---- life ----------------------------------------------------------------------------------- */

static void free_settings(struct table *table) {
  domains_free(table->domains);
  sqlite_statement_free(table->statement);
  template_free(&table->query);
  template_free(&table->result);
  free(table->label);
  free(table->path);
  free(table);
}

static void sqlite_close(void *self) {
  struct table *table = self;
  for (size_t i = 0; i < connections; i++)
    sqlite_connection_close(&table->connections[i]);
  turns_destroy(&table->turns);
  free_settings(table);
}

/* In a child: what SQLite has stays where it is. */
static void sqlite_forget(void *self) {
  free_settings(self);
}

static dictum_status read_settings(struct table *table, const struct settings *settings) {
  const dictum_open_args *args = settings->args;
  if (asprintf(&table->label, "%s:%s", args->type, args->name) < 0)
    table->label = NULL;
  table->path = strdup(settings_text(settings, "dbpath"));
  if (!table->label || !table->path)
    return settings_nomem(settings);
  table->database.label = table->label;
  table->database.path = table->path;
  table->expansion_limit = (uint64_t)settings_number(settings, "expansion_limit");
  dictum_status status = settings_query(settings, &table->query);
  if (status == DICTUM_OK && !(table->statement = sqlite_statement_parse(&table->query)))
    status = settings_nomem(settings);
  if (status == DICTUM_OK)
    status = settings_template(settings, "result_format", TEMPLATE_RESULT, &table->result);
  if (status == DICTUM_OK)
    status = domains_open(settings, &table->domains);
  return status;
}

/* A file that is not there is noticed now. What is in it is looked at by the first question. */
static dictum_status sqlite_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                 dictum_error *err) {
  const struct settings settings = {host, args, err};
  struct table *table = calloc(1, sizeof *table);
  if (!table || !turns_init(&table->turns, connections)) {
    free(table);
    return nomem(host, err);
  }
  table->database.host = host;
  table->slot = args->slot;
  dictum_status status = read_settings(table, &settings);
  if (status == DICTUM_OK)
    status = sqlite_connection_begin(&table->connections[0], &table->database, 0, err);
  if (status != DICTUM_OK) {
    sqlite_close(table);
    return status;
  }
  host->note_file(args->slot, table->path);
  *self = table;
  return DICTUM_OK;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void end(struct table *table, const struct connection *connection) {
  turns_give_back(&table->turns, (int)(connection - table->connections));
}

static dictum_status begin(struct table *table, const dictum_call *call, struct connection **out,
                           dictum_error *err) {
  int number = turns_take(&table->turns, call->deadline_ns);
  if (number < 0)
    return table->database.host->fail(err, DICTUM_RETRY, ETIMEDOUT, "%s: timed out", table->label);
  *out = &table->connections[number];
  dictum_status status = sqlite_connection_begin(*out, &table->database, call->deadline_ns, err);
  if (status != DICTUM_OK)
    end(table, *out);
  return status;
}

/* ---- one statement -------------------------------------------------------------------------- */

/* One key while it is looked up. */
struct question {
  struct table *table;
  struct connection *connection;
  const struct address *key;
  dictum_error *err;
  bool is_too_much; /* more values than the limit */
  struct text sql, values;
};

/* What is behind the first statement does not count. */
static int prepare(struct question *question, bool bound, sqlite3_stmt **out) {
  text_clear(&question->sql);
  if (!sqlite_statement_text(question->table->statement, question->key, bound, &question->sql))
    return SQLITE_NOMEM;
  if (question->sql.len >= INT_MAX)
    return SQLITE_TOOBIG;
  return sqlite3_prepare_v3(question->connection->db, question->sql.data ? question->sql.data : "",
                            (int)question->sql.len + 1, bound ? SQLITE_PREPARE_PERSISTENT : 0, out,
                            NULL);
}

static dictum_status cannot_prepare(const struct question *question) {
  return sqlite_connection_fail(question->connection, &question->table->database,
                                "SQL prepare failed", question->err);
}

/* With parameters, or, where SQLite takes none, spelled out. *bound tells which. */
static dictum_status prepare_any(struct question *question, sqlite3_stmt **out, bool *bound) {
  struct table *table = question->table;
  *bound = !atomic_load_explicit(&table->spell, memory_order_relaxed);
  int error = *bound ? prepare(question, true, out) : SQLITE_ERROR;
  if (error == SQLITE_OK)
    return DICTUM_OK;
  if (error != SQLITE_ERROR)
    return cannot_prepare(question);
  bool was_bound = *bound;
  *bound = false;
  if (prepare(question, false, out) != SQLITE_OK)
    return cannot_prepare(question);
  if (was_bound)
    atomic_store_explicit(&table->spell, true, memory_order_relaxed);
  return DICTUM_OK;
}

/* Parameters behind the first statement are not there. */
static bool bind(struct question *question, sqlite3_stmt *stmt) {
  const struct statement *statement = question->table->statement;
  for (size_t i = 0; i < sqlite_statement_nparams(statement); i++) {
    char name[32];
    snprintf(name, sizeof name, ":dictum%zu", i);
    int at = sqlite3_bind_parameter_index(stmt, name);
    text_clear(&question->values);
    if (at == 0)
      continue;
    if (!sqlite_statement_value(statement, i, question->key, &question->values) ||
        question->values.len > INT_MAX ||
        sqlite3_bind_text(stmt, at, question->values.data ? question->values.data : "",
                          (int)question->values.len, SQLITE_TRANSIENT) != SQLITE_OK)
      return false;
  }
  return true;
}

/* The statement for this key, ready to be run. It is kept when it serves for others as well. */
static dictum_status get_statement(struct question *question, sqlite3_stmt **out) {
  struct connection *connection = question->connection;
  bool bound = true;
  *out = connection->prepared;
  if (!*out) {
    dictum_status status = prepare_any(question, out, &bound);
    if (status != DICTUM_OK)
      return status;
    if (!*out)
      return question->table->database.host->fail(question->err, DICTUM_CONFIG, 0,
                                                  "%s: SQL prepare failed: the query is empty",
                                                  question->table->label);
    if (bound && sqlite_statement_is_fixed(question->table->statement))
      connection->prepared = *out;
  }
  return !bound || bind(question, *out) ? DICTUM_OK
                                        : nomem(question->table->database.host, question->err);
}

static void put_statement(struct connection *connection, sqlite3_stmt *stmt) {
  if (!stmt || stmt != connection->prepared) {
    sqlite3_finalize(stmt);
    return;
  }
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* The first column of a row, up to a NUL byte. NULL is no value. */
static dictum_status add_row(struct values *values, sqlite3_stmt *stmt) {
  if (sqlite3_column_count(stmt) == 0 || sqlite3_column_type(stmt, 0) == SQLITE_NULL)
    return DICTUM_OK;
  const char *bytes = (const char *)sqlite3_column_text(stmt, 0);
  return bytes ? values_add(values, bytes, strnlen(bytes, (size_t)sqlite3_column_bytes(stmt, 0)))
               : DICTUM_NOMEM;
}

static dictum_status join_rows(struct question *question, sqlite3_stmt *stmt, struct text *answer) {
  const struct table *table = question->table;
  const dictum_host *host = table->database.host;
  const dictum_key *whole = &question->key->whole;
  struct values values = {.host = host,
                          .slot = table->slot,
                          .label = table->label,
                          .format = &table->result,
                          .limit = table->expansion_limit,
                          .key = question->key,
                          .out = answer};
  dictum_status status = DICTUM_OK;
  int step = SQLITE_DONE;
  while (status == DICTUM_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW)
    status = add_row(&values, stmt);
  question->is_too_much = status == DICTUM_RETRY;
  if (question->is_too_much)
    return host->fail_key(question->err, DICTUM_RETRY, 0,
                          "%s: Expansion limit exceeded for key: '%.*s'", table->label,
                          values_shown(whole), whole->p);
  if (status != DICTUM_OK)
    return nomem(host, question->err);
  if (step != SQLITE_DONE)
    return sqlite_connection_fail(question->connection, &table->database, "SQL step failed",
                                  question->err);
  return answer->len > 0 ? DICTUM_OK : DICTUM_NOTFOUND;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* @param answer  emptied, then the value
 * @param broken  whether a failure is the database's */
static dictum_status find(struct table *table, struct connection *connection, const dictum_key *key,
                          struct text *answer, bool *broken, dictum_error *err) {
  const struct address address = address_of(key->p, key->n);
  struct question question = {table, connection, &address, err, false, {0}, {0}};
  sqlite3_stmt *stmt;
  text_clear(answer);
  dictum_status status = get_statement(&question, &stmt);
  if (status == DICTUM_OK)
    status = join_rows(&question, stmt, answer);
  put_statement(connection, stmt);
  text_free(&question.sql);
  text_free(&question.values);
  *broken = status != DICTUM_OK && status != DICTUM_NOTFOUND && !question.is_too_much;
  return status;
}

/* Is the database to be asked at all? @return OK; NOTFOUND: no; RETRY, CONFIG, NOMEM. */
static dictum_status is_asked(const struct table *table, const dictum_call *call,
                              const dictum_key *key, dictum_error *err) {
  const struct address address = address_of(key->p, key->n);
  if (!sqlite_statement_suits(table->statement, &address))
    return DICTUM_NOTFOUND;
  return domains_match(table->domains, call, &address, err);
}

static dictum_status sqlite_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                   dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  const dictum_key wanted = {key, len};
  struct connection *connection;
  struct text answer = {0};
  dictum_status status = is_asked(table, call, &wanted, err);
  if (status == DICTUM_OK)
    status = begin(table, call, &connection, err);
  if (status != DICTUM_OK)
    return status;
  bool broken;
  status = find(table, connection, &wanted, &answer, &broken, err);
  end(table, connection);
  if (status == DICTUM_OK)
    status = table->database.host->emit(sink, answer.data, answer.len);
  text_free(&answer);
  return status;
}

/* Too many values, or a list of domains that cannot tell, are the matter of one key: the others may
 * have an answer. Where the database fails, the keys behind are not tried: each would wait again.
 */
static dictum_status find_many(struct table *table, struct connection *connection,
                               const dictum_call *call, const dictum_key *keys, size_t n,
                               dictum_sink *sink, dictum_error *err) {
  struct text answer = {0};
  dictum_status first = DICTUM_OK;
  bool broken = false;
  size_t failed = 0;
  for (size_t i = 0; i < n && !broken; i++) {
    dictum_error *tell = first == DICTUM_OK ? err : NULL;
    dictum_status status = is_asked(table, call, &keys[i], tell);
    if (status == DICTUM_OK)
      status = find(table, connection, &keys[i], &answer, &broken, tell);
    if (status != DICTUM_OK && status != DICTUM_NOTFOUND) {
      failed++;
      first = first == DICTUM_OK || broken ? status : first;
    }
    table->database.host->emit_at(sink, i, status, answer.data, answer.len);
  }
  text_free(&answer);
  return broken || failed == n ? first : DICTUM_OK;
}

static dictum_status sqlite_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                        size_t n, dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  struct connection *connection;
  dictum_status status = begin(table, call, &connection, err);
  if (status != DICTUM_OK)
    return status;
  if (sqlite3_exec(connection->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
    status = sqlite_connection_fail(connection, &table->database, "BEGIN", err);
  else
    status = find_many(table, connection, call, keys, n, sink, err);
  /* Nothing was written. A transaction that SQLite ended by itself is no failure. */
  connection->deadline_ns = 0;
  if (!sqlite3_get_autocommit(connection->db))
    sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
  end(table, connection);
  return status;
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type sqlite_types[] = {{
    .name = "sqlite",
    .summary = "SQLite, asked as a settings file says",
    .caps = DICTUM_CAP_SETTINGS | DICTUM_CAP_MAY_WAIT,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = sqlite_opts,
    .nopts = sizeof sqlite_opts / sizeof sqlite_opts[0],
    .open = sqlite_open,
    .close = sqlite_close,
    .forget = sqlite_forget,
    .lookup = sqlite_lookup,
    .lookup_many = sqlite_lookup_many,
}};

DICTUM_PLUGIN_DEFINE(dictum_sqlite, "dictum-sqlite", PACKAGE_VERSION, sqlite_types);
