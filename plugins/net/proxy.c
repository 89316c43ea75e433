/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proxy.c - the type proxy: another table, through Postfix's proxymap(8) where that runs.
 *
 * Where the socket $queue_directory/private/$proxymap_service_name is when the
 * table is opened (to be changed: $proxywrite_service_name), the server there is
 * asked; it alone says which tables may be. Everywhere else the other table is
 * opened here: what a proxy is for, a table that many processes share, is then
 * left out, and the answers are the same.
 */
#include "proxymap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "clock.h"

struct proxy {
  const dictum_host *host;
  struct proxymap *server; /* or NULL */
  dictum_table *inner;     /* or NULL */
};

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

/* ---- life ----------------------------------------------------------------------------------- */

void proxy_close(void *self) {
  struct proxy *proxy = self;
  proxymap_close(proxy->server);
  if (proxy->inner)
    proxy->host->tables->close(proxy->inner);
  free(proxy);
}

void proxy_forget(void *self) {
  struct proxy *proxy = self;
  proxymap_forget(proxy->server);
  if (proxy->inner)
    proxy->host->tables->close(proxy->inner);
  free(proxy);
}

/* A table that cannot be opened leaves this one closed, too: core tries this one again. Values are
 * decoded once, on the way out of this table. */
static dictum_status open_inner(struct proxy *proxy, const dictum_open_args *args,
                                dictum_error *err) {
  const uint32_t flags = args->flags & ~(uint32_t)(DICTUM_OPEN_DEGRADE | DICTUM_OPEN_FILES);
  const uint32_t ours = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE |
                        DICTUM_CAP_PATTERN | DICTUM_CAP_NETWORK | DICTUM_CAP_MAY_WAIT;
  const dictum_tables *tables = proxy->host->tables;
  dictum_status status = tables->open(args->slot, args->name, flags, &proxy->inner, err);
  if (status == DICTUM_OK)
    proxy->host->note_caps(args->slot, tables->caps(proxy->inner) & ours);
  return status;
}

static dictum_status open_server(struct proxy *proxy, const dictum_open_args *args,
                                 const char *path, const char *service, dictum_error *err) {
  bool is_pattern;
  dictum_status status = proxymap_open(proxy->host, args, path, service, &proxy->server,
                                       &is_pattern, err);
  if (status == DICTUM_OK)
    proxy->host->note_caps(args->slot, DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_NETWORK |
                                           DICTUM_CAP_MAY_WAIT |
                                           (is_pattern ? DICTUM_CAP_PATTERN : 0));
  return status;
}

static bool is_socket(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static dictum_status open_any(struct proxy *proxy, const dictum_open_args *args,
                              dictum_error *err) {
  const dictum_host *host = proxy->host;
  const char *queue = host->opt_str(args->cfg, "queue_directory");
  const char *service = host->opt_str(args->cfg, args->flags & DICTUM_OPEN_WRITE
                                                     ? "proxywrite_service_name"
                                                     : "proxymap_service_name");
  char *path;
  if (asprintf(&path, "%s/private/%s", queue, service) < 0)
    return nomem(host, err);
  dictum_status status = *queue && is_socket(path) ? open_server(proxy, args, path, service, err)
                                                   : open_inner(proxy, args, err);
  free(path);
  return status;
}

dictum_status proxy_open(const dictum_host *host, const dictum_open_args *args, void **self,
                         dictum_error *err) {
  struct proxy *proxy = calloc(1, sizeof *proxy);
  if (!proxy)
    return nomem(host, err);
  proxy->host = host;
  dictum_status status = open_any(proxy, args, err);
  if (status != DICTUM_OK) {
    proxy_close(proxy);
    return status;
  }
  *self = proxy;
  return DICTUM_OK;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* All keys go to the other table in one batch. */
static dictum_status ask_inner(const struct proxy *proxy, struct asking *asking) {
  dictum_req *reqs = calloc(asking->n, sizeof *reqs);
  dictum_buf arena = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  if (!reqs)
    return nomem(proxy->host, asking->err);
  for (size_t i = 0; i < asking->n; i++)
    reqs[i] = (dictum_req){.key = asking->keys[i].p, .keylen = asking->keys[i].n};
  dictum_status status = proxy->host->tables->lookup_many(proxy->inner, asking->call, reqs,
                                                          asking->n, &arena, &err);
  for (size_t i = 0; i < asking->n; i++) {
    dictum_status of_key = status == DICTUM_OK ? reqs[i].status : status;
    if (of_key == DICTUM_OK)
      asking_found(asking, i, arena.data + reqs[i].off, reqs[i].len);
    else if (of_key == DICTUM_NOTFOUND)
      asking_absent(asking, i);
    else if (err.flags & DICTUM_ERROR_THIS_KEY)
      asking_failed_key(asking, i, of_key, "%s", err.what);
    else
      asking_failed(asking, i, of_key, err.sys_errno, "%s", err.what);
  }
  proxy->host->tables->buf_free(&arena);
  free(reqs);
  return asking_status(asking);
}

static dictum_status ask(const struct proxy *proxy, struct asking *asking) {
  return proxy->server ? proxymap_ask(proxy->server, asking) : ask_inner(proxy, asking);
}

dictum_status proxy_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                           dictum_sink *sink, dictum_error *err) {
  const struct proxy *proxy = self;
  const dictum_key wanted = {key, len};
  struct asking asking = asking_one(proxy->host, call, &wanted, sink, err);
  return ask(proxy, &asking);
}

dictum_status proxy_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                size_t n, dictum_sink *sink, dictum_error *err) {
  const struct proxy *proxy = self;
  struct asking asking = asking_many(proxy->host, call, keys, n, sink, err);
  return ask(proxy, &asking);
}

