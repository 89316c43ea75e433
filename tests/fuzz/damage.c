/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * damage.c - tables in damaged files: no crash, no hang, no wrong answer.
 *
 *     damage TYPE FILE SOURCE SEED COUNT
 *
 * FILE is a table of TYPE that was built from SOURCE, lines of a key, a blank and a value. For each
 * of the COUNT numbers from SEED on it is copied, damaged as the number says, and put through every
 * call: lookup, batch, walk, put, delete, rebuild. The same number makes the same damage.
 *
 * WHAT IS DEMANDED of every file: the process lives, each call returns within a minute, and answers
 * OK, NOTFOUND or CONFIG; a change that is refused leaves every byte as it was; after one that is
 * not, the table can be walked to its end; a rebuild works, and then the table is as it should be.
 *
 * Damage to the bytes of keys and values cannot be told from other keys and values, as the formats
 * have no checksums. In a third of the files only other bytes, the structure, are damaged: those
 * that are not in a run of printable ones, as long as any key or value here. Then every value
 * found, by any call, is that of its key, and what a successful change leaves behind is the whole
 * table. A key that is there may only be answered NOTFOUND, or be left out by a walk, if the damage
 * is of a kind that hides records from who does not read all of the file, or from all:
 *   - on the first page (lmdb: one of the first two), which says which pages count: another state
 *     of the table, or another number of buckets;
 *   - in a hash, the link from a page of a bucket to the next;
 *   - in a btree, the mark of a deleted record;
 *   - in both, a page that now looks as if nothing had ever been on it.
 * Not demanded is what the formats cannot tell: in a btree and lmdb, that a length is off by so
 * little that it ends in the gap before the next item; in lmdb, that a value on pages of its own is
 * of its length and its key's, both being written down only once; in a hash, that a description of
 * a chain became a record of as many bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "damage.h"
#include "dictum.h"

enum { seconds_for_a_file = 60, most_records = 4096 };

struct record {
  char *key, *value;
};

static struct record records[most_records];
static size_t nrecords;
static const char *type;
static struct damage_file pristine;
static char path[512], spec[600];
static dictum_ctx *ctx;

/* What the workers share with who started them. */
struct shared {
  uint64_t at; /* the number of the file at hand */
  const char *doing;
  uint64_t refused, changed, hidden, whole;
  char why[512];
};
static struct shared *shared;

static void fail(const char *what, const char *detail) {
  snprintf(shared->why, sizeof shared->why, "%s: %s", what, detail);
  _exit(1);
}

static void must(bool holds, const char *what, const char *detail) {
  if (!holds)
    fail(what, detail);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void write_file(const unsigned char *bytes, size_t n) {
  unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bytes, n) != (ssize_t)n || close(fd) != 0)
    fail("write", strerror(errno));
}

static bool file_has(const unsigned char *bytes, size_t n) {
  struct damage_file now;
  bool same = damage_read(path, &now) && now.n == n && memcmp(now.bytes, bytes, n) == 0;
  free(now.bytes);
  return same;
}

/* ---- what may be answered ------------------------------------------------------------------- */

static bool is_on_own_pages(const char *value) {
  const size_t larger_than_any_other = 2000;
  return strcmp(type, "lmdb") == 0 && strlen(value) > larger_than_any_other;
}

static bool is_right(const struct record *record, const char *value, size_t len) {
  return is_on_own_pages(record->value) ||
         (len == strlen(record->value) && memcmp(value, record->value, len) == 0);
}

/* One answer to a question for a record that the undamaged table has. */
static void judge(const struct damage *damage, const struct record *record, dictum_status status,
                  const char *value, size_t len) {
  must(status == DICTUM_OK || status == DICTUM_NOTFOUND || status == DICTUM_CONFIG,
       "a lookup answers", dictum_status_name(status));
  if (!damage->exact)
    return;
  must(status != DICTUM_OK || is_right(record, value, len), "wrong value", record->key);
  must(status != DICTUM_NOTFOUND || damage->hides, "not found", record->key);
  shared->hidden += status == DICTUM_NOTFOUND;
}

static void look_up(dictum_table *table, const struct damage *damage) {
  dictum_buf value = {0};
  shared->doing = "lookup";
  for (size_t i = 0; i < nrecords; i++) {
    dictum_status status = dictum_lookup(table, records[i].key, strlen(records[i].key), &value,
                                         NULL, NULL);
    judge(damage, &records[i], status, value.data, value.len);
  }
  must(dictum_lookup(table, "no-such-key", 11, &value, NULL, NULL) != DICTUM_OK, "found",
       "a key that is not there");
  dictum_buf_free(&value);
}

