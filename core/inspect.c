/* SPDX-License-Identifier: BSD-2-Clause */
/* inspect.c - the health of a table and of those that it is made of, and flushing its caches. */
#include <string.h>

#include "error.h"
#include "table.h"

static const char probe_key[] = "dictum-probe";

/* One walk over the nodes of a table. */
struct inspection {
  dictum_table *table;
  uint32_t flags;
  int (*each)(void *rock, const dictum_node_info *node);
  void *rock;
};

/* The key needs no folding, and its answer is of no interest. */
static dictum_status probe(struct inspection *in, struct node *node, dictum_error *why) {
  const dictum_call call = table_call(in->table);
  const dictum_key key = {probe_key, sizeof probe_key - 1};
  const struct node_keys keys = {&key, &key, 1};
  dictum_buf value = {0};
  dictum_req req = {.key = key.p, .keylen = key.n};
  dictum_sink sink = {.reqs = &req, .n = 1, .arena = &value};
  dictum_status status = node->ops->lookup(node, &call, &keys, &sink, why);
  dictum_buf_free(&value);
  return status == DICTUM_OK ? req.status : status;
}

static int inspect(struct inspection *in, struct node *node, uint32_t depth) {
  dictum_node_info info = {.size = sizeof info, .depth = depth, .spec = node->spec, .reason = ""};
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status probed = DICTUM_OK;
  if (!node->children && (in->flags & DICTUM_INSPECT_PROBE))
    probed = probe(in, node, &why);
  char reason[sizeof why.what] = "";
  info.reason = reason;
  if (node->ops->inspect)
    node->ops->inspect(node, &info, reason, sizeof reason);
  if (probed == DICTUM_NOTFOUND || probed == DICTUM_INVALID)
    probed = DICTUM_OK;
  /* What took the table out of service says more than that it is. */
  if (probed != DICTUM_OK && info.status == DICTUM_OK) {
    info.status = probed;
    info.reason = why.what;
  }
  int stop = in->each(in->rock, &info);
  for (struct node **child = node->children; child && *child && !stop; child++)
    stop = inspect(in, *child, depth + 1);
  return stop;
}

dictum_status dictum_inspect(dictum_table *table, uint32_t flags,
                             int (*each)(void *rock, const dictum_node_info *node), void *rock,
                             dictum_error *err) {
  (void)err;
  struct inspection in = {table, flags, each, rock};
  inspect(&in, table->node, 0);
  return DICTUM_OK;
}

/* ---- flushing ------------------------------------------------------------------------------- */

/* Goes on after a failure: as much as possible is to be dropped. What is below comes first, or a
 * lookup could fill a cache from it anew. */
static dictum_status flush(struct node *node, const struct node_keys *key, bool *any,
                           dictum_error *err) {
  dictum_status first = DICTUM_OK;
  for (struct node **child = node->children; child && *child; child++) {
    dictum_status status = flush(*child, key, any, first == DICTUM_OK ? err : NULL);
    if (first == DICTUM_OK)
      first = status;
  }
  if (!node->ops->flush)
    return first;
  *any = true;
  dictum_status status = node->ops->flush(node, key, first == DICTUM_OK ? err : NULL);
  if (first != DICTUM_OK || status == DICTUM_OK)
    return first;
  return error_where(err, status, node->spec);
}

static dictum_status flush_key(dictum_table *table, const char *key, size_t keylen, bool *any,
                               dictum_error *err) {
  struct key_scratch scratch;
  scratch.large = (dictum_buf){0};
  const dictum_key raw = {key, keylen};
  dictum_key folded;
  dictum_status status = table_key(table, key, keylen, &scratch, &folded, err);
  const struct node_keys keys = {&raw, &folded, 1};
  if (status == DICTUM_OK)
    status = flush(table->node, &keys, any, err);
  dictum_buf_free(&scratch.large);
  return status;
}

dictum_status dictum_flush(dictum_table *table, const char *key, size_t keylen, dictum_error *err) {
  bool any = false;
  dictum_status status = key ? flush_key(table, key, keylen, &any, err)
                             : flush(table->node, NULL, &any, err);
  if (status == DICTUM_OK && !any)
    status = error_set(err, DICTUM_UNSUPPORTED, 0, "there is no cache in this table");
  return status == DICTUM_OK ? DICTUM_OK : table_failed(table, status, err);
}
