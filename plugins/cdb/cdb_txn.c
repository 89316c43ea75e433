/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cdb_txn.c - writing cdb files: records as they come, then the hash tables, then the header.
 *
 * Of each record eight bytes are kept until its hash table is made: in memory, or
 * if there are many in the file itself, behind what it will hold in the end. The
 * result is TinyCDB's and so Postfix's, byte for byte.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cdb_table.h"
#include "newfile.h"

enum { buffer_bytes = 256 * 1024, hashed_at_once = 4 };

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
  struct slot *slots; /* of all records so far, but for those aside */
  size_t n, room;
  uint64_t aside_at, n_aside;  /* where in the file are slots, and how many */
  uint32_t counts[cdb_tables]; /* of slots in each table */
};

static void txn_free(struct cdb_txn *txn) {
  newfile_abort(txn->aside);
  free(txn->buffer);
  free(txn->slots);
  free(txn);
}

/* ---- output --------------------------------------------------------------------------------- */

static int flush(struct cdb_txn *txn) {
  int error = newfile_append(newfile_fd(txn->aside), txn->buffer, txn->used,
                             (off_t)(txn->at - txn->used));
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
  return end + (txn->n_aside + txn->n + 1) * 2 * cdb_pair <= limit;
}

static char *put_bytes(char *to, const char *bytes, size_t n, bool nul) {
  if (n > 0)
    memcpy(to, bytes, n);
  if (nul)
    to[n] = '\0';
  return to + n + nul;
}

/* One that has room in the buffer, as nearly all have. */
static void put_record(struct cdb_txn *txn, const char lengths[cdb_pair], const dictum_rec *rec) {
  char *const from = txn->buffer + txn->used;
  char *to = put_bytes(from, lengths, cdb_pair, false);
  to = put_bytes(to, rec->key.p, rec->key.n, txn->nul);
  to = put_bytes(to, rec->value.p, rec->value.n, txn->nul);
  txn->used += (size_t)(to - from);
  txn->at += (size_t)(to - from);
}

static int append_record(struct cdb_txn *txn, const dictum_rec *rec) {
  const uint32_t lengths[] = {htole32((uint32_t)(rec->key.n + txn->nul)),
                              htole32((uint32_t)(rec->value.n + txn->nul))};
  if (cdb_pair + rec->key.n + rec->value.n + 2U * txn->nul <= buffer_bytes - txn->used) {
    put_record(txn, (const char *)lengths, rec);
    return 0;
  }
  int error = append(txn, (const char *)lengths, sizeof lengths);
  if (!error)
    error = append(txn, rec->key.p, rec->key.n);
  if (!error)
    error = append(txn, "", txn->nul);
  if (!error)
    error = append(txn, rec->value.p, rec->value.n);
  return error ? error : append(txn, "", txn->nul);
}

/* Slots that fill the memory go to the file, behind what it will hold in the end. */
static int put_slots_aside(struct cdb_txn *txn) {
  const size_t n = txn->n;
  const uint64_t at = txn->aside_at + txn->n_aside * sizeof *txn->slots;
  txn->n_aside += n;
  txn->n = 0;
  return newfile_write(newfile_fd(txn->aside), txn->slots, n * sizeof *txn->slots, (off_t)at);
}

/* Each byte waits for what came of the one before, so several keys are hashed side by side. */
static void hash_keys(const dictum_rec *recs, uint32_t hashes[hashed_at_once]) {
  size_t common = recs[0].key.n;
  for (size_t k = 1; k < hashed_at_once; k++)
    if (recs[k].key.n < common)
      common = recs[k].key.n;
  uint32_t a = cdb_hash_seed, b = a, c = a, d = a;
  for (size_t i = 0; i < common; i++) {
    a = cdb_hash(a, recs[0].key.p + i, 1);
    b = cdb_hash(b, recs[1].key.p + i, 1);
    c = cdb_hash(c, recs[2].key.p + i, 1);
    d = cdb_hash(d, recs[3].key.p + i, 1);
  }
  const uint32_t begun[hashed_at_once] = {a, b, c, d};
  for (size_t k = 0; k < hashed_at_once; k++)
    hashes[k] = cdb_hash(begun[k], recs[k].key.p + common, recs[k].key.n - common);
}

/* @p hash: of the key, without a NUL. */
static dictum_status add(struct cdb_txn *txn, const dictum_rec *rec, uint32_t hash,
                         dictum_error *err) {
  const struct tablefile *file = &txn->table->file;
  if (!fits(txn, rec))
    return file->host->fail(err, DICTUM_INVALID, 0,
                            "%s: a cdb file cannot be larger than 4 gigabytes", file->path);
  if (txn->nul)
    hash = cdb_hash(hash, "", 1);
  int error = txn->n == txn->room ? put_slots_aside(txn) : 0;
  txn->slots[txn->n++] = (struct slot){hash, (uint32_t)txn->at};
  txn->counts[hash % cdb_tables]++;
  if (!error)
    error = append_record(txn, rec);
  return error ? fail_write(txn, err, error) : DICTUM_OK;
}

/* ---- hash tables ---------------------------------------------------------------------------- */

static int read_slots_aside(struct cdb_txn *txn, uint64_t from, size_t n) {
  char *to = (char *)txn->slots;
  off_t at = (off_t)(txn->aside_at + from * sizeof *txn->slots);
  for (size_t left = n * sizeof *txn->slots; left > 0;) {
    ssize_t got = pread(newfile_fd(txn->aside), to, left, at);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got < 0 ? errno : EIO;
    to += got;
    at += got;
    left -= (size_t)got;
  }
  return 0;
}

