/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_file.c - files as Berkeley DB sees them: errors, handles, and a reader that notices changes.
 *
 * Every handle has its own cache, which knows nothing of other processes. So a
 * reader compares the file's size and times with those of the moment when it
 * opened it, under the lock that keeps writers out, and opens anew when they
 * differ. Time stamps are coarse: a file that was changed within the last two
 * seconds may change again without a visible trace, and is opened anew for
 * each use until it is older than that.
 */
#include "bdb.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { coarsest_time_stamp_s = 2 };

/* Where things stand on the first page; all numbers are 32 bits in the maker's byte order. */
enum {
  at_magic = 12,
  at_page_size = 20,
  at_max_bucket = 72,
  at_high_mask = 76,
  at_low_mask = 80,
  header_size = 512
};
static const uint32_t magic_btree = 0x053162, magic_hash = 0x061561;

/* B-trees up to this size are mapped instead of being read page by page. */
static const size_t largest_map = sizeof(size_t) > 4 ? (size_t)1 << 31 : (size_t)1 << 28;

/* ---- errors --------------------------------------------------------------------------------- */

dictum_status bdb_status(int error) {
  switch (error) {
  case DB_NOTFOUND:
    return DICTUM_NOTFOUND;
  case DB_KEYEXIST:
    return DICTUM_EXISTS;
  case DB_LOCK_DEADLOCK:
  case DB_LOCK_NOTGRANTED:
    return DICTUM_RETRY;
  default:
    return error < 0 ? DICTUM_CONFIG : tablefile_status(error);
  }
}

/* The library's own text for its own errors; some of those carry a number in front. */
static const char *error_text(int error, char *buf, size_t size) {
  if (error >= 0)
    return tablefile_errno_text(error, buf, size);
  switch (error) {
  case DB_RUNRECOVERY:
  case DB_PAGE_NOTFOUND:
  case DB_VERIFY_BAD:
    return "the file is damaged";
  case DB_OLD_VERSION:
    return "made by a version of Berkeley DB that is too old";
  default:
    return db_strerror(error);
  }
}

dictum_status bdb_fail(const struct bdb *table, dictum_error *err, int error, const char *what) {
  char text[128];
  return table->file.host->fail(err, bdb_status(error), error > 0 ? error : 0, "%s %s: %s", what,
                                table->file.path, error_text(error, text, sizeof text));
}

/* ---- handles -------------------------------------------------------------------------------- */

/* Without somebody to tell, the library would write to standard error. */
static void ignore_error(const DB_ENV *env, const char *prefix, const char *message) {
  (void)env;
  (void)prefix;
  (void)message;
}

static void ignore_message(const DB_ENV *env, const char *message) {
  (void)env;
  (void)message;
}

int bdb_new(DB **db, u_int32_t cache_bytes) {
  int error = db_create(db, NULL, 0);
  if (error)
    return error;
  (*db)->set_errcall(*db, ignore_error);
  (*db)->set_msgcall(*db, ignore_message);
  DB_ENV *env = (*db)->get_env(*db);
  error = (*db)->set_cachesize(*db, 0, cache_bytes, 1);
  if (!error)
    error = env->set_mp_mmapsize(env, largest_map);
  if (error) {
    (*db)->close(*db, DB_NOSYNC);
    *db = NULL;
  }
  return error;
}

int bdb_open(DB **db, const char *name, DBTYPE kind, u_int32_t flags) {
  int error = (*db)->open(*db, NULL, name, NULL, kind, flags, 0600);
  if (error) {
    (*db)->close(*db, DB_NOSYNC);
    *db = NULL;
  }
  return error;
}

