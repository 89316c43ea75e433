/* SPDX-License-Identifier: BSD-2-Clause */
/* script.c - some keys, asked over one connection in one go. */
#include "script.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "connect.h"
#include "sqlstate.h"

/* ---- the commands, by their number ---------------------------------------------------------- */

struct run {
  struct script *script;
  PGconn *pg;
  enum script_outcome outcome;
  bool limits;
  char limit[16]; /* milliseconds */
  size_t total, got;
  struct text texts; /* what is sent for each key: parameters, or a whole statement */
  size_t *offsets;   /* where it begins */
  size_t *places;    /* of the keys that can be asked at all */
  size_t n;          /* how many these are */
  const char **values;
};

enum command_kind {
  COMMAND_LIMIT,
  COMMAND_PREPARE,
  COMMAND_DESCRIBE,
  COMMAND_KEY,
  COMMAND_JOINED,
  COMMAND_SYNC
};

struct command {
  enum command_kind kind;
  size_t key; /* its number in `places` */
};

static struct command command_at(const struct run *run, size_t step) {
  static const enum command_kind probe[] = {COMMAND_PREPARE, COMMAND_DESCRIBE, COMMAND_SYNC};
  static const enum command_kind joined[] = {COMMAND_LIMIT, COMMAND_JOINED, COMMAND_SYNC};
  size_t limits = run->limits ? 1 : 0;
  if (run->script->way == WAY_PROBE)
    return (struct command){probe[step], 0};
  if (run->script->way == WAY_JOINED)
    return (struct command){joined[step + 1 - limits], 0};
  if (run->script->way == WAY_APART) {
    size_t each = limits + 2, at = step % each;
    if (at < limits)
      return (struct command){COMMAND_LIMIT, 0};
    return (struct command){at == limits ? COMMAND_KEY : COMMAND_SYNC, step / each};
  }
  size_t setup = limits + (run->script->spelled ? 0 : 1);
  if (step < limits)
    return (struct command){COMMAND_LIMIT, 0};
  if (step < setup)
    return (struct command){COMMAND_PREPARE, 0};
  if (step < setup + run->n)
    return (struct command){COMMAND_KEY, step - setup};
  return (struct command){COMMAND_SYNC, 0};
}

static size_t count_commands(const struct run *run) {
  size_t limits = run->limits ? 1 : 0;
  if (run->script->way == WAY_PROBE)
    return 3;
  if (run->script->way == WAY_JOINED)
    return limits + 2;
  if (run->script->way == WAY_APART)
    return run->n * (limits + 2);
  return limits + (run->script->spelled ? 0 : 1) + run->n + 1;
}

/* ---- sending -------------------------------------------------------------------------------- */

static int send_key(struct run *run, size_t key) {
  const struct statement *statement = run->script->inquiry->table->statement;
  const char *text = run->texts.data + run->offsets[key];
  if (run->script->spelled)
    return PQsendQueryParams(run->pg, text, 0, NULL, NULL, NULL, NULL, 0);
  int nparams = (int)statement_nparams(statement);
  statement_point(statement, text, run->values);
  if (run->script->way == WAY_TOGETHER)
    return PQsendQueryPrepared(run->pg, "", nparams, run->values, NULL, NULL, 0);
  return PQsendQueryParams(run->pg, statement_bound(statement), nparams, NULL, run->values, NULL,
                           NULL, 0);
}

/* An element of an array, in quotes. */
static bool append_element(struct text *out, const char *value) {
  bool done = text_append(out, "\"", 1);
  while (done && *value) {
    size_t plain = strcspn(value, "\"\\");
    done = text_append(out, value, plain);
    value += plain;
    if (done && *value)
      done = text_append(out, "\\", 1) && text_append(out, value++, 1);
  }
  return done && text_append(out, "\",", 2);
}

/* All values of one parameter. */
static bool append_array(struct run *run, struct text *out, size_t param) {
  bool done = text_append(out, "{", 1);
  for (size_t key = 0; key < run->n && done; key++) {
    statement_point(run->script->inquiry->table->statement, run->texts.data + run->offsets[key],
                    run->values);
    done = append_element(out, run->values[param]);
  }
  if (done)
    out->data[out->len - 1] = '}';
  return done && text_append(out, "", 1);
}

