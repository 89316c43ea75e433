/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cdb_txn.c - writing cdb files: records as they come, then the hash tables, then the header.
 *
 * Of each record eight bytes stay in memory until its hash table is made. The
 * result is TinyCDB's and so Postfix's, byte for byte.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cdb_table.h"
#include "newfile.h"

enum { buffer_bytes = 256 * 1024 };

struct slot {
  uint32_t hash, at;
};

struct cdb_txn {
  struct cdb *table;
  struct newfile *aside;
  bool nul;     /* behind each key and value */
  uint64_t at;  /* where the next byte goes */
  char *buffer; /* those before it that are not written yet */
  size_t used;
  struct slot *slots; /* of all records so far */
  size_t n, room;
};

static void txn_free(struct cdb_txn *txn) {
  newfile_abort(txn->aside);
  free(txn->buffer);
  free(txn->slots);
  free(txn);
}

/* ---- output --------------------------------------------------------------------------------- */

static int write_at(int fd, const char *bytes, size_t n, uint64_t at) {
  while (n > 0) {
    ssize_t written = pwrite(fd, bytes, n, (off_t)at);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return written < 0 ? errno : ENOSPC;
    bytes += written;
    at += (uint64_t)written;
    n -= (size_t)written;
  }
  return 0;
}

static int flush(struct cdb_txn *txn) {
  int error = write_at(newfile_fd(txn->aside), txn->buffer, txn->used, txn->at - txn->used);
  txn->used = 0;
  return error;
}

static int append(struct cdb_txn *txn, const char *bytes, size_t n) {
  while (n > 0) {
    if (txn->used == buffer_bytes) {
      int error = flush(txn);
      if (error)
        return error;
    }
    size_t part = buffer_bytes - txn->used < n ? buffer_bytes - txn->used : n;
    memcpy(txn->buffer + txn->used, bytes, part);
    txn->used += part;
    txn->at += part;
    bytes += part;
    n -= part;
  }
  return 0;
}

static int append_pair(struct cdb_txn *txn, uint32_t first, uint32_t second) {
  const uint32_t pair[] = {htole32(first), htole32(second)};
  return append(txn, (const char *)pair, sizeof pair);
}

static dictum_status fail_write(const struct cdb_txn *txn, dictum_error *err, int error) {
  return tablefile_fail(&txn->table->file, err, error, "write database");
}

/* ---- records -------------------------------------------------------------------------------- */

static bool reserve(struct cdb_txn *txn, size_t n) {
  if (n <= txn->room)
    return true;
  struct slot *slots = reallocarray(txn->slots, n, sizeof *slots);
  if (!slots)
    return false;
  txn->slots = slots;
  txn->room = n;
  return true;
}

/* Would the whole file, with two slots for each record, still be one of 32-bit numbers? */
static bool fits(const struct cdb_txn *txn, const dictum_rec *rec) {
  size_t limit = UINT32_MAX, nul = 2 * (size_t)txn->nul;
  if (rec->key.n > limit / 4 || rec->value.n > limit - limit / 4)
    return false;
  uint64_t end = txn->at + cdb_pair + rec->key.n + rec->value.n + nul;
  return end + (txn->n + 1) * 2 * cdb_pair <= limit;
}

static int append_record(struct cdb_txn *txn, const dictum_rec *rec) {
  int error = append_pair(txn, (uint32_t)(rec->key.n + txn->nul),
                          (uint32_t)(rec->value.n + txn->nul));
  if (!error)
    error = append(txn, rec->key.p, rec->key.n);
  if (!error)
    error = append(txn, "", txn->nul);
  if (!error)
    error = append(txn, rec->value.p, rec->value.n);
  return error ? error : append(txn, "", txn->nul);
}

static dictum_status add(struct cdb_txn *txn, const dictum_rec *rec, dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  if (!fits(txn, rec))
    return file->host->fail(err, DICTUM_INVALID, 0,
                            "%s: a cdb file cannot be larger than 4 gigabytes", file->path);
  uint32_t hash = cdb_hash(cdb_hash_seed, rec->key.p, rec->key.n);
  if (txn->nul)
    hash = cdb_hash(hash, "", 1);
  txn->slots[txn->n++] = (struct slot){hash, (uint32_t)txn->at};
  int error = append_record(txn, rec);
  return error ? fail_write(txn, err, error) : DICTUM_OK;
}

/* ---- hash tables ---------------------------------------------------------------------------- */