static void look_up_many(dictum_table *table, const struct damage *damage) {
  static dictum_req reqs[most_records];
  dictum_buf arena = {0};
  shared->doing = "batch";
  for (size_t i = 0; i < nrecords; i++)
    reqs[i] = (dictum_req){.key = records[i].key, .keylen = strlen(records[i].key)};
  if (dictum_lookup_many(table, reqs, nrecords, &arena, NULL) == DICTUM_OK)
    for (size_t i = 0; i < nrecords; i++)
      judge(damage, &records[i], reqs[i].status,
            reqs[i].status == DICTUM_OK ? arena.data + reqs[i].off : "", reqs[i].len);
  dictum_buf_free(&arena);
}

/* ---- walks ---------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b) {
  const struct record *left = a, *right = b;
  return strcmp(left->key, right->key);
}

static struct record *find_record(const dictum_entry *entry) {
  char key[2048];
  if (entry->keylen >= sizeof key)
    return NULL;
  memcpy(key, entry->key, entry->keylen);
  key[entry->keylen] = '\0';
  const struct record wanted = {key, NULL};
  return bsearch(&wanted, records, nrecords, sizeof *records, compare_keys);
}

/* @return how the walk ended; *n: how many of the records it gave, each with its value if @p exact
 * holds. Other keys are counted by *others. */
static dictum_status walk(dictum_table *table, bool exact, size_t *n, size_t *others) {
  dictum_iter *iter;
  dictum_entry entry;
  *n = *others = 0;
  dictum_status status = dictum_iter_open(table, &iter, NULL);
  if (status != DICTUM_OK)
    return status;
  while ((status = dictum_iter_next(iter, &entry, NULL)) == DICTUM_OK) {
    const struct record *record = find_record(&entry);
    *(record ? n : others) += 1;
    must(!exact || !record || is_right(record, entry.value, entry.valuelen),
         "a walk gives a wrong value", record ? record->key : "");
  }
  dictum_iter_close(iter);
  return status;
}

static void walk_damaged(dictum_table *table, const struct damage *damage) {
  size_t n, others;
  shared->doing = "walk";
  dictum_status status = walk(table, damage->exact, &n, &others);
  must(status == DICTUM_END || status == DICTUM_CONFIG, "a walk ends", dictum_status_name(status));
  if (!damage->exact)
    return;
  must(others == 0 && n <= nrecords, "a walk", "gives what is not there");
  must(status != DICTUM_END || n == nrecords || damage->hides, "a walk", "leaves records out");
}

/* ---- changes -------------------------------------------------------------------------------- */

static dictum_status begin(dictum_txn_mode mode, dictum_table **table, dictum_txn **txn) {
  uint32_t flags = DICTUM_OPEN_WRITE;
  if (mode == DICTUM_TXN_REPLACE_ALL)
    flags |= DICTUM_OPEN_CREATE | DICTUM_OPEN_REPLACE;
  dictum_status status = dictum_open(ctx, spec, flags, table, NULL);
  if (status != DICTUM_OK)
    return status;
  status = dictum_txn_begin(*table, mode, 0, txn, NULL);
  if (status != DICTUM_OK)
    dictum_close(*table);
  return status;
}

static dictum_status put(dictum_txn *txn, const char *key, const char *value) {
  const dictum_entry entry = {key, strlen(key), value, strlen(value), 0};
  return dictum_txn_put(txn, &entry, DICTUM_DUP_REPLACE, NULL);
}

/* Puts a new record, and the old ones @p from to @p to; removes these if @p removes. */
static dictum_status change(size_t from, size_t to, bool removes) {
  dictum_table *table;
  dictum_txn *txn;
  dictum_status status = begin(DICTUM_TXN_UPDATE, &table, &txn);
  if (status != DICTUM_OK)
    return status;
  for (size_t i = from; i < to && status == DICTUM_OK; i++)
    status = removes ? dictum_txn_del(txn, records[i].key, strlen(records[i].key), NULL)
                     : put(txn, records[i].key, records[i].value);
  if (status == DICTUM_OK || status == DICTUM_NOTFOUND)
    status = dictum_txn_commit(txn, NULL);
  else
    dictum_txn_abort(txn);
  dictum_close(table);
  return status;
}

static void walk_changed(const struct damage *damage, size_t expected) {
  dictum_table *table;
  size_t n, others;
  must(dictum_open(ctx, spec, 0, &table, NULL) == DICTUM_OK, "after a change", "open");
  dictum_status status = walk(table, damage->exact, &n, &others);
  must(status == DICTUM_END, "a walk after a change ends", dictum_status_name(status));
  if (damage->exact && !damage->other_state)
    must(n == expected && others == 0, "after a change", "records are missing");
  dictum_close(table);
}

/* Removes some records, many or few, and puts all again. */
static void change_damaged(const struct damage *damage) {
  size_t from = damage->seed % nrecords, to = damage->seed % 5 ? from + 3 : nrecords;
  to = to < nrecords ? to : nrecords;
  shared->doing = "delete";
  dictum_status status = change(from, to, true);
  if (status != DICTUM_OK) {
    must(status == DICTUM_CONFIG, "a change answers", dictum_status_name(status));
    must(file_has(damage->file.bytes, damage->file.n), "a refused change", "changed the file");
    shared->refused++;
    return;
  }
  walk_changed(damage, nrecords - (to - from));
  shared->doing = "put";
  status = change(0, nrecords, false);
  must(status == DICTUM_OK, "the change after a change answers", dictum_status_name(status));
  walk_changed(damage, nrecords);
  shared->changed++;
}

