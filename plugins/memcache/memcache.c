/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcache.c - the type memcache: tables in memcached servers, with or without a table behind them.
 *
 * PROTOCOL: memcached's text protocol, by libmemcached. A key is formed
 * (keyform.h), belongs to one server (server.h), and is asked for there, alone
 * or with others in one command (exchange.h).
 *
 * BACKUP: another table. It answers for what memcached does not have or cannot
 * tell, and what it has is stored in memcached. Its word counts: also "no such
 * key" in place of a failure of memcached's.
 *
 * THREADS: any number; each call has a connection for itself. Nothing waits
 * longer than the deadline, and nothing sleeps: pauses are core's.
 *
 * ERRORS: status.h. A server that is down is no reason not to open a table.
 */
#include "memcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static const dictum_opt memcache_opts[] = {
    {"memcache", DICTUM_OPT_STR, "inet:localhost:11211", 0, 0,
     "servers: inet:host:port, unix:path, one or several"},
    {"backup", DICTUM_OPT_STR, "", 0, 0, "table that is asked after memcached, type:name"},
    {"flags", DICTUM_OPT_INT, "0", 0, UINT32_MAX, "number that is stored with each value"},
    {"ttl", DICTUM_OPT_INT, "3600", 0, 0, "seconds for which a value is kept"},
    {"key_format", DICTUM_OPT_STR, "%s", 0, 0, "memcached's key: %s, %u, %d, %1 to %9"},
    {"key_digest", DICTUM_OPT_STR, "", 0, 0, "use this digest of the key, such as sha256"},
    {"data_size_limit", DICTUM_OPT_INT, "10240", 1, INT32_MAX, "longest value, in bytes"},
    {"line_size_limit", DICTUM_OPT_INT, "1024", 1, INT32_MAX, "longest line of a reply, in bytes"},
    {"max_try", DICTUM_OPT_INT, "2", 1, INT32_MAX, "1: ask once; more: once more after a failure"},
    {"retry_pause", DICTUM_OPT_INT, "1", 1, INT32_MAX, "without effect: nothing ever pauses"},
    {"timeout", DICTUM_OPT_INT, "2", 0, INT32_MAX, "seconds for one exchange with a server"},
    {"domain", DICTUM_OPT_STR, "", 0, 0, "only addresses in these domains are looked up"},
};

/* ---- limits of time, and single values ------------------------------------------------------ */

int64_t memcache_until(const struct memcache *table, int64_t deadline_ns) {
  if (!table->timeout_ns && !deadline_ns)
    return 0;
  int64_t now = clock_now();
  if (!deadline_ns)
    return now + table->timeout_ns;
  int64_t left = deadline_ns - now;
  if (table->backup)
    left /= 2;
  return now + (table->timeout_ns && table->timeout_ns < left ? table->timeout_ns : left);
}

static struct server *server_of(const struct memcache *table, const dictum_key *key) {
  return &table->servers.list[memcache_servers_place(&table->servers, key->p, key->n)];
}

dictum_status memcache_remove(const struct memcache *table, const dictum_key *key,
                              int64_t deadline_ns, dictum_error *err) {
  const struct order order = {.kind = ORDER_DELETE, .key = *key};
  return memcache_order(&table->terms, server_of(table, key), memcache_until(table, deadline_ns),
                        &order, err);
}

dictum_status memcache_store(const struct memcache *table, const dictum_key *key,
                             const dictum_key *value, bool only_new, int64_t deadline_ns,
                             dictum_error *err) {
  const struct order order = {.kind = only_new ? ORDER_ADD : ORDER_SET,
                              .key = *key,
                              .value = *value,
                              .ttl = table->ttl,
                              .flags = table->flags};
  if (value->n <= table->terms.value_max)
    return memcache_order(&table->terms, server_of(table, key), memcache_until(table, deadline_ns),
                          &order, err);
  if (!only_new) {
    dictum_status status = memcache_remove(table, key, deadline_ns, err);
    if (status != DICTUM_OK && status != DICTUM_NOTFOUND)
      return status;
  }
  return table->host->fail(err, DICTUM_INVALID, 0,
                           "key \"%.*s\": value of %zu bytes is too long (data_size_limit=%zu): "
                           "not stored",
                           (int)key->n, key->p, value->n, table->terms.value_max);
}