/* Of the slots in memory, moves those of tables first..end-1 to where next[] says. */
static void pick(const struct cdb_txn *txn, size_t n, size_t first, size_t end, struct slot *to,
                 size_t next[cdb_tables]) {
  for (size_t i = 0; i < n; i++) {
    const size_t table = txn->slots[i].hash % cdb_tables;
    if (table >= first && table < end)
      to[next[table]++] = txn->slots[i];
  }
}

/* Picks from all slots, in the order of their coming. */
static int pick_from_all(struct cdb_txn *txn, size_t first, size_t end, struct slot *to,
                         size_t next[cdb_tables]) {
  int error = 0;
  if (txn->n_aside == 0)
    pick(txn, txn->n, first, end, to, next);
  for (uint64_t from = 0; from < txn->n_aside && !error; from += txn->room) {
    uint64_t left = txn->n_aside - from;
    size_t n = left < txn->room ? (size_t)left : txn->room;
    error = read_slots_aside(txn, from, n);
    if (!error)
      pick(txn, n, first, end, to, next);
  }
  return error;
}

/* Twice as many slots as records, so that a search soon meets an empty one. */
static int append_table(struct cdb_txn *txn, const struct slot *slots, uint32_t n) {
  const uint32_t len = n * 2;
  struct slot *table = n > 0 ? calloc(len, sizeof *table) : NULL;
  if (n > 0 && !table)
    return ENOMEM;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t at = slots[i].hash / cdb_tables % len;
    while (table[at].at != 0)
      at = at + 1 == len ? 0 : at + 1;
    table[at] = (struct slot){htole32(slots[i].hash), htole32(slots[i].at)};
  }
  int error = append(txn, (const char *)table, len * sizeof *table);
  free(table);
  return error;
}

/* As many tables from @p first on as @p n slots are enough for, and one at least. */
static size_t tables_of(const struct cdb_txn *txn, size_t first, size_t n, size_t *slots) {
  size_t end = first;
  *slots = 0;
  while (end < cdb_tables && (end == first || *slots + txn->counts[end] <= n))
    *slots += txn->counts[end++];
  return end;
}

static int append_some_tables(struct cdb_txn *txn, size_t first, size_t end, size_t n,
                              uint32_t header[cdb_tables][2]) {
  struct slot *slots = reallocarray(NULL, n + 1, sizeof *slots);
  size_t next[cdb_tables], from = 0;
  if (!slots)
    return ENOMEM;
  for (size_t i = first, at = 0; i < end; at += txn->counts[i++])
    next[i] = at;
  int error = pick_from_all(txn, first, end, slots, next);
  for (size_t i = first; i < end && !error; i++) {
    header[i][0] = htole32((uint32_t)txn->at);
    header[i][1] = htole32((uint32_t)txn->counts[i] * 2);
    error = append_table(txn, slots + from, txn->counts[i]);
    from += txn->counts[i];
  }
  free(slots);
  return error;
}

static int append_tables(struct cdb_txn *txn) {
  uint32_t header[cdb_tables][2];
  int error = txn->n_aside > 0 ? put_slots_aside(txn) : 0;
  const size_t at_once = txn->n_aside > 0 ? txn->room : txn->n;
  for (size_t first = 0, end; first < cdb_tables && !error; first = end) {
    size_t n;
    end = tables_of(txn, first, at_once, &n);
    error = append_some_tables(txn, first, end, n, header);
  }
  if (!error)
    error = flush(txn);
  if (!error && txn->n_aside > 0 && ftruncate(newfile_fd(txn->aside), (off_t)txn->at) != 0)
    error = errno;
  return error ? error : newfile_write(newfile_fd(txn->aside), header, sizeof header, 0);
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
  return add(txn, rec, cdb_hash(cdb_hash_seed, rec->key.p, rec->key.n), err);
}

static dictum_status load_some(struct cdb_txn *txn, const dictum_rec *recs, size_t n,
                               dictum_error *err) {
  dictum_status status = DICTUM_OK;
  for (; n >= hashed_at_once; recs += hashed_at_once, n -= hashed_at_once) {
    uint32_t hashes[hashed_at_once];
    hash_keys(recs, hashes);
    for (size_t k = 0; k < hashed_at_once && status == DICTUM_OK; k++)
      status = add(txn, &recs[k], hashes[k], err);
    if (status != DICTUM_OK)
      return status;
  }
  for (size_t i = 0; i < n && status == DICTUM_OK; i++)
    status = add(txn, &recs[i], cdb_hash(cdb_hash_seed, recs[i].key.p, recs[i].key.n), err);
  return status;
}

dictum_status cdb_load(void *rock, dictum_bulk *bulk, dictum_error *err) {
  struct cdb_txn *txn = rock;
  const dictum_rec *recs;
  size_t n;
  size_t slots = txn->table->most_slots;
  if (bulk->nrecs < slots)
    slots = (size_t)bulk->nrecs + 1;
  if (!reserve(txn, slots))
    return tablefile_nomem(&txn->table->file, err);
  txn->aside_at = cdb_header + bulk->nbytes + bulk->nrecs * (3U * cdb_pair + 2U * txn->nul);
  dictum_status status;
  while ((status = bulk->next(bulk, &recs, &n, err)) == DICTUM_OK) {
    status = load_some(txn, recs, n, err);
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
