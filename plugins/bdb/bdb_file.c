/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bdb_file.c - open Berkeley DB files: errors, handles for writers, and readers that keep up.
 *
 * A reader has no handle of the library's (bdb_image.c says why), only a
 * descriptor for the lock and a map, in which the changes of others show by
 * themselves.
 *
 * A single lookup mostly does without lock and map. Every write moves the file's
 * time of change (st_ctime, which nobody can set) before it moves a byte. So if
 * that time is what it was when the file was last seen under the lock, and was
 * then old enough that no write since can have the same, the pages that were read
 * are those that were seen.
 */
#include "bdb.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bdb_write.h"

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
  case BDB_NEW_VERSION:
    return "made by a version of Berkeley DB that is too new";
  case BDB_ENCRYPTED:
    return "encrypted files are not supported";
  case BDB_CHECKSUMS:
    return "files with checksums are not supported";
  case BDB_OTHER_KIND:
    return "files with duplicates, record numbers or several databases are not supported";
  case BDB_OTHER_HASH:
    return "files with another hash function are not supported";
  default:
    return db_strerror(error);
  }
}

dictum_status bdb_fail(const struct bdb *table, dictum_error *err, int error, const char *what) {
  char text[128];
  return table->file.host->fail(err, bdb_status(error), error > 0 ? error : 0, "%s %s: %s", what,
                                table->file.path, error_text(error, text, sizeof text));
}

