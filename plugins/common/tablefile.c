/* SPDX-License-Identifier: BSD-2-Clause */
/* tablefile.c - what tables have in common that live in one file beside their source. */
#include "tablefile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "newfile.h"

/* Bits of tablefile.forms. */
enum { form_nul = 1, form_bare = 2 };

/* A source that was edited within this time is about to be built, perhaps. */
enum { fresh_source_seconds = 100 };

enum { longest_shown_key = 200, longest_shown_path = 400 }; /* of a text that ends with a reason */

dictum_status tablefile_init(struct tablefile *file, const dictum_host *host,
                             const dictum_open_args *args, const char *suffix, dictum_error *err) {
  unsigned forms = form_nul | form_bare;
  if (args->flags & DICTUM_OPEN_NUL)
    forms = form_nul;
  else if (args->flags & DICTUM_OPEN_NO_NUL)
    forms = form_bare;
  file->host = host;
  file->slot = args->slot;
  file->flags = args->flags;
  atomic_init(&file->forms, forms);
  file->unlocked = host->opt_int(args->cfg, TABLEFILE_UNLOCKED) != 0;
  file->in_order = host->opt_int(args->cfg, TABLEFILE_IN_ORDER) != 0;
  file->source = strdup(args->name);
  if (asprintf(&file->path, "%s%s", args->name, suffix) < 0)
    file->path = NULL;
  if (!file->source || !file->path) {
    tablefile_free(file);
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  }
  host->note_file(args->slot, file->path);
  return DICTUM_OK;
}

void tablefile_free(struct tablefile *file) {
  free(file->source);
  free(file->path);
  file->source = file->path = NULL;
}

bool tablefile_is_to_be_made(const struct tablefile *file) {
  struct stat st;
  if (!(file->flags & DICTUM_OPEN_CREATE))
    return false;
  return stat(file->path, &st) != 0 ? errno == ENOENT : S_ISREG(st.st_mode) && st.st_size == 0;
}

/* Asks for room behind the end of the file, and gives it back. */
int tablefile_write_errno(int fd, int sys_errno) {
  const off_t probe_bytes = 1 << 20;
  struct stat st;
  if ((sys_errno != EIO && sys_errno != ENOMEM) || fstat(fd, &st) != 0)
    return sys_errno;
  int error = fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, probe_bytes) == 0 ? 0 : errno;
  if (!error)
    fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, st.st_size, probe_bytes);
  return error == ENOSPC || error == EDQUOT ? error : sys_errno;
}

const char *tablefile_errno_text(int sys_errno, char *buf, size_t size) {
  /* Of the network, says the system; here it is a lock. */
  return sys_errno == ETIMEDOUT ? "timed out" : strerror_r(sys_errno, buf, size);
}

dictum_status tablefile_status(int sys_errno) {
  switch (sys_errno) {
  case ENOMEM:
    return DICTUM_NOMEM;
  case EAGAIN:
  case EBUSY:
  case EINTR:
  case EIO:
  case EMFILE:
  case ENFILE:
  case ENOLCK:
  case ESTALE:
  case ETIMEDOUT:
    return DICTUM_RETRY;
  default:
    return DICTUM_CONFIG;
  }
}