static int send_joined(struct run *run) {
  const struct statement *statement = run->script->inquiry->table->statement;
  const size_t n = statement_nparams(statement);
  struct text arrays = {0};
  bool done = true;
  for (size_t param = 0; param < n && done; param++)
    done = append_array(run, &arrays, param);
  if (!done) {
    text_free(&arrays);
    return 0;
  }
  statement_point(statement, arrays.data, run->values);
  int sent = PQsendQueryParams(run->pg, statement_joined(statement), (int)n, NULL, run->values,
                               NULL, NULL, 0);
  text_free(&arrays);
  return sent;
}

static int send_command(struct run *run, struct command command) {
  const char *limit = run->limit;
  switch (command.kind) {
  case COMMAND_LIMIT:
    return PQsendQueryParams(run->pg, "SELECT set_config('statement_timeout', $1, true)", 1, NULL,
                             &limit, NULL, NULL, 0);
  case COMMAND_PREPARE:
    return PQsendPrepare(run->pg, "", statement_bound(run->script->inquiry->table->statement), 0,
                         NULL);
  case COMMAND_DESCRIBE:
    return PQsendDescribePrepared(run->pg, "");
  case COMMAND_KEY:
    return send_key(run, command.key);
  case COMMAND_JOINED:
    return send_joined(run);
  case COMMAND_SYNC:
    break;
  }
  return PQpipelineSync(run->pg);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void remember(struct script *script, const char *message) {
  size_t len = strcspn(message, "\n");
  if (len >= sizeof script->why)
    len = sizeof script->why - 1;
  memcpy(script->why, message, len);
  script->why[len] = '\0';
}

static const char *primary_message(const PGresult *result) {
  const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return text ? text : PQresultErrorMessage(result);
}

/* An error after which there is no session. */
static bool is_fatal(const PGresult *result) {
  const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (!severity)
    severity = PQresultErrorField(result, PG_DIAG_SEVERITY);
  return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void fail_all(struct run *run, dictum_status status, const char *message) {
  run->outcome = SCRIPT_FAILED;
  run->script->status = status;
  remember(run->script, message);
}

/* What a function in the database raises is about what it was asked. */
static void fail_key(struct script *script, size_t place, dictum_status status, const char *state,
                     const char *message) {
  struct asking *asking = &script->inquiry->asking;
  const char *label = script->conn->host->label;
  /* P0: what a function raised; 22: what the data are no good for. */
  if (status == DICTUM_INVALID ||
      (state && (strncmp(state, "P0", 2) == 0 || strncmp(state, "22", 2) == 0)))
    asking_failed_key(asking, place, status, "pgsql query failed: server %s: %s (%s)", label,
                      message, state ? state : "no SQLSTATE");
  else
    asking_failed(asking, place, status, 0, "pgsql query failed: server %s: %s (%s)", label,
                  message, state ? state : "no SQLSTATE");
}

/* The server refuses one key, or the statement for it. */
static void take_key_error(struct run *run, size_t key, const PGresult *result) {
  struct script *script = run->script;
  struct inquiry *inquiry = script->inquiry;
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  bool syntax = sqlstate_is_syntax(state);
  script->is_syntax |= syntax;
  script->wants_host |= state && strcmp(state, "25006") == 0;
  if (script->way != WAY_APART || (syntax && !script->spelled)) {
    run->outcome = SCRIPT_AGAIN;
    return;
  }
  dictum_status status = sqlstate_status(state);
  if (status != DICTUM_INVALID) {
    inquiry->nfailed++;
    inquiry->failure = status;
  }
  fail_key(script, run->places[key], status, state, primary_message(result));
}

static void take_error(struct run *run, struct command command, const PGresult *result) {
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (is_fatal(result) || !state || PQstatus(run->pg) == CONNECTION_BAD) {
    run->outcome = SCRIPT_LOST;
    remember(run->script, primary_message(result));
    return;
  }
  if (command.kind == COMMAND_KEY) {
    take_key_error(run, command.key, result);
    return;
  }
  run->script->is_syntax |= command.kind == COMMAND_PREPARE && sqlstate_is_syntax(state);
  if (command.kind != COMMAND_LIMIT)
    run->outcome = SCRIPT_AGAIN;
  else
    fail_all(run, sqlstate_status(state), primary_message(result));
}

/* Rows come key by key; a key without any is not found. */
static void take_joined(struct run *run, const PGresult *result) {
  int row = 0, n = PQntuples(result);
  if (PQresultStatus(result) != PGRES_TUPLES_OK || PQnfields(result) < 1) {
    run->outcome = SCRIPT_AGAIN;
    return;
  }
  for (size_t key = 0; key < run->n; key++) {
    int from = row;
    while (row < n && strtoull(PQgetvalue(result, row, 0), NULL, 10) == key + 1)
      row++;
    answer_rows(run->script->inquiry, run->places[key], result, from, row, 1);
  }
  if (row < n)
    run->outcome = SCRIPT_AGAIN;
}

static void take_rows(struct run *run, struct command command, const PGresult *result) {
  enum { text_oid = 25 };
  if (command.kind == COMMAND_KEY)
    answer_rows(run->script->inquiry, run->places[command.key], result, 0, PQntuples(result), 0);
  if (command.kind == COMMAND_JOINED)
    take_joined(run, result);
  for (int i = 0; command.kind == COMMAND_DESCRIBE && i < PQnparams(result); i++)
    if (PQparamtype(result, i) != text_oid)
      run->outcome = SCRIPT_AGAIN;
}

static void take_result(struct run *run, struct command command, const PGresult *result) {
  switch (PQresultStatus(result)) {
  case PGRES_PIPELINE_SYNC:
    if (command.kind != COMMAND_SYNC)
      fail_all(run, DICTUM_RETRY, "an answer is missing");
    else
      run->got++;
    break;
  case PGRES_TUPLES_OK:
  case PGRES_COMMAND_OK:
  case PGRES_EMPTY_QUERY:
    take_rows(run, command, result);
    break;
  case PGRES_PIPELINE_ABORTED:
    break;
  case PGRES_FATAL_ERROR:
    take_error(run, command, result);
    break;
  default:
    fail_all(run, DICTUM_CONFIG, "the query is of a kind that gives no rows");
  }
}

static bool is_over(const struct run *run) {
  return run->got >= run->total || run->outcome == SCRIPT_LOST || run->outcome == SCRIPT_FAILED;
}

/* Takes what has arrived. NULL ends the results of a command, but those of a sync. */
static void drain(struct run *run) {
  while (!is_over(run) && !PQisBusy(run->pg)) {
    PGresult *result = PQgetResult(run->pg);
    if (result)
      take_result(run, command_at(run, run->got), result);
    else if (PQstatus(run->pg) == CONNECTION_BAD)
      run->outcome = SCRIPT_LOST;
    else if (command_at(run, run->got).kind != COMMAND_SYNC)
      run->got++;
    else
      fail_all(run, DICTUM_RETRY, "an answer is missing");
    PQclear(result);
  }
}

static void lose(struct run *run) {
  drain(run);
  if (run->outcome == SCRIPT_LOST || run->outcome == SCRIPT_FAILED)
    return;
  run->outcome = SCRIPT_LOST;
  remember(run->script, PQerrorMessage(run->pg));
}

/* Reads and writes until all is answered. */
static void converse(struct run *run) {
  const int64_t deadline = run->script->inquiry->asking.call->deadline_ns;
  while (!is_over(run)) {
    int unsent = PQflush(run->pg);
    drain(run);
    if (is_over(run))
      return;
    if (unsent < 0) {
      lose(run);
      return;
    }
    short events = connect_wait(run->pg, unsent > 0, deadline);
    if (events == 0) {
      run->outcome = SCRIPT_TIMED_OUT;
      return;
    }
    if ((events & ~POLLOUT) && !PQconsumeInput(run->pg)) {
      lose(run);
      return;
    }
  }
}

/* ---- a run ---------------------------------------------------------------------------------- */

static void refuse_key(struct script *script, size_t place) {
  asking_failed_key(&script->inquiry->asking, place, DICTUM_INVALID,
                    "%s: a key that the query cannot hold", script->inquiry->table->label);
}

static enum statement_answer append_key(struct run *run, size_t place) {
  const struct script *script = run->script;
  const struct statement *statement = script->inquiry->table->statement;
  const dictum_key *key = &script->inquiry->asking.keys[place];
  const struct address address = address_of(key->p, key->n);
  return script->spelled ? statement_spell(statement, run->pg, &address, &run->texts)
                         : statement_append_values(statement, &address, &run->texts);
}

/* Puts together what will be sent. @return false when memory is out */
static bool prepare_keys(struct run *run) {
  struct script *script = run->script;
  run->offsets = calloc(script->n + 1, sizeof *run->offsets);
  run->places = calloc(script->n + 1, sizeof *run->places);
  run->values = calloc(statement_nparams(script->inquiry->table->statement) + 1,
                       sizeof *run->values);
  if (!run->offsets || !run->places || !run->values || !text_append(&run->texts, "", 0))
    return false;
  for (size_t i = 0; i < script->n; i++) {
    size_t offset = run->texts.len;
    switch (append_key(run, script->open[i])) {
    case STATEMENT_OK:
      run->offsets[run->n] = offset;
      run->places[run->n++] = script->open[i];
      break;
    case STATEMENT_UNFIT:
      run->texts.len = offset;
      refuse_key(script, script->open[i]);
      break;
    case STATEMENT_NOMEM:
      return false;
    }
  }
  return true;
}

static void free_run(struct run *run) {
  text_free(&run->texts);
  free(run->offsets);
  free(run->places);
  free(run->values);
}

static void set_limit(struct run *run) {
  const struct inquiry *inquiry = run->script->inquiry;
  const int64_t deadline = inquiry->asking.call->deadline_ns;
  run->limits = inquiry->table->limits_statements && deadline != 0;
  int left = clock_left_ms(deadline);
  snprintf(run->limit, sizeof run->limit, "%d", left > 0 ? left : 1);
}

enum script_outcome script_run(struct script *script) {
  struct run run = {.script = script, .pg = script->conn->link};
  script->is_syntax = false;
  set_limit(&run);
  if (!prepare_keys(&run)) {
    fail_all(&run, DICTUM_NOMEM, "out of memory");
    free_run(&run);
    return run.outcome;
  }
  run.total = run.n > 0 ? count_commands(&run) : 0;
  for (size_t step = 0; step < run.total && run.outcome == SCRIPT_DONE; step++)
    if (!send_command(&run, command_at(&run, step)))
      lose(&run);
  if (run.outcome == SCRIPT_DONE)
    converse(&run);
  free_run(&run);
  return run.outcome;
}

/* ---- the simple protocol -------------------------------------------------------------------- */

/* Waits for all results of a query, and keeps the last one. */
static PGresult *last_result(struct run *run) {
  const int64_t deadline = run->script->inquiry->asking.call->deadline_ns;
  PGresult *last = NULL;
  for (;;) {
    int unsent = PQflush(run->pg);
    while (!PQisBusy(run->pg)) {
      PGresult *result = PQgetResult(run->pg);
      if (!result)
        return last;
      PQclear(last);
      last = result;
      if (PQresultStatus(last) == PGRES_COPY_IN || PQresultStatus(last) == PGRES_COPY_OUT)
        return last;
    }
    short events = unsent < 0 ? POLLERR : connect_wait(run->pg, unsent > 0, deadline);
    if (events == 0)
      run->outcome = SCRIPT_TIMED_OUT;
    else if (unsent < 0 || ((events & ~POLLOUT) && !PQconsumeInput(run->pg)))
      run->outcome = SCRIPT_LOST;
    if (run->outcome == SCRIPT_DONE)
      continue;
    remember(run->script, PQerrorMessage(run->pg));
    PQclear(last);
    return NULL;
  }
}

static void ask_simply(struct run *run, size_t key) {
  struct text text = {0};
  char limit[80];
  int len = snprintf(limit, sizeof limit, "SELECT set_config('statement_timeout', '%s', true); ",
                     run->limit);
  const char *query = run->texts.data + run->offsets[key];
  if ((run->limits && !text_append(&text, limit, (size_t)len)) ||
      !text_append(&text, query, strlen(query))) {
    fail_all(run, DICTUM_NOMEM, "out of memory");
  } else if (!PQsendQuery(run->pg, text.data)) {
    run->outcome = SCRIPT_LOST;
    remember(run->script, PQerrorMessage(run->pg));
  } else {
    PGresult *result = last_result(run);
    if (result)
      take_result(run, (struct command){COMMAND_KEY, key}, result);
    PQclear(result);
  }
  text_free(&text);
}

enum script_outcome script_run_simple(struct script *script) {
  struct run run = {.script = script, .pg = script->conn->link};
  script->is_syntax = false;
  script->way = WAY_APART;
  script->spelled = true;
  set_limit(&run);
  if (!prepare_keys(&run))
    fail_all(&run, DICTUM_NOMEM, "out of memory");
  else if (!PQexitPipelineMode(run.pg))
    run.outcome = SCRIPT_LOST;
  run.limits &= run.outcome == SCRIPT_DONE;
  for (size_t i = 0; i < run.n && run.outcome == SCRIPT_DONE; i++)
    ask_simply(&run, i);
  if (run.outcome == SCRIPT_DONE && !PQenterPipelineMode(run.pg))
    run.outcome = SCRIPT_LOST;
  free_run(&run);
  return run.outcome;
}
