/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * txn.c - changing a table: single entries in place, or the whole content.
 *
 * The new content is gathered here first and handed to the plugin at commit,
 * each key once and in the order in which its kind of file is written fastest.
 */
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "bulk.h"
#include "error.h"
#include "event.h"
#include "fold.h"
#include "table.h"

enum { default_file_mode = 0644 };

struct dictum_txn {
  dictum_table *table;
  void *nodes;       /* the node's transaction */
  struct bulk *bulk; /* REPLACE_ALL: the new content; else NULL */
  struct key_scratch key;
};

static void txn_free(dictum_txn *txn) {
  bulk_free(txn->bulk);
  dictum_buf_free(&txn->key.large);
  free(txn);
}

static uint64_t bucket_of(void *rock, const char *key, size_t len) {
  dictum_txn *txn = rock;
  struct node *node = txn->table->node;
  return node->ops->bucket(node, txn->nodes, key, len);
}

/* Beside the table: there is room for it, and so for what it is made of. What is under the folder
 * of temporary files may be memory. */
static struct bulk *new_bulk(dictum_txn *txn) {
  dictum_table *table = txn->table;
  const struct bulk_plan plan = {table->node->ops->load_order(table->node), bucket_of, txn,
                                 table->ctx->build_memory};
  dictum_table_info info = {.size = sizeof info};
  dictum_table_describe(table, &info);
  if (!info.file) {
    const char *folder = secure_getenv("TMPDIR");
    return bulk_new(&plan, folder ? folder : "/var/tmp");
  }
  char *path = realpath(info.file, NULL); /* it may be a link to a file elsewhere */
  if (!path)
    path = strdup(info.file);
  struct bulk *bulk = path ? bulk_new(&plan, dirname(path)) : NULL;
  free(path);
  return bulk;
}

static dictum_status begin(dictum_txn *txn, dictum_txn_mode mode, uint32_t file_mode,
                           dictum_error *err) {
  dictum_table *table = txn->table;
  if (!(table->flags & DICTUM_OPEN_WRITE))
    return error_set(err, DICTUM_INVALID, 0, "table was not opened for writing");
  if (mode == DICTUM_TXN_REPLACE_ALL && !table->node->ops->load)
    return error_set(err, DICTUM_UNSUPPORTED, 0, "tables of type %s cannot be built", table->type);
  const dictum_txn_args args = {
      .size = sizeof args,
      .mode = mode,
      .file_mode = file_mode ? file_mode : default_file_mode,
      .deadline_ns = ctx_deadline_ns(table->ctx, atomic_load(&table->timeout_ms))};
  const struct node_ops *ops = table->node->ops;
  dictum_status status = ops->txn_begin(table->node, &args, &txn->nodes, err);
  if (status != DICTUM_OK || mode != DICTUM_TXN_REPLACE_ALL)
    return status;
  txn->bulk = new_bulk(txn);
  if (txn->bulk)
    return DICTUM_OK;
  ops->abort(table->node, txn->nodes);
  return error_nomem(err);
}

dictum_status dictum_txn_begin(dictum_table *table, dictum_txn_mode mode, uint32_t file_mode,
                               dictum_txn **out, dictum_error *err) {
  *out = NULL;
  dictum_txn *txn = calloc(1, sizeof *txn);
  if (!txn)
    return error_nomem(err);
  txn->table = table;
  dictum_status status = begin(txn, mode, file_mode, err);
  if (status != DICTUM_OK) {
    txn_free(txn);
    return table_failed(table, status, err);
  }
  *out = txn;
  return DICTUM_OK;
}

/* Checks what lookups would refuse: what can never be read must not be stored. */
static dictum_status check_value(const dictum_table *table, const dictum_entry *entry,
                                 dictum_error *err) {
  if (!(table->flags & DICTUM_OPEN_UTF8) || utf8_valid(entry->value, entry->valuelen))
    return DICTUM_OK;
  return error_code(err, DICTUM_INVALID, DICTUM_CODE_NON_UTF8, 0, "non-UTF-8 value");
}

static dictum_status put(dictum_txn *txn, const dictum_entry *entry, dictum_dup dup,
                         dictum_error *err) {
  dictum_table *table = txn->table;
  dictum_key key;
  dictum_status status = table_key(table, entry->key, entry->keylen, &txn->key, &key, err);
  if (status == DICTUM_OK)
    status = check_value(table, entry, err);
  if (status != DICTUM_OK)
    return status;
  if (txn->bulk) {
    dictum_entry folded = *entry;
    folded.key = key.p;
    folded.keylen = key.n;
    return bulk_add(txn->bulk, &folded, dup, err);
  }
  const dictum_rec rec = {key, {entry->value, entry->valuelen}};
  /* Plugins know no ERROR: with an UPDATE it means REFUSE. */
  uint32_t known = dup == DICTUM_DUP_ERROR ? DICTUM_DUP_REFUSE : dup;
  return table->node->ops->put(table->node, txn->nodes, &rec, known, err);
}

dictum_status dictum_txn_put(dictum_txn *txn, const dictum_entry *entry, dictum_dup dup,
                             dictum_error *err) {
  dictum_status status = put(txn, entry, dup, err);
  if (status == DICTUM_OK)
    return DICTUM_OK;
  if (err)
    err->line = entry->line;
  return table_failed(txn->table, status, err);
}

dictum_status dictum_txn_del(dictum_txn *txn, const char *key, size_t keylen, dictum_error *err) {
  dictum_table *table = txn->table;
  dictum_key folded;
  dictum_status status = table_key(table, key, keylen, &txn->key, &folded, err);
  if (status == DICTUM_OK && txn->bulk)
    status = error_set(err, DICTUM_UNSUPPORTED, 0, "nothing to delete from in a new content");
  if (status == DICTUM_OK)
    status = table->node->ops->del(table->node, txn->nodes, folded.p, folded.n, err);
  if (status == DICTUM_OK || status == DICTUM_NOTFOUND)
    return status;
  return table_failed(table, status, err);
}

static void tell_duplicate(void *rock, const struct bulk_duplicate *duplicate) {
  const dictum_table *table = rock;
  event_send_line(&table->ctx->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_DUPLICATE, table->spec,
                  duplicate->line, duplicate->first_line, "duplicate entry: \"%.*s\"",
                  (int)(duplicate->key.n < 1000 ? duplicate->key.n : 1000), duplicate->key.p);
}

static dictum_status load(dictum_txn *txn, dictum_error *err) {
  struct node *node = txn->table->node;
  const dictum_ctx *ctx = txn->table->ctx;
  dictum_status status = bulk_settle(txn->bulk, tell_duplicate, txn->table, err);
  if (status != DICTUM_OK)
    return status;
  dictum_bulk *content = bulk_hand_out(txn->bulk, ctx->progress, ctx->progress_rock);
  return node->ops->load(node, txn->nodes, content, err);
}

dictum_status dictum_txn_commit(dictum_txn *txn, dictum_error *err) {
  dictum_table *table = txn->table;
  dictum_status status = txn->bulk ? load(txn, err) : DICTUM_OK;
  if (status == DICTUM_OK)
    status = table->node->ops->commit(table->node, txn->nodes, err);
  else
    table->node->ops->abort(table->node, txn->nodes);
  txn_free(txn);
  return status == DICTUM_OK ? DICTUM_OK : table_failed(table, status, err);
}

void dictum_txn_abort(dictum_txn *txn) {
  if (!txn)
    return;
  txn->table->node->ops->abort(txn->table->node, txn->nodes);
  txn_free(txn);
}