/* Orders the slots by table, and within one as they came. starts[i + 1] is where table i ends. */
static struct slot *by_table(const struct cdb_txn *txn, size_t starts[cdb_tables + 1]) {
  struct slot *ordered = reallocarray(NULL, txn->n + 1, sizeof *ordered);
  size_t next[cdb_tables];
  if (!ordered)
    return NULL;
  memset(starts, 0, (cdb_tables + 1) * sizeof *starts);
  for (size_t i = 0; i < txn->n; i++)
    starts[txn->slots[i].hash % cdb_tables + 1]++;
  for (size_t i = 0; i < cdb_tables; i++) {
    next[i] = starts[i];
    starts[i + 1] += starts[i];
  }
  for (size_t i = 0; i < txn->n; i++)
    ordered[next[txn->slots[i].hash % cdb_tables]++] = txn->slots[i];
  return ordered;
}

/* Twice as many slots as records, so that a search soon meets an empty one. */
static int append_table(struct cdb_txn *txn, const struct slot *slots, size_t n) {
  const size_t len = n * 2;
  struct slot *table = n > 0 ? calloc(len, sizeof *table) : NULL;
  if (n > 0 && !table)
    return ENOMEM;
  for (size_t i = 0; i < n; i++) {
    size_t at = slots[i].hash / cdb_tables % len;
    while (table[at].at != 0)
      at = at + 1 == len ? 0 : at + 1;
    table[at] = slots[i];
  }
  int error = 0;
  for (size_t i = 0; i < len && !error; i++)
    error = append_pair(txn, table[i].hash, table[i].at);
  free(table);
  return error;
}

static int append_tables(struct cdb_txn *txn) {
  size_t starts[cdb_tables + 1];
  uint32_t header[cdb_tables][2];
  struct slot *ordered = by_table(txn, starts);
  int error = ordered ? 0 : ENOMEM;
  for (size_t i = 0; i < cdb_tables && !error; i++) {
    size_t n = starts[i + 1] - starts[i];
    header[i][0] = htole32((uint32_t)txn->at);
    header[i][1] = htole32((uint32_t)n * 2);
    error = append_table(txn, ordered + starts[i], n);
  }
  free(ordered);
  if (!error)
    error = flush(txn);
  return error ? error : write_at(newfile_fd(txn->aside), (const char *)header, sizeof header, 0);
}

/* ---- methods -------------------------------------------------------------------------------- */

dictum_status cdb_txn_begin(void *self, const dictum_txn_args *args, void **out,
                            dictum_error *err) {
  struct cdb *table = self;
  struct cdb_txn *txn = calloc(1, sizeof *txn);
  if (!txn || !(txn->buffer = malloc(buffer_bytes))) {
    free(txn);
    return tablefile_nomem(&table->file, err);
  }
  txn->table = table;
  txn->nul = table->file.flags & DICTUM_OPEN_NUL;
  txn->at = cdb_header;
  dictum_status status = newfile_begin(table->file.host, table->file.path, args->file_mode,
                                       args->deadline_ns, &txn->aside, err);
  if (status != DICTUM_OK) {
    txn_free(txn);
    return status;
  }
  *out = txn;
  return DICTUM_OK;
}

dictum_status cdb_put(void *rock, const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  struct cdb_txn *txn = rock;
  (void)dup; /* no key comes twice */
  if (txn->n == txn->room && !reserve(txn, txn->room ? txn->room * 2 : 1024))
    return tablefile_nomem(&txn->table->file, err);
  return add(txn, rec, err);
}

dictum_status cdb_load(void *rock, dictum_bulk *bulk, dictum_error *err) {
  struct cdb_txn *txn = rock;
  const dictum_rec *recs;
  size_t n;
  if (bulk->nrecs > SIZE_MAX || !reserve(txn, txn->n + (size_t)bulk->nrecs))
    return tablefile_nomem(&txn->table->file, err);
  dictum_status status;
  while ((status = bulk->next(bulk, &recs, &n, err)) == DICTUM_OK)
    for (size_t i = 0; i < n; i++) {
      status = add(txn, &recs[i], err);
      if (status != DICTUM_OK)
        return status;
    }
  return status == DICTUM_END ? DICTUM_OK : status;
}

dictum_status cdb_commit(void *rock, dictum_error *err) {
  struct cdb_txn *txn = rock;
  int error = append_tables(txn);
  dictum_status status = error ? fail_write(txn, err, error) : DICTUM_OK;
  if (status == DICTUM_OK) {
    /* Nobody changes a cdb file in place, so nobody is waited for. */
    status = newfile_replace(txn->aside, FILELOCK_FLOCK, true, err);
    txn->aside = NULL;
  }
  txn_free(txn);
  return status;
}

void cdb_abort(void *rock) {
  txn_free(rock);
}
