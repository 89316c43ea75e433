/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.c - asks the server for some keys, one after the other: a connection, the statement, its
 * results, one new try when the connection is stale. */
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

#include "connect.h"
#include "errors.h"
#include "sigpipe.h"
#include "table.h"

/* What is left after a key was asked for. */
enum outcome {
  ANSWERED,      /* it has its answer */
  ANSWERED_LAST, /* so it has, and the connection is of no more use */
  ANSWERED_HOST, /* so it has, and another server is to be asked for the next one */
  LOST,          /* the connection ended before */
  LATE           /* the deadline passed before */
};

/* One key being asked for. */
struct question {
  struct inquiry *inquiry;
  struct hostpool_conn *conn;
  size_t key;
  bool late;
  MYSQL_RES *result; /* the first set of rows */
  bool is_several;   /* there were others */
};

/* ---- the library, without waiting in it ----------------------------------------------------- */

static int64_t deadline_of(const struct question *question) {
  return question->inquiry->asking.call->deadline_ns;
}

static int wait_for(struct question *question, int events) {
  return maria_connect_wait(question->conn->link, events, deadline_of(question), &question->late);
}

static bool send_query(struct question *question) {
  const struct text *sql = &question->inquiry->sql;
  MYSQL *my = question->conn->link;
  int error;
  int events = mysql_real_query_start(&error, my, sql->data, sql->len);
  while (events != 0)
    events = mysql_real_query_cont(&error, my, wait_for(question, events));
  return error == 0;
}

/* Keeps the first set of rows. */
static bool store_result(struct question *question) {
  MYSQL *my = question->conn->link;
  MYSQL_RES *result;
  int events = mysql_store_result_start(&result, my);
  while (events != 0)
    events = mysql_store_result_cont(&result, my, wait_for(question, events));
  if (!result)
    return mysql_errno(my) == 0;
  if (!question->result) {
    question->result = result;
    return true;
  }
  mysql_free_result(result);
  question->is_several = true;
  return true;
}

static bool next_result(struct question *question) {
  MYSQL *my = question->conn->link;
  int error;
  int events = mysql_next_result_start(&error, my);
  while (events != 0)
    events = mysql_next_result_cont(&error, my, wait_for(question, events));
  return error <= 0;
}

/* A procedure has its own status behind its rows. */
static bool run_query(struct question *question) {
  bool done = send_query(question) && store_result(question);
  while (done && mysql_more_results(question->conn->link))
    done = next_result(question) && store_result(question);
  return done && !question->late;
}

/* ---- one key -------------------------------------------------------------------------------- */

static void fail(struct question *question, bool this_key, dictum_status status, const char *why,
                 unsigned number) {
  struct asking *asking = &question->inquiry->asking;
  const char *label = question->conn->host->label;
  if (this_key)
    asking_failed_key(asking, question->key, status, "mysql query failed: server %s: %s (%u)",
                      label, why, number);
  else
    asking_failed(asking, question->key, status, 0, "mysql query failed: server %s: %s (%u)", label,
                  why, number);
}

static enum outcome take_error(struct question *question) {
  MYSQL *my = question->conn->link;
  const unsigned number = mysql_errno(my);
  const dictum_status status = maria_error_status(number);
  const bool ended = maria_error_is_end(number);
  if (question->late)
    return LATE;
  if (ended && status == DICTUM_RETRY)
    return LOST;
  bool this_key = status == DICTUM_INVALID ||
                  (status == DICTUM_CONFIG &&
                   maria_statement_is_fragile(question->inquiry->table->statement));
  fail(question, this_key, status, mysql_error(my), number);
  return ended ? ANSWERED_LAST : maria_error_is_of_host(number) ? ANSWERED_HOST : ANSWERED;
}

static void take_result(struct question *question) {
  struct inquiry *inquiry = question->inquiry;
  if (question->is_several)
    fail(question, false, DICTUM_CONFIG, "it gives several sets of rows", 0);
  else if (question->result)
    maria_answer_rows(inquiry, question->key, question->result);
  else if (inquiry->table->wants_rows)
    fail(question, false, DICTUM_CONFIG, "it gives no rows, see require_result_set", 0);
  else
    asking_absent(&inquiry->asking, question->key);
}

