/* SPDX-License-Identifier: BSD-2-Clause */
/* iter.c - a walk over all entries of a table. */
#include <stdlib.h>

#include "base64.h"
#include "buf.h"
#include "error.h"
#include "event.h"
#include "table.h"

struct dictum_iter {
  dictum_table *table;
  void *nodes; /* the node's iterator */
  dictum_buf decoded;
};

dictum_status dictum_iter_open(dictum_table *table, dictum_iter **out, dictum_error *err) {
  *out = NULL;
  dictum_iter *iter = calloc(1, sizeof *iter);
  if (!iter)
    return error_nomem(err);
  iter->table = table;
  const dictum_call call = table_call(table);
  dictum_status status = table->node->ops->iter_open(table->node, &call, &iter->nodes, err);
  if (status != DICTUM_OK) {
    free(iter);
    return table_failed(table, status, err);
  }
  *out = iter;
  return DICTUM_OK;
}

/* @return OK; INVALID for a value that is not base64, of which the host hears; NOMEM. */
static dictum_status decode(dictum_iter *iter, dictum_rec *rec, dictum_error *err) {
  buf_clear(&iter->decoded);
  if (!buf_append(&iter->decoded, rec->value.p, rec->value.n))
    return error_nomem(err);
  if (!base64_decode_in_place(iter->decoded.data, &iter->decoded.len)) {
    event_send(&iter->table->ctx->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_BASE64,
               iter->table->spec, "key \"%.*s\": malformed BASE64 value: skipping this entry",
               (int)(rec->key.n < 100 ? rec->key.n : 100), rec->key.p);
    return DICTUM_INVALID;
  }
  rec->value = (dictum_key){iter->decoded.data, iter->decoded.len};
  return DICTUM_OK;
}

dictum_status dictum_iter_next(dictum_iter *iter, dictum_entry *entry, dictum_error *err) {
  struct node *node = iter->table->node;
  dictum_rec rec;
  dictum_status status;
  do {
    status = node->ops->iter_next(node, iter->nodes, &rec, err);
    if (status == DICTUM_OK && (iter->table->flags & DICTUM_OPEN_FILES))
      status = decode(iter, &rec, err);
  } while (status == DICTUM_INVALID);
  if (status == DICTUM_OK)
    *entry = (dictum_entry){rec.key.p, rec.key.n, rec.value.p, rec.value.n, 0};
  else if (status != DICTUM_END)
    table_failed(iter->table, status, err);
  return status;
}

void dictum_iter_close(dictum_iter *iter) {
  if (!iter)
    return;
  iter->table->node->ops->iter_close(iter->table->node, iter->nodes);
  dictum_buf_free(&iter->decoded);
  free(iter);
}