static void rebuild_damaged(const struct damage *damage) {
  dictum_table *table;
  dictum_txn *txn;
  shared->doing = "rebuild";
  write_file(damage->file.bytes, damage->file.n);
  dictum_status status = begin(DICTUM_TXN_REPLACE_ALL, &table, &txn);
  if (status == DICTUM_CONFIG && damage->unrecognizable)
    return;
  must(status == DICTUM_OK, "a rebuild answers", dictum_status_name(status));
  for (size_t i = 0; i < nrecords; i++)
    must(put(txn, records[i].key, records[i].value) == DICTUM_OK, "rebuild", records[i].key);
  must(dictum_txn_commit(txn, NULL) == DICTUM_OK, "a rebuild", "commit");
  dictum_close(table);
  const struct damage none = {.exact = true};
  walk_changed(&none, nrecords);
}

/* ---- one file after the other --------------------------------------------------------------- */

static void try_file(uint64_t seed) {
  struct damage damage;
  dictum_table *table;
  shared->at = seed;
  shared->doing = "open";
  alarm(seconds_for_a_file);
  must(damage_make(&damage, &pristine, type, seed), "damage", "out of memory");
  write_file(damage.file.bytes, damage.file.n);
  dictum_status status = dictum_open(ctx, spec, 0, &table, NULL);
  must(status == DICTUM_OK || status == DICTUM_CONFIG, "open answers", dictum_status_name(status));
  if (status == DICTUM_OK) {
    look_up(table, &damage);
    look_up_many(table, &damage);
    walk_damaged(table, &damage);
    dictum_close(table);
    shared->whole++;
  }
  change_damaged(&damage);
  rebuild_damaged(&damage);
  free(damage.file.bytes);
}

static void work(uint64_t from, uint64_t end) {
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  const dictum_registry registry = {getenv("DICTUM_DYNAMICMAPS"), getenv("DICTUM_PLUGIN_DIR"), 0};
  opts.registries = &registry;
  opts.nregistries = 1;
  shared->at = from;
  shared->doing = "begin";
  must(dictum_ctx_new(&ctx, &opts, NULL) == DICTUM_OK, "context", "cannot be made");
  for (uint64_t seed = from; seed < end; seed++)
    try_file(seed);
  _exit(0);
}

static void tell(int status) {
  printf("file %llu, %s: ", (unsigned long long)shared->at, shared->doing);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
    printf("hangs\n");
  else if (WIFSIGNALED(status))
    printf("crashes with signal %d\n", WTERMSIG(status));
  else
    printf("%s\n", shared->why[0] ? shared->why : "ends the process");
  damage_print(&pristine, type, shared->at);
  shared->why[0] = '\0';
}

/* @return how many files failed */
static int try_files(uint64_t from, uint64_t end) {
  int failures = 0;
  while (from < end) {
    int status;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
      work(from, end);
    if (child < 0 || waitpid(child, &status, 0) != child)
      return failures + 1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
      break;
    tell(status);
    failures++;
    from = shared->at + 1;
  }
  return failures;
}

static bool read_records(const char *source) {
  static struct damage_file text;
  if (!damage_read(source, &text))
    return false;
  char *line = (char *)text.bytes;
  for (char *end; nrecords < most_records && (end = strchr(line, '\n')) != NULL; line = end + 1) {
    char *blank = strchr(line, ' ');
    if (!blank || blank > end)
      return false;
    *blank = *end = '\0';
    records[nrecords++] = (struct record){line, blank + 1};
  }
  qsort(records, nrecords, sizeof *records, compare_keys);
  return nrecords > 0;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: damage TYPE FILE SOURCE SEED COUNT\n");
    return 64;
  }
  type = argv[1];
  uint64_t from = strtoull(argv[4], NULL, 10), end = from + strtoull(argv[5], NULL, 10);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || !damage_read(argv[2], &pristine) || !read_records(argv[3])) {
    fprintf(stderr, "damage: cannot read %s or %s\n", argv[2], argv[3]);
    return 66;
  }
  const char *suffix = strrchr(argv[2], '.');
  snprintf(path, sizeof path, "%s-damaged%s", argv[2], suffix ? suffix : "");
  snprintf(spec, sizeof spec, "%s:%s-damaged", type, argv[2]);
  int failures = try_files(from, end);
  printf("%llu files, seeds from %llu: %llu could be opened, %llu changed, %llu changes refused, "
         "%llu keys hidden, %d failures\n",
         (unsigned long long)(end - from), (unsigned long long)from,
         (unsigned long long)shared->whole, (unsigned long long)shared->changed,
         (unsigned long long)shared->refused, (unsigned long long)shared->hidden, failures);
  return failures != 0 || end == from;
}