/* ---- the walk: the other table's ------------------------------------------------------------- */

struct walk {
  const struct proxy *proxy;
  dictum_iter *inner;
};

dictum_status proxy_iter_open(void *self, const dictum_call *call, void **iter, dictum_error *err) {
  const struct proxy *proxy = self;
  struct walk *walk = malloc(sizeof *walk);
  (void)call;
  if (!walk)
    return nomem(proxy->host, err);
  walk->proxy = proxy;
  dictum_status status = proxy->host->tables->iter_open(proxy->inner, &walk->inner, err);
  if (status == DICTUM_OK)
    *iter = walk;
  else
    free(walk);
  return status;
}

dictum_status proxy_iter_next(void *iter, dictum_rec *rec, dictum_error *err) {
  struct walk *walk = iter;
  dictum_entry entry;
  dictum_status status = walk->proxy->host->tables->iter_next(walk->inner, &entry, err);
  if (status == DICTUM_OK)
    *rec = (dictum_rec){{entry.key, entry.keylen}, {entry.value, entry.valuelen}};
  return status;
}

void proxy_iter_close(void *iter) {
  struct walk *walk = iter;
  walk->proxy->host->tables->iter_close(walk->inner);
  free(walk);
}

/* ---- changes: the other table's, or one by one through the server -----------------------------
 */

struct change {
  const struct proxy *proxy;
  dictum_txn *inner;   /* NULL: through the server */
  int64_t patience_ns; /* for each request; 0: the usual */
};

dictum_status proxy_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                              dictum_error *err) {
  const struct proxy *proxy = self;
  struct change *change = calloc(1, sizeof *change);
  if (!change)
    return nomem(proxy->host, err);
  change->proxy = proxy;
  if (args->deadline_ns) {
    int64_t left = args->deadline_ns - clock_now();
    change->patience_ns = left > 0 ? left : 1;
  }
  dictum_status status = DICTUM_OK;
  if (proxy->inner)
    status = proxy->host->tables->txn_begin(proxy->inner, DICTUM_TXN_UPDATE, args->file_mode,
                                            &change->inner, err);
  if (status == DICTUM_OK)
    *txn = change;
  else
    free(change);
  return status;
}

static int64_t deadline_of(const struct change *change) {
  return change->patience_ns ? clock_now() + change->patience_ns : 0;
}

/* The server itself would replace what is there. */
static dictum_status put_through(const struct change *change, const dictum_rec *rec, uint32_t dup,
                                 dictum_error *err) {
  const struct proxy *proxy = change->proxy;
  if (dup != DICTUM_DUP_REPLACE) {
    dictum_status status = proxymap_has(proxy->server, deadline_of(change), &rec->key, err);
    if (status == DICTUM_OK && dup == DICTUM_DUP_IGNORE)
      return DICTUM_OK;
    if (status == DICTUM_OK)
      return proxy->host->fail(err, DICTUM_EXISTS, 0, "duplicate entry: \"%.*s\"",
                               (int)(rec->key.n < 100 ? rec->key.n : 100), rec->key.p);
    if (status != DICTUM_NOTFOUND)
      return status;
  }
  return proxymap_update(proxy->server, deadline_of(change), rec, err);
}

dictum_status proxy_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  const struct change *change = txn;
  if (!change->inner)
    return put_through(change, rec, dup, err);
  const dictum_entry entry = {rec->key.p, rec->key.n, rec->value.p, rec->value.n, 0};
  return change->proxy->host->tables->txn_put(change->inner, &entry, (dictum_dup)dup, err);
}

dictum_status proxy_del(void *txn, const char *key, size_t len, dictum_error *err) {
  const struct change *change = txn;
  const dictum_key wanted = {key, len};
  return change->inner ? change->proxy->host->tables->txn_del(change->inner, key, len, err)
                       : proxymap_delete(change->proxy->server, deadline_of(change), &wanted, err);
}

dictum_status proxy_commit(void *txn, dictum_error *err) {
  struct change *change = txn;
  dictum_status status = DICTUM_OK;
  if (change->inner)
    status = change->proxy->host->tables->txn_commit(change->inner, err);
  free(change);
  return status;
}

void proxy_abort(void *txn) {
  struct change *change = txn;
  if (change->inner)
    change->proxy->host->tables->txn_abort(change->inner);
  free(change);
}
