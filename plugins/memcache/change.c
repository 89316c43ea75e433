/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change.c - changing memcached, and the backup with it; and the walk, which is the backup's.
 *
 * With a backup, its transaction comes first and memcached follows once that is
 * committed: nobody can find in memcached what the backup does not have. What
 * memcached then fails to take over is told as an event; the change holds.
 * Without one, each change is made at once, since memcached knows no
 * transactions.
 */
#include "memcache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A change that memcached is still to make, followed by its key and value. */
struct change {
  size_t keylen, valuelen;
  bool removal;
};

struct memcache_txn {
  const struct memcache *table;
  dictum_txn *backup;
  struct text pending; /* changes, end to end */
  struct text room;    /* of the formed key */
  bool *gave_up;       /* servers for which there is no more hope in this transaction */
  int64_t patience_ns; /* for each change; 0: the usual */
};

static const dictum_call no_deadline = {.size = sizeof no_deadline};

static int64_t deadline_of(const struct memcache_txn *txn) {
  return txn->patience_ns ? clock_now() + txn->patience_ns : 0;
}

static dictum_status nomem(const struct memcache *table, dictum_error *err) {
  return table->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

static void txn_free(struct memcache_txn *txn) {
  text_free(&txn->pending);
  text_free(&txn->room);
  free(txn->gave_up);
  free(txn);
}

dictum_status memcache_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                                 dictum_error *err) {
  const struct memcache *table = self;
  struct memcache_txn *made = calloc(1, sizeof *made);
  if (!made)
    return nomem(table, err);
  made->table = table;
  if (args->deadline_ns) {
    int64_t left = args->deadline_ns - clock_now();
    made->patience_ns = left > 0 ? left : 1;
  }
  dictum_status status = DICTUM_OK;
  if (!(made->gave_up = calloc(table->servers.n, sizeof *made->gave_up)))
    status = nomem(table, err);
  else if (table->backup)
    status = table->host->tables->txn_begin(table->backup, DICTUM_TXN_UPDATE, args->file_mode,
                                            &made->backup, err);
  if (status != DICTUM_OK) {
    txn_free(made);
    return status;
  }
  *txn = made;
  return DICTUM_OK;
}

static dictum_status form(struct memcache_txn *txn, const dictum_key *key, dictum_key *out,
                          const char **why, dictum_error *err) {
  text_clear(&txn->room);
  return memcache_keyform_apply(&txn->table->form, &no_deadline, key, &txn->room, out, why, err);
}

static dictum_status keep(struct memcache_txn *txn, const dictum_key *key, const dictum_key *value,
                          dictum_error *err) {
  const struct change change = {key->n, value ? value->n : 0, value == NULL};
  const size_t before = txn->pending.len;
  if (text_append(&txn->pending, (const char *)&change, sizeof change) &&
      text_append(&txn->pending, key->p, key->n) &&
      (!value || text_append(&txn->pending, value->p, value->n)))
    return DICTUM_OK;
  txn->pending.len = before;
  return nomem(txn->table, err);
}

/* Of a key that is there already, IGNORE does not tell which value the backup has now. */
static dictum_status put_in_backup(struct memcache_txn *txn, const dictum_key *key,
                                   const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  const dictum_entry entry = {rec->key.p, rec->key.n, rec->value.p, rec->value.n, 0};
  dictum_status status = txn->table->host->tables->txn_put(txn->backup, &entry, (dictum_dup)dup,
                                                           err);
  if (status != DICTUM_OK)
    return status;
  return keep(txn, key, dup == DICTUM_DUP_IGNORE ? NULL : &rec->value, err);
}

dictum_status memcache_put(void *rock, const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  struct memcache_txn *txn = rock;
  const struct memcache *table = txn->table;
  dictum_key key;
  const char *why;
  dictum_status status = form(txn, &rec->key, &key, &why, err);
  if (status == DICTUM_NOTFOUND)
    return table->host->fail(err, DICTUM_INVALID, 0, "skipping update for key \"%.*s\": %s",
                             (int)(rec->key.n < 100 ? rec->key.n : 100), rec->key.p, why);
  if (status != DICTUM_OK)
    return status;
  if (txn->backup)
    return put_in_backup(txn, &key, rec, dup, err);
  status = memcache_store(table, &key, &rec->value, dup != DICTUM_DUP_REPLACE, deadline_of(txn),
                          err);
  if (status != DICTUM_EXISTS)
    return status;
  if (dup == DICTUM_DUP_IGNORE)
    return DICTUM_OK;
  return table->host->fail(err, DICTUM_EXISTS, 0, "duplicate entry: \"%.*s\"",
                           (int)(rec->key.n < 100 ? rec->key.n : 100), rec->key.p);
}

