/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.c - asks the server for some keys: a connection, the way to ask, one new try when it is
 * stale. */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "script.h"

/* What is sent at once: enough to make the way to the server short, and no more memory than that.
 */
enum { most_keys = 1000, most_bytes = 1 << 20 };

static size_t chunk_size(const struct asking *asking, const size_t *open, size_t n) {
  size_t bytes = 0, count = 0;
  while (count < n && count < most_keys && (count == 0 || bytes < most_bytes))
    bytes += asking->keys[open[count++]].n;
  return count;
}

/* A literal with a backslash says something else to a server that is set up as of old. */
static bool is_misread(const struct table *table, PGconn *pg) {
  const char *standard = PQparameterStatus(pg, "standard_conforming_strings");
  return statement_has_backslash(table->statement) && standard && strcmp(standard, "off") == 0;
}

/* An array is only put together in an encoding in which no character has a backslash in it. */
static enum script_way first_way(const struct script *script) {
  enum { worth_a_probe = 16 };
  if (script->n == 1)
    return WAY_APART;
  bool joinable = !script->spelled && script->n >= worth_a_probe &&
                  statement_joined(script->inquiry->table->statement) &&
                  PQclientEncoding(script->conn->link) == pg_char_to_encoding("UTF8");
  return joinable ? WAY_PROBE : WAY_TOGETHER;
}

/* From the quickest way to the one that takes most, until each key has its answer. */
static enum script_outcome ask_chunk(struct script *script) {
  struct inquiry *inquiry = script->inquiry;
  struct table *table = inquiry->table;
  const char *bound = statement_bound(table->statement);
  if (is_misread(table, script->conn->link)) {
    script->status = DICTUM_CONFIG;
    strcpy(script->why, "a backslash in the query needs standard_conforming_strings = on");
    return SCRIPT_FAILED;
  }
  if (statement_is_several(table->statement))
    return script_run_simple(script);
  bool spelled = !bound || atomic_load_explicit(&table->spell, memory_order_relaxed);
  script->spelled = spelled;
  script->way = first_way(script);
  for (;;) {
    const size_t nfailed = inquiry->nfailed;
    enum script_outcome outcome = script_run(script);
    if (outcome == SCRIPT_DONE && script->spelled && !spelled && !script->is_syntax)
      atomic_store_explicit(&table->spell, true, memory_order_relaxed);
    if (outcome == SCRIPT_DONE && script->way == WAY_PROBE) {
      script->way = WAY_JOINED;
      continue;
    }
    if (outcome != SCRIPT_AGAIN)
      return outcome;
    inquiry->nfailed = nfailed;
    if (script->way > WAY_TOGETHER)
      script->way = WAY_TOGETHER;
    else if (script->is_syntax && !script->spelled)
      script->spelled = true;
    else
      script->way = WAY_APART;
  }
}

static dictum_status tell_lost(const struct inquiry *inquiry, const struct script *script) {
  const bool silent = !script->why[0];
  return inquiry->table->host->fail(inquiry->asking.err, DICTUM_RETRY, silent ? ETIMEDOUT : 0,
                                    "pgsql query failed: server %s: %s", script->conn->host->label,
                                    silent ? "no answer in time" : script->why);
}

/* What is left of the connection after a chunk. *conn becomes NULL when nothing is.
 * @return OK: go on; else why not */
static dictum_status settle(struct script *script, enum script_outcome outcome, bool *renewed,
                            struct hostpool_conn **conn) {
  const struct inquiry *inquiry = script->inquiry;
  struct hostpool *pool = pool_connections(inquiry->table->pool);
  if (outcome == SCRIPT_DONE && !script->wants_host)
    return DICTUM_OK;
  dictum_status status = DICTUM_OK;
  bool stale = outcome == SCRIPT_LOST && (*conn)->reused && !*renewed;
  if (outcome == SCRIPT_FAILED)
    status = inquiry->table->host->fail(inquiry->asking.err, script->status, 0,
                                        "pgsql query failed: server %s: %s", (*conn)->host->label,
                                        script->why);
  else if (outcome != SCRIPT_DONE && !stale)
    status = tell_lost(inquiry, script);
  *renewed |= stale;
  if (outcome == SCRIPT_FAILED)
    hostpool_drop(pool, *conn);
  else
    hostpool_drop_host(pool, *conn, !stale);
  *conn = NULL;
  return status;
}

dictum_status ask_server(struct inquiry *inquiry, const size_t *open, size_t n) {
  struct hostpool *pool = pool_connections(inquiry->table->pool);
  struct asking *asking = &inquiry->asking;
  struct hostpool_conn *conn = NULL;
  bool renewed = false;
  dictum_status status = DICTUM_OK;
  for (size_t done = 0; done < n && status == DICTUM_OK;) {
    if (!conn &&
        (status = hostpool_take(pool, asking->call->deadline_ns, &conn, asking->err)) != DICTUM_OK)
      return status;
    struct script script = {.inquiry = inquiry, .conn = conn, .open = open + done};
    script.n = chunk_size(asking, open + done, n - done);
    enum script_outcome outcome = ask_chunk(&script);
    status = settle(&script, outcome, &renewed, &conn);
    if (outcome == SCRIPT_DONE)
      done += script.n;
  }
  if (conn)
    hostpool_give(pool, conn);
  return status;
}