dictum_status bdb_fail_updating(const struct bdb *table, dictum_error *err) {
  return table->file.host->fail(err, DICTUM_RETRY, 0, "database %s is being changed in place",
                                table->file.path);
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
  error = (*db)->set_cachesize(*db, 0, cache_bytes, 1);
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

struct bdb_hash_size bdb_hash_size(uint64_t nrecs, uint64_t nbytes) {
  uint64_t record = (nrecs ? nbytes / nrecs : 0) + record_overhead_bytes;
  if (record > largest_record_on_page)
    record = largest_record_on_page;
  uint64_t usable = (bdb_page_bytes - page_header_bytes) * bucket_fill_percent / 100;
  uint64_t each = usable / record, buckets = 2;
  while (buckets * each < nrecs && buckets < UINT32_MAX / 4)
    buckets *= 2;
  return (struct bdb_hash_size){(uint32_t)buckets, (uint32_t)each};
}

/* The library makes a new bucket when records / buckets exceeds the fill factor, and it counts the
 * records that it was told to expect as if they were there already. It wants as many buckets as
 * hold the expected records at that factor, rounded up to a power of two. So half of twice the
 * fill is expected, and all of it has room. */
int bdb_size_hash(DB *db, uint64_t nrecs, uint64_t nbytes) {
  uint64_t buckets = bdb_hash_size(nrecs, nbytes).buckets;
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

/* ---- readers -------------------------------------------------------------------------------- */

static void unmap(struct bdb_reader *reader) {
  if (reader->map)
    munmap(reader->map, reader->map_bytes);
  reader->map = NULL;
  pageset_free(&reader->sound);
  pageset_free(&reader->sorted);
}

void bdb_reader_close(struct bdb_reader *reader) {
  unmap(reader);
  bdb_frames_free(&reader->frames);
  bdb_scratch_free(&reader->value);
  reader->settled = reader->local = false;
  reader->glance = (struct tablefile_glance){0};
  if (reader->fd >= 0)
    close(reader->fd);
  reader->fd = -1;
}

static int map_file(struct bdb_reader *reader, const struct stat *now) {
  unmap(reader);
  if (now->st_size <= 0)
    return EINVAL;
  if ((uintmax_t)now->st_size > SIZE_MAX)
    return EFBIG;
  void *map = mmap(NULL, (size_t)now->st_size, PROT_READ, MAP_SHARED, reader->fd, 0);
  if (map == MAP_FAILED)
    return errno;
  reader->map = map;
  reader->map_bytes = (size_t)now->st_size;
  return 0;
}

int bdb_check_file(int fd, DBTYPE kind) {
  struct stat now;
  struct bdb_reader probe = {.fd = fd};
  int error = fstat(fd, &now) != 0 ? errno : map_file(&probe, &now);
  if (!error)
    error = bdb_image_load(&probe.image, probe.map, probe.map_bytes, kind == DB_HASH);
  if (!error)
    error = bdb_image_check(&probe.image);
  unmap(&probe);
  return error;
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A new name, or the loss of one, is no change of the content but of the status. */
static bool is_changed(const struct stat *seen, const struct stat *now) {
  return seen->st_size != now->st_size || !same_time(&seen->st_mtim, &now->st_mtim);
}

/* Time stamps of files move with the clock's tick, which is 10 ms at most, or on old file systems
 * with its seconds. */
static bool is_settled(const struct stat *seen) {
  const int64_t settling_ns = 20000000, second_ns = 1000000000;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  int64_t age_s = (int64_t)now.tv_sec - seen->st_ctim.tv_sec;
  if (seen->st_ctim.tv_nsec == 0)
    return age_s > 1;
  return age_s > 1 ||
         (age_s >= 0 && age_s * second_ns + now.tv_nsec - seen->st_ctim.tv_nsec > settling_ns);
}

static dictum_status load(struct bdb_reader *reader, const struct bdb *table,
                          const struct stat *now, dictum_error *err) {
  int error = 0;
  if (!reader->map || (uintmax_t)now->st_size != reader->map_bytes)
    error = map_file(reader, now);
  if (!error)
    error = bdb_image_load(&reader->image, reader->map, reader->map_bytes, table->kind == DB_HASH);
  if (!reader->sound.bits || !reader->aged || is_changed(&reader->seen, now) ||
      !same_time(&reader->seen.st_ctim, &now->st_ctim)) {
    pageset_reset(&reader->sound, error ? 0 : reader->image.pages);
    pageset_reset(&reader->sorted, error || !reader->image.hash ? 0 : reader->image.pages);
    reader->frames.fd = -1;
  }
  reader->image.sound = &reader->sound;
  reader->image.sorted = &reader->sorted;
  reader->seen = *now;
  reader->aged = is_settled(now);
  reader->settled = table->file.unlocked && !error && reader->aged;
  return error ? bdb_fail(table, err, error, "open database") : DICTUM_OK;
}

static dictum_status take_lock(struct bdb_reader *reader, const struct bdb *table,
                               int64_t deadline_ns, dictum_error *err) {
  int error = filelock_take(reader->fd, FILELOCK_FLOCK, false, deadline_ns);
  reader->busy = error == ETIMEDOUT;
  return error ? tablefile_fail(&table->file, err, error, "lock") : DICTUM_OK;
}

/* One round; *again asks for another, as the file was replaced in between. */
static dictum_status enter_once(struct bdb_reader *reader, const struct bdb *table,
                                int64_t deadline_ns, bool *again, dictum_error *err) {
  struct stat now;
  dictum_status status = DICTUM_OK;
  *again = false;
  if (reader->fd < 0)
    status = tablefile_open(&table->file, &reader->fd, &reader->seen, err);
  if (status == DICTUM_OK)
    status = take_lock(reader, table, deadline_ns, err);
  if (status != DICTUM_OK)
    return status;
  *again = !tablefile_is_current(&table->file, reader->fd, &reader->seen, &now);
  return *again ? DICTUM_OK : load(reader, table, &now, err);
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

dictum_status bdb_reader_resume(struct bdb_reader *reader, const struct bdb *table,
                                int64_t deadline_ns, bool *changed, dictum_error *err) {
  struct stat now;
  dictum_status status = take_lock(reader, table, deadline_ns, err);
  if (status != DICTUM_OK)
    return status;
  if (fstat(reader->fd, &now) != 0)
    status = tablefile_fail(&table->file, err, errno, "read database");
  *changed = status == DICTUM_OK && is_changed(&reader->seen, &now);
  if (status == DICTUM_OK)
    status = load(reader, table, &now, err);
  if (status != DICTUM_OK)
    bdb_reader_close(reader);
  return status;
}

void bdb_reader_leave(struct bdb_reader *reader) {
  filelock_drop(reader->fd, FILELOCK_FLOCK);
}

/* ---- readers without a lock ------------------------------------------------------------------ */

/* The first time, which is not that of a program's only lookup. */
static bool make_frames(struct bdb_reader *reader, const struct bdb *table) {
  if (reader->frames.fd == reader->fd && reader->frames.pages)
    return true;
  reader->local = reader->local || tablefile_is_local(reader->fd);
  return reader->local && bdb_frames_reset(&reader->frames, reader->fd, reader->image.page_bytes,
                                           table->read_cache) == 0;
}

bool bdb_reader_try_unlocked(struct bdb_reader *reader, const struct bdb *table) {
  if (!reader->settled)
    return false;
  reader->settled = make_frames(reader, table);
  if (!reader->settled)
    return false;
  reader->image.frames = &reader->frames;
  return true;
}

bool bdb_reader_end_unlocked(struct bdb_reader *reader, const struct bdb *table) {
  struct stat now;
  reader->image.frames = NULL;
  bool there = tablefile_glanced(&table->file, &reader->glance)
                   ? fstat(reader->fd, &now) == 0
                   : tablefile_is_current(&table->file, reader->fd, &reader->seen, &now);
  reader->settled = there && now.st_size == reader->seen.st_size &&
                    same_time(&now.st_ctim, &reader->seen.st_ctim);
  return reader->settled;
}
