/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net.c - the module of the types socketmap, tcp and proxy, and what they share.
 *
 * THREADS: any number; each call has a connection for itself (connpool.h).
 *
 * ERRORS: whatever is about reaching a server, or about what it says, is RETRY;
 * a server's word that something is wrong for good is CONFIG.
 */
#include "net.h"

#include <stdlib.h>
#include <string.h>

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

dictum_status net_pool(const dictum_host *host, const dictum_cfg *cfg, struct endpoint *endpoint,
                       struct connpool **out, dictum_error *err) {
  struct endpoint *list = malloc(sizeof *list);
  if (!list) {
    endpoint_free(endpoint);
    return nomem(host, err);
  }
  *list = *endpoint;
  *out = connpool_new(list, 1, host->opt_int(cfg, "ipc_idle") * 1000000,
                      host->opt_int(cfg, "ipc_ttl") * 1000000);
  return *out ? DICTUM_OK : nomem(host, err);
}

dictum_status net_status(const struct fault *fault) {
  if (fault->kind == FAULT_NOMEM)
    return DICTUM_NOMEM;
  return fault->kind == FAULT_DENIED ? DICTUM_CONFIG : DICTUM_RETRY;
}

dictum_status net_endpoint(const dictum_host *host, const char *text, struct endpoint *out,
                           dictum_error *err) {
  enum endpoint_answer answer;
  if (strncmp(text, "inet:", 5) == 0)
    answer = endpoint_inet(text + 5, NULL, out);
  else if (strncmp(text, "unix:", 5) == 0)
    answer = endpoint_unix(text + 5, out);
  else if (strchr(text, ':'))
    return host->fail(err, DICTUM_CONFIG, 0, "invalid transport name: %.*s in service: %s",
                      (int)strcspn(text, ":"), text, text);
  else
    return host->fail(err, DICTUM_CONFIG, 0, "need service transport:endpoint instead of \"%s\"",
                      text);
  if (answer == ENDPOINT_NOMEM)
    return nomem(host, err);
  return answer == ENDPOINT_DONE
             ? DICTUM_OK
             : host->fail(err, DICTUM_CONFIG, 0, "malformed service endpoint: %s", text);
}

/* ---- the types ------------------------------------------------------------------------------ */

#define IPC_OPTS                                                                                   \
  {"ipc_idle", DICTUM_OPT_TIME, "5s", 0, 0, "how long an unused connection is kept"}, {            \
    "ipc_ttl", DICTUM_OPT_TIME, "1000s", 0, 0, "how long any connection is kept"                   \
  }

static const dictum_opt socketmap_opts[] = {
    {"socketmap_max_reply_size", DICTUM_OPT_BYTES, "100000", 1, INT32_MAX,
     "longest answer that is taken"},
    {"socketmap_max_query_size", DICTUM_OPT_BYTES, "10000", 1, INT32_MAX,
     "longest key that is asked for"},
    {"socketmap_pipeline", DICTUM_OPT_INT, "1", 1, 10000,
     "how many questions of a batch are under way at once"},
    IPC_OPTS,
};

static const dictum_opt tcp_opts[] = {
    {"tcp_pipeline", DICTUM_OPT_INT, "1", 1, 10000,
     "how many questions of a batch are under way at once"},
    IPC_OPTS,
};

static const dictum_opt proxy_opts[] = {
    {"queue_directory", DICTUM_OPT_STR, "", 0, 0, "where Postfix's sockets are, in private/"},
    {"proxymap_service_name", DICTUM_OPT_STR, "proxymap", 1, 0, "the socket to read through"},
    {"proxywrite_service_name", DICTUM_OPT_STR, "proxywrite", 1, 0, "the socket to change through"},
    IPC_OPTS,
};

#define METHODS(type)                                                                              \
  .threads = DICTUM_THREADS_PARALLEL, .opts = type##_opts,                                         \
  .nopts = sizeof type##_opts / sizeof type##_opts[0], .open = type##_open, .close = type##_close, \
  .forget = type##_forget, .lookup = type##_lookup, .lookup_many = type##_lookup_many

static const dictum_type net_types[] = {
    {.name = "socketmap",
     .summary = "a server of Sendmail's socketmap protocol: inet:host:port:map, unix:path:map",
     .caps = DICTUM_CAP_PATTERN | DICTUM_CAP_NETWORK | DICTUM_CAP_MAY_WAIT,
     METHODS(socketmap)},
    {.name = "tcp",
     .summary = "a server of Postfix's tcp_table protocol: host:port",
     .caps = DICTUM_CAP_PATTERN | DICTUM_CAP_NETWORK | DICTUM_CAP_MAY_WAIT,
     METHODS(tcp)},
    {.name = "proxy",
     .summary = "another table, through Postfix's proxymap where that runs: type:name",
     /* As long as the other table is not open, it may be one of patterns. */
     .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_NETWORK |
             DICTUM_CAP_MAY_WAIT | DICTUM_CAP_PATTERN,
     METHODS(proxy),
     .iter_open = proxy_iter_open,
     .iter_next = proxy_iter_next,
     .iter_close = proxy_iter_close,
     .txn_begin = proxy_txn_begin,
     .put = proxy_put,
     .del = proxy_del,
     .commit = proxy_commit,
     .abort = proxy_abort},
};

DICTUM_PLUGIN_DEFINE(dictum_net, "dictum-net", PACKAGE_VERSION, net_types);