void memcache_tell(const struct memcache *table, struct server *server, const dictum_error *err) {
  bool down = err != NULL;
  if (atomic_load_explicit(&server->down, memory_order_relaxed) == down ||
      atomic_exchange(&server->down, down) == down)
    return;
  if (down)
    table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE, "%s", err->what);
  else
    table->host->log(table->slot, DICTUM_LEVEL_INFO, DICTUM_CODE_NONE, "%s is back", server->label);
}

/* ---- life ----------------------------------------------------------------------------------- */

/* What is not about the locks and connections of this process. */
static void free_rest(struct memcache *table) {
  memcache_keyform_close(&table->form);
  if (table->backup)
    table->host->tables->close(table->backup);
  free(table);
}

static void memcache_close(void *self) {
  struct memcache *table = self;
  memcache_servers_close(&table->servers);
  free_rest(table);
}

static void memcache_forget(void *self) {
  struct memcache *table = self;
  memcache_servers_forget(&table->servers);
  free_rest(table);
}

static void take_numbers(struct memcache *table, const struct settings *settings) {
  table->terms.host = settings->host;
  table->terms.value_max = (size_t)settings_number(settings, "data_size_limit");
  table->terms.line_max = (size_t)settings_number(settings, "line_size_limit");
  table->terms.retries = settings_number(settings, "max_try") > 1;
  table->timeout_ns = settings_number(settings, "timeout") * 1000000000;
  table->ttl = settings_number(settings, "ttl");
  table->flags = (uint32_t)settings_number(settings, "flags");
}

/* Values are decoded once, on the way out of this table. */
static dictum_status open_backup(struct memcache *table, const struct settings *settings) {
  const dictum_open_args *args = settings->args;
  const char *spec = settings_text(settings, "backup");
  const uint32_t flags = args->flags & ~(uint32_t)DICTUM_OPEN_FILES;
  return *spec ? table->host->tables->open(args->slot, spec, flags, &table->backup, settings->err)
               : DICTUM_OK;
}

static dictum_status memcache_open(const dictum_host *host, const dictum_open_args *args,
                                   void **self, dictum_error *err) {
  const struct settings settings = {host, args, err};
  struct memcache *table = calloc(1, sizeof *table);
  if (!table)
    return settings_nomem(&settings);
  table->host = host;
  table->slot = args->slot;
  take_numbers(table, &settings);
  dictum_status status = memcache_servers_open(&table->servers, &settings);
  table->terms.alone = table->servers.n == 1;
  if (status == DICTUM_OK)
    status = memcache_keyform_open(&table->form, &settings);
  if (status == DICTUM_OK)
    status = open_backup(table, &settings);
  if (status != DICTUM_OK) {
    memcache_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type memcache_types[] = {
    {.name = "memcache",
     .summary = "memcached servers, with or without a table behind them",
     .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_NETWORK |
             DICTUM_CAP_MAY_WAIT | DICTUM_CAP_SETTINGS,
     .threads = DICTUM_THREADS_PARALLEL,
     .opts = memcache_opts,
     .nopts = sizeof memcache_opts / sizeof memcache_opts[0],
     .open = memcache_open,
     .close = memcache_close,
     .forget = memcache_forget,
     .lookup = memcache_lookup,
     .lookup_many = memcache_lookup_many,
     .iter_open = memcache_iter_open,
     .iter_next = memcache_iter_next,
     .iter_close = memcache_iter_close,
     .txn_begin = memcache_txn_begin,
     .put = memcache_put,
     .del = memcache_del,
     .commit = memcache_commit,
     .abort = memcache_abort},
};

DICTUM_PLUGIN_DEFINE(dictum_memcache, "dictum-memcache", PACKAGE_VERSION, memcache_types);