bool bdb_has_file(DB *db, int fd) {
  int theirs;
  struct stat a, b;
  return db->fd(db, &theirs) == 0 && fstat(theirs, &a) == 0 && fstat(fd, &b) == 0 &&
         a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- how a hash spreads its keys ------------------------------------------------------------- */

enum {
  page_header_bytes = 26,
  record_overhead_bytes = 6, /* in a hash page: an index and a type for key and value */
  bucket_fill_percent = 80,  /* at most, on average: few buckets need a second page */
  largest_record_on_page = bdb_page_bytes / 4
};

uint32_t bdb_hash(const char *key, size_t len, bool with_nul) {
  const uint32_t prime = 16777619; /* FNV-1, started at zero */
  uint32_t hash = 0;
  for (size_t i = 0; i < len; i++)
    hash = (hash * prime) ^ (unsigned char)key[i];
  return with_nul ? hash * prime : hash;
}

/* How many buckets hold @p nrecs records of @p nbytes: a power of two, as Berkeley DB rounds. */
static uint64_t buckets_for(uint64_t nrecs, uint64_t nbytes) {
  uint64_t record = nrecs ? nbytes / nrecs + record_overhead_bytes : 0;
  if (record > largest_record_on_page)
    record = largest_record_on_page;
  if (record == 0)
    return 2;
  uint64_t usable = (bdb_page_bytes - page_header_bytes) * bucket_fill_percent / 100;
  uint64_t each = usable / record, buckets = 2;
  while (buckets * each < nrecs && buckets < UINT32_MAX / 4)
    buckets *= 2;
  return buckets;
}

/* The library makes a new bucket when records / buckets exceeds the fill factor, and it counts the
 * records that it was told to expect as if they were there already. It wants as many buckets as
 * hold the expected records at that factor, rounded up to a power of two. So half of twice the
 * fill is expected, and all of it has room. */
int bdb_size_hash(DB *db, uint64_t nrecs, uint64_t nbytes) {
  uint64_t buckets = buckets_for(nrecs, nbytes);
  uint64_t factor = 2 * nrecs / buckets + 1;
  uint64_t expected = factor * (buckets / 2) + 1;
  if (expected > UINT32_MAX || factor > UINT32_MAX)
    return 0;
  int error = db->set_h_ffactor(db, (u_int32_t)factor);
  return error ? error : db->set_h_nelem(db, (u_int32_t)expected);
}

/* How many buckets there will be is not known yet, only that it is a power of two and that the low
 * bits of the hash choose one. The bits in reverse order keep each bucket's keys together whatever
 * the number. */
uint32_t bdb_bucket_order(uint32_t hash) {
  hash = (hash & 0x55555555) << 1 | ((hash >> 1) & 0x55555555);
  hash = (hash & 0x33333333) << 2 | ((hash >> 2) & 0x33333333);
  hash = (hash & 0x0f0f0f0f) << 4 | ((hash >> 4) & 0x0f0f0f0f);
  return __builtin_bswap32(hash);
}

/* ---- the first page ------------------------------------------------------------------------- */

static uint32_t number_at(const unsigned char *page, size_t at, bool swapped) {
  uint32_t number;
  memcpy(&number, page + at, sizeof number);
  return swapped ? __builtin_bswap32(number) : number;
}

int bdb_reader_check(struct bdb_reader *reader, DBTYPE kind) {
  unsigned char page[header_size];
  ssize_t got = pread(reader->fd, page, sizeof page, 0);
  if (got < 0)
    return errno;
  if (got < (ssize_t)sizeof page)
    return EINVAL;
  uint32_t magic = kind == DB_HASH ? magic_hash : magic_btree;
  bool swapped = number_at(page, at_magic, true) == magic;
  uint32_t page_size = number_at(page, at_page_size, swapped);
  if (number_at(page, at_magic, swapped) != magic || page_size < 512 || page_size > 65536 ||
      (page_size & (page_size - 1)) != 0)
    return EINVAL;
  reader->max_bucket = number_at(page, at_max_bucket, swapped);
  reader->high_mask = number_at(page, at_high_mask, swapped);
  reader->low_mask = number_at(page, at_low_mask, swapped);
  return 0;
}

/* ---- readers -------------------------------------------------------------------------------- */

static bool same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_young(const struct stat *st) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return st->st_mtim.tv_sec >= now.tv_sec - coarsest_time_stamp_s ||
         st->st_ctim.tv_sec >= now.tv_sec - coarsest_time_stamp_s;
}

bool bdb_reader_changed(const struct bdb_reader *reader, const struct stat *now) {
  const struct stat *seen = &reader->seen;
  return reader->doubtful || seen->st_size != now->st_size ||
         !same_time(&seen->st_mtim, &now->st_mtim) || !same_time(&seen->st_ctim, &now->st_ctim);
}

static void close_db(struct bdb_reader *reader) {
  if (reader->db)
    reader->db->close(reader->db, DB_NOSYNC);
  reader->db = NULL;
}

void bdb_reader_close(struct bdb_reader *reader) {
  close_db(reader);
  if (reader->fd >= 0)
    close(reader->fd);
  reader->fd = -1;
}

dictum_status bdb_reader_open_db(struct bdb_reader *reader, const struct bdb *table,
                                 const struct stat *now, bool *other_file, dictum_error *err) {
  *other_file = false;
  close_db(reader);
  int error = bdb_reader_check(reader, table->kind);
  if (!error)
    error = bdb_new(&reader->db, table->read_cache);
  if (!error)
    error = bdb_open(&reader->db, table->file.path, table->kind, DB_RDONLY);
  if (!error && !bdb_has_file(reader->db, reader->fd)) {
    *other_file = true;
    close_db(reader);
  }
  if (error)
    return bdb_fail(table, err, error, "open database");
  reader->seen = *now;
  reader->doubtful = is_young(now);
  return DICTUM_OK;
}

/* One round; *again asks for another, as the file was replaced in between. */
static dictum_status enter_once(struct bdb_reader *reader, const struct bdb *table,
                                int64_t deadline_ns, bool *again, dictum_error *err) {
  *again = false;
  if (reader->fd < 0) {
    dictum_status status = tablefile_open(&table->file, &reader->fd, &reader->seen, err);
    if (status != DICTUM_OK)
      return status;
  }
  int error = filelock_take(reader->fd, FILELOCK_FLOCK, false, deadline_ns);
  reader->busy = error == ETIMEDOUT;
  if (error)
    return tablefile_fail(&table->file, err, error, "lock");
  struct stat now;
  *again = !tablefile_is_current(&table->file, reader->fd, &reader->seen, &now);
  if (*again || (reader->db && !bdb_reader_changed(reader, &now)))
    return DICTUM_OK;
  return bdb_reader_open_db(reader, table, &now, again, err);
}

dictum_status bdb_reader_enter(struct bdb_reader *reader, const struct bdb *table,
                               int64_t deadline_ns, dictum_error *err) {
  for (;;) {
    bool again;
    dictum_status status = enter_once(reader, table, deadline_ns, &again, err);
    if (status == DICTUM_OK && !again)
      return DICTUM_OK;
    /* This drops the lock, too. */
    bdb_reader_close(reader);
    if (status != DICTUM_OK)
      return status;
  }
}

void bdb_reader_leave(struct bdb_reader *reader) {
  filelock_drop(reader->fd, FILELOCK_FLOCK);
}