/* @return false when the key has its answer by that */
static bool write_query(struct question *question) {
  struct inquiry *inquiry = question->inquiry;
  const struct table *table = inquiry->table;
  MYSQL *my = question->conn->link;
  const dictum_key *key = &inquiry->asking.keys[question->key];
  const struct address address = address_of(key->p, key->n);
  if (maria_statement_has_backslash(table->statement) &&
      (my->server_status & SERVER_STATUS_NO_BACKSLASH_ESCAPES)) {
    fail(question, false, DICTUM_CONFIG,
         "a backslash in the query, which the server's sql_mode takes as it is", 0);
    return false;
  }
  text_clear(&inquiry->sql);
  switch (maria_statement_text(table->statement, my, &address, &inquiry->sql)) {
  case STATEMENT_OK:
    return true;
  case STATEMENT_UNFIT:
    asking_failed_key(&inquiry->asking, question->key, DICTUM_INVALID,
                      "%s: a key that the query cannot hold", table->label);
    return false;
  case STATEMENT_NOMEM:
    break;
  }
  asking_failed(&inquiry->asking, question->key, DICTUM_NOMEM, 0, "out of memory");
  return false;
}

static enum outcome ask_key(struct inquiry *inquiry, struct hostpool_conn *conn, size_t key) {
  struct question question = {.inquiry = inquiry, .conn = conn, .key = key};
  enum outcome outcome = ANSWERED;
  struct sigpipe saved;
  if (!write_query(&question))
    return ANSWERED;
  const bool tls = mysql_get_ssl_cipher(conn->link) != NULL;
  if (tls) {
    maria_sigpipe_block(&saved);
    /* What went wrong on another connection would be taken for this one's by the library. */
    ERR_clear_error();
  }
  if (run_query(&question))
    take_result(&question);
  else
    outcome = take_error(&question);
  mysql_free_result(question.result);
  if (tls)
    maria_sigpipe_restore(&saved);
  return outcome;
}

/* ---- all keys ------------------------------------------------------------------------------- */

static dictum_status tell_lost(struct inquiry *inquiry, const struct hostpool_conn *conn,
                               bool late) {
  return inquiry->table->host->fail(inquiry->asking.err, DICTUM_RETRY, late ? ETIMEDOUT : 0,
                                    "mysql query failed: server %s: %s", conn->host->label,
                                    late ? "no answer in time" : mysql_error(conn->link));
}

/* What is left of the connection after a key. *conn becomes NULL when nothing is.
 * @return OK: go on; else why not */
static dictum_status settle(struct inquiry *inquiry, enum outcome outcome, bool *renewed,
                            struct hostpool_conn **conn) {
  struct hostpool *pool = inquiry->table->pool;
  if (outcome == ANSWERED)
    return DICTUM_OK;
  bool stale = outcome == LOST && (*conn)->reused && !*renewed;
  dictum_status status = DICTUM_OK;
  if (!stale && (outcome == LOST || outcome == LATE))
    status = tell_lost(inquiry, *conn, outcome == LATE);
  *renewed |= stale;
  if (outcome == ANSWERED_LAST)
    hostpool_drop(pool, *conn);
  else
    hostpool_drop_host(pool, *conn, !stale);
  *conn = NULL;
  return status;
}

dictum_status maria_ask_server(struct inquiry *inquiry, const size_t *open, size_t n) {
  struct hostpool *pool = inquiry->table->pool;
  struct asking *asking = &inquiry->asking;
  struct hostpool_conn *conn = NULL;
  bool renewed = false;
  dictum_status status = DICTUM_OK;
  for (size_t done = 0; done < n && status == DICTUM_OK;) {
    if (!conn)
      status = hostpool_take(pool, asking->call->deadline_ns, &conn, asking->err);
    if (status != DICTUM_OK)
      break;
    enum outcome outcome = ask_key(inquiry, conn, open[done]);
    if (outcome != LOST && outcome != LATE)
      done++;
    status = settle(inquiry, outcome, &renewed, &conn);
  }
  if (conn)
    hostpool_give(pool, conn);
  return status;
}