dictum_status tablefile_nomem(const struct tablefile *file, dictum_error *err) {
  return file->host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

dictum_status tablefile_exists(const struct tablefile *file, dictum_error *err, const char *label,
                               const dictum_key *key) {
  return file->host->fail(err, DICTUM_EXISTS, 0, "%s: duplicate entry: \"%.*s\"", label,
                          (int)(key->n < longest_shown_key ? key->n : longest_shown_key), key->p);
}

dictum_status tablefile_fail(const struct tablefile *file, dictum_error *err, int sys_errno,
                             const char *what) {
  char text[128];
  return file->host->fail(err, tablefile_status(sys_errno), sys_errno, "%s %.*s%s: %s", what,
                          longest_shown_path, file->path,
                          strlen(file->path) > longest_shown_path ? "..." : "",
                          tablefile_errno_text(sys_errno, text, sizeof text));
}

dictum_status tablefile_open(const struct tablefile *file, int *fd, struct stat *st,
                             dictum_error *err) {
  int mode = file->flags & DICTUM_OPEN_WRITE ? O_RDWR : O_RDONLY;
  /* O_NONBLOCK: a FIFO in the file's place must not stop us. */
  *fd = open(file->path, mode | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (*fd < 0)
    return tablefile_fail(file, err, errno, "open database");
  int error = fstat(*fd, st) != 0    ? errno
              : S_ISREG(st->st_mode) ? 0
              : S_ISDIR(st->st_mode) ? EISDIR
                                     : EINVAL;
  if (!error)
    return DICTUM_OK;
  close(*fd);
  *fd = -1;
  return tablefile_fail(file, err, error, "open database");
}

bool tablefile_is_current(const struct tablefile *file, int fd, const struct stat *seen,
                          struct stat *now) {
  if (stat(file->path, now) == 0)
    return now->st_dev == seen->st_dev && now->st_ino == seen->st_ino;
  return fstat(fd, now) == 0 && now->st_nlink > 0;
}

bool tablefile_glanced(const struct tablefile *file, struct tablefile_glance *glance) {
  struct timespec now;
  if (!file->unlocked)
    return false;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  const struct tablefile_glance here = {(int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                                        newfile_replaced()};
  if (glance->tick_ns == here.tick_ns && glance->replaced == here.replaced)
    return true;
  *glance = here;
  return false;
}

bool tablefile_is_local(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0)
    return false;
  switch ((unsigned long)fs.f_type) {
  case BTRFS_SUPER_MAGIC:
  case EXT4_SUPER_MAGIC: /* and those before it, whose times may be in whole seconds */
  case F2FS_SUPER_MAGIC:
  case OVERLAYFS_SUPER_MAGIC:
  case TMPFS_MAGIC:
  case XFS_SUPER_MAGIC:
    return true;
  default:
    return false;
  }
}

static bool is_later(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

void tablefile_warn_if_older(const struct tablefile *file, const struct stat *st) {
  struct stat source;
  if ((file->flags & DICTUM_OPEN_WRITE) || stat(file->source, &source) != 0)
    return;
  if (is_later(&source.st_mtim, &st->st_mtim) &&
      source.st_mtim.tv_sec < time(NULL) - fresh_source_seconds)
    file->host->log(file->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_OLDER_THAN_SOURCE,
                    "database %s is older than source file %s", file->path, file->source);
}

/* ---- the two forms of a key ----------------------------------------------------------------- */

/* A key with a NUL behind it; short ones cost no allocation. */
struct with_nul {
  char small[256];
  char *large;
  dictum_key key;
};

static bool with_nul_make(struct with_nul *copy, const dictum_key *key) {
  copy->large = key->n < sizeof copy->small ? NULL : malloc(key->n + 1);
  if (key->n >= sizeof copy->small && !copy->large)
    return false;
  char *at = copy->large ? copy->large : copy->small;
  if (key->n > 0)
    memcpy(at, key->p, key->n);
  at[key->n] = '\0';
  copy->key = (dictum_key){at, key->n + 1};
  return true;
}

static void with_nul_free(struct with_nul *copy) {
  free(copy->large);
}

static dictum_status find_with_nul(struct tablefile *file, tablefile_get *get, void *rock,
                                   const dictum_key *key, dictum_key *value, dictum_error *err) {
  struct with_nul copy UNINITIALIZED;
  if (!with_nul_make(&copy, key))
    return tablefile_nomem(file, err);
  dictum_status status = get(rock, &copy.key, value, err);
  with_nul_free(&copy);
  if (status == DICTUM_OK)
    *value = tablefile_without_nul(*value);
  return status;
}

dictum_status tablefile_find(struct tablefile *file, tablefile_get *get, void *rock,
                             const dictum_key *key, dictum_key *value, dictum_error *err) {
  unsigned forms = atomic_load_explicit(&file->forms, memory_order_relaxed);
  dictum_status status = DICTUM_NOTFOUND;
  unsigned hit = form_nul;
  if (forms & form_nul)
    status = find_with_nul(file, get, rock, key, value, err);
  if (status == DICTUM_NOTFOUND && (forms & form_bare)) {
    hit = form_bare;
    status = get(rock, key, value, err);
  }
  if (status == DICTUM_OK && forms != hit)
    atomic_store_explicit(&file->forms, hit, memory_order_relaxed);
  return status;
}

/* True once a hit has decided, so that the order of further lookups does not matter. */
static bool is_decided(const struct tablefile *file) {
  return atomic_load_explicit(&file->forms, memory_order_relaxed) != (form_nul | form_bare);
}

dictum_status tablefile_lookup(struct tablefile *file, tablefile_get *get, void *rock,
                               const dictum_key *key, dictum_sink *sink, dictum_error *err) {
  dictum_key value;
  dictum_status status = tablefile_find(file, get, rock, key, &value, err);
  return status == DICTUM_OK ? file->host->emit(sink, value.p, value.n) : status;
}

/* One batch while it is answered. */
struct batch {
  struct tablefile *file;
  tablefile_get *get;
  void *rock;
  const dictum_key *keys;
  dictum_sink *sink;
  dictum_error *err;
};

static dictum_status answer(const struct batch *batch, size_t i) {
  const dictum_host *host = batch->file->host;
  dictum_key value = {NULL, 0};
  dictum_status status = tablefile_find(batch->file, batch->get, batch->rock, &batch->keys[i],
                                        &value, batch->err);
  if (tablefile_is_failure(status))
    return status;
  dictum_status sent = host->emit_at(batch->sink, i, status, value.p, value.n);
  return sent == DICTUM_OK ? DICTUM_OK : host->fail(batch->err, sent, 0, "out of memory");
}

/* Memory takes about as long for one key as for these together. */
static void fetch_next(const struct batch *batch, tablefile_fetch *fetch,
                       const struct keyorder *order, size_t i, size_t n) {
  dictum_key keys[tablefile_fetched];
  const size_t count = n - i < tablefile_fetched ? n - i : tablefile_fetched;
  for (size_t k = 0; k < count; k++)
    keys[k] = batch->keys[keyorder_at(order, i + k)];
  fetch(batch->rock, keys, count);
}

/* As long as it is not known which form of key the file has, the order of the questions counts. */
dictum_status tablefile_lookup_many(struct tablefile *file, tablefile_get *get, void *rock,
                                    const dictum_key *keys, size_t n, keyorder_place *place,
                                    tablefile_fetch *fetch, dictum_sink *sink, dictum_error *err) {
  const struct batch batch = {file, get, rock, keys, sink, err};
  dictum_status status = DICTUM_OK;
  size_t i = 0;
  for (; i < n && status == DICTUM_OK && !is_decided(file); i++)
    status = answer(&batch, i);
  struct keyorder *order = NULL;
  if (status == DICTUM_OK && file->in_order)
    order = keyorder_new(keys, i, n, place, rock);
  const size_t first = i;
  for (; i < n && status == DICTUM_OK; i++) {
    if (fetch && file->in_order && (i - first) % tablefile_fetched == 0)
      fetch_next(&batch, fetch, order, i, n);
    status = answer(&batch, keyorder_at(order, i));
  }
  keyorder_free(order);
  return status;
}

dictum_status tablefile_delete(struct tablefile *file, tablefile_remove *remove, void *rock,
                               const dictum_key *key, dictum_error *err) {
  unsigned forms = atomic_load_explicit(&file->forms, memory_order_relaxed);
  dictum_status status = DICTUM_NOTFOUND;
  if (forms & form_nul) {
    struct with_nul copy;
    if (!with_nul_make(&copy, key))
      return tablefile_nomem(file, err);
    status = remove(rock, &copy.key, err);
    with_nul_free(&copy);
  }
  if (status == DICTUM_NOTFOUND && (forms & form_bare))
    status = remove(rock, key, err);
  return status;
}

bool tablefile_reads_nul(const struct tablefile *file) {
  return atomic_load_explicit(&file->forms, memory_order_relaxed) & form_nul;
}

bool tablefile_writes_nul(const struct tablefile *file) {
  return !(file->flags & DICTUM_OPEN_NO_NUL);
}

dictum_status tablefile_record_make(struct tablefile_record *record, const struct tablefile *file,
                                    const dictum_rec *rec, dictum_error *err) {
  size_t nul = tablefile_writes_nul(file), size;
  record->large = NULL;
  if (__builtin_add_overflow(rec->key.n, rec->value.n, &size) || size > UINT32_MAX / 2)
    return file->host->fail(err, DICTUM_INVALID, 0, "entry is too long");
  size += 2 * nul;
  if (size > sizeof record->small && !(record->large = malloc(size)))
    return tablefile_nomem(file, err);
  char *key = record->large ? record->large : record->small;
  char *value = key + rec->key.n + nul;
  if (rec->key.n > 0)
    memcpy(key, rec->key.p, rec->key.n);
  if (rec->value.n > 0)
    memcpy(value, rec->value.p, rec->value.n);
  memset(key + rec->key.n, 0, nul);
  memset(value + rec->value.n, 0, nul);
  record->key = (dictum_key){key, rec->key.n + nul};
  record->value = (dictum_key){value, rec->value.n + nul};
  return DICTUM_OK;
}

void tablefile_record_free(struct tablefile_record *record) {
  free(record->large);
}