dictum_status memcache_del(void *rock, const char *key, size_t len, dictum_error *err) {
  struct memcache_txn *txn = rock;
  const dictum_key given = {key, len};
  dictum_key formed;
  const char *why;
  dictum_status status = form(txn, &given, &formed, &why, err);
  if (status != DICTUM_OK)
    return status;
  if (!txn->backup)
    return memcache_remove(txn->table, &formed, deadline_of(txn), err);
  status = txn->table->host->tables->txn_del(txn->backup, key, len, err);
  if (status != DICTUM_OK && status != DICTUM_NOTFOUND)
    return status;
  dictum_status kept = keep(txn, &formed, NULL, err);
  return kept == DICTUM_OK ? status : kept;
}

/* ---- the end of a transaction --------------------------------------------------------------- */

static void make_change(const struct memcache_txn *txn, const dictum_key *key,
                        const dictum_key *value) {
  const struct memcache *table = txn->table;
  const size_t place = memcache_servers_place(&table->servers, key->p, key->n);
  dictum_error err = DICTUM_ERROR_INIT;
  if (txn->gave_up[place])
    return;
  dictum_status status = value ? memcache_store(table, key, value, false, deadline_of(txn), &err)
                               : memcache_remove(table, key, deadline_of(txn), &err);
  if (status == DICTUM_OK || status == DICTUM_NOTFOUND)
    return;
  if (status == DICTUM_INVALID) {
    table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE, "%s", err.what);
    return;
  }
  txn->gave_up[place] = true;
  memcache_tell(table, &table->servers.list[place], &err);
}

/* @param certain  the backup has these values; else memcached had better forget its own */
static void make_pending(const struct memcache_txn *txn, bool certain) {
  for (size_t at = 0; at < txn->pending.len;) {
    struct change change;
    memcpy(&change, txn->pending.data + at, sizeof change);
    at += sizeof change;
    const dictum_key key = {txn->pending.data + at, change.keylen};
    at += change.keylen;
    const dictum_key value = {txn->pending.data + at, change.valuelen};
    at += change.valuelen;
    make_change(txn, &key, change.removal || !certain ? NULL : &value);
  }
}

dictum_status memcache_commit(void *rock, dictum_error *err) {
  struct memcache_txn *txn = rock;
  dictum_status status = DICTUM_OK;
  if (txn->backup)
    status = txn->table->host->tables->txn_commit(txn->backup, err);
  if (status == DICTUM_OK || status == DICTUM_UNCERTAIN)
    make_pending(txn, status == DICTUM_OK);
  txn_free(txn);
  return status;
}

void memcache_abort(void *rock) {
  struct memcache_txn *txn = rock;
  if (txn->backup)
    txn->table->host->tables->txn_abort(txn->backup);
  txn_free(txn);
}

/* ---- the walk ------------------------------------------------------------------------------- */

struct memcache_iter {
  const struct memcache *table;
  dictum_iter *backup; /* NULL: there is nothing to walk */
};

dictum_status memcache_iter_open(void *self, const dictum_call *call, void **iter,
                                 dictum_error *err) {
  const struct memcache *table = self;
  struct memcache_iter *made = calloc(1, sizeof *made);
  (void)call;
  if (!made)
    return nomem(table, err);
  made->table = table;
  dictum_status status = DICTUM_OK;
  if (table->backup)
    status = table->host->tables->iter_open(table->backup, &made->backup, err);
  else
    table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE,
                     "first/next support requires backup database");
  if (status != DICTUM_OK) {
    free(made);
    return status;
  }
  *iter = made;
  return DICTUM_OK;
}

dictum_status memcache_iter_next(void *rock, dictum_rec *rec, dictum_error *err) {
  struct memcache_iter *iter = rock;
  dictum_entry entry;
  if (!iter->backup)
    return DICTUM_END;
  dictum_status status = iter->table->host->tables->iter_next(iter->backup, &entry, err);
  if (status == DICTUM_OK)
    *rec = (dictum_rec){{entry.key, entry.keylen}, {entry.value, entry.valuelen}};
  return status;
}

void memcache_iter_close(void *rock) {
  struct memcache_iter *iter = rock;
  iter->table->host->tables->iter_close(iter->backup);
  free(iter);
}
