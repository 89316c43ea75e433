/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tablefile.h - what tables have in common that live in one file beside their source.
 *
 * Records: by default key and value each end in a NUL byte, but files without
 * exist. A reader that is not told tries the key with NUL, then bare; the first
 * hit decides which of the two the table is asked from then on.
 */
#ifndef DICTUM_PLUGINS_TABLEFILE_H
#define DICTUM_PLUGINS_TABLEFILE_H

#include <dictum_plugin.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "keyorder.h"

struct tablefile {
  const dictum_host *host;
  dictum_slot *slot;
  char *source;      /**< the name, as typed */
  char *path;        /**< the same with the suffix */
  uint32_t flags;    /**< DICTUM_OPEN_* */
  atomic_uint forms; /**< which forms of a key are still tried */
  bool unlocked;     /**< single lookups may do without a lock where that is safe */
  bool in_order;     /**< batches are asked for in the order of the file */
};

/** The setting that `unlocked` comes from. Each type that uses a struct tablefile declares it. */
#define TABLEFILE_UNLOCKED "lookup_without_lock"
#define TABLEFILE_UNLOCKED_OPT                                                                     \
  {                                                                                                \
    TABLEFILE_UNLOCKED, DICTUM_OPT_BOOL, "yes", 0, 0,                                              \
        "lock the file only for batches, and for lookups while it changes"                         \
  }

/** The setting that `in_order` comes from, for types that use tablefile_lookup_many(). */
#define TABLEFILE_IN_ORDER "lookup_in_file_order"
#define TABLEFILE_IN_ORDER_OPT                                                                     \
  {                                                                                                \
    TABLEFILE_IN_ORDER, DICTUM_OPT_BOOL, "yes", 0, 0,                                              \
        "look up the keys of a batch in the order of the file"                                     \
  }

/** @return OK; NOMEM. */
dictum_status tablefile_init(struct tablefile *file, const dictum_host *host,
                             const dictum_open_args *args, const char *suffix, dictum_error *err);
void tablefile_free(struct tablefile *file);

/** Opens the file, for writing too if the table was opened so.
 * @param st  receives its particulars
 * @return OK; CONFIG, RETRY, "open database PATH: TEXT". */
dictum_status tablefile_open(const struct tablefile *file, int *fd, struct stat *st,
                             dictum_error *err);

/** Does the path still lead to the file that is open as @p fd? When there is no way to tell, after
 * chroot() or a loss of rights, it does as long as the file has a name.
 * @param seen  of that file, at any time
 * @param now   receives its present particulars, if so */
bool tablefile_is_current(const struct tablefile *file, int fd, const struct stat *seen,
                          struct stat *now);

/** When one reader looked at the path last. Starts as {0}. */
struct tablefile_glance {
  int64_t tick_ns;
  unsigned replaced;
};
/** Need the path not be looked at again? It need not before the next tick of the system's clock,
 * which is up to 10 ms, unless this process put a new file in place. Never without `unlocked`.
 * When it must, notes that the caller does so now. */
bool tablefile_glanced(const struct tablefile *file, struct tablefile_glance *glance);

/** Is the file on a disk of this machine, whose state fstat() tells as it is at that moment? */
bool tablefile_is_local(int fd);

/** True when the file may be made, and there is none yet, or one without a single byte. */
bool tablefile_is_to_be_made(const struct tablefile *file);

/** What a library means that could not write to @p fd and says EIO or ENOMEM: ENOSPC or EDQUOT when
 * there is no room, else @p sys_errno. */
int tablefile_write_errno(int fd, int sys_errno);

/** The text of an errno; @p buf or a constant. */
const char *tablefile_errno_text(int sys_errno, char *buf, size_t size);

/** What a failed system call means: RETRY when it may pass by itself, NOMEM, else CONFIG. */
dictum_status tablefile_status(int sys_errno);

dictum_status tablefile_nomem(const struct tablefile *file, dictum_error *err);

/** Fails with EXISTS and "LABEL: duplicate entry: "KEY"". */
dictum_status tablefile_exists(const struct tablefile *file, dictum_error *err, const char *label,
                               const dictum_key *key);

/** Fails with "WHAT PATH: TEXT". */
dictum_status tablefile_fail(const struct tablefile *file, dictum_error *err, int sys_errno,
                             const char *what);

/** Sends an event when the source was edited after the file was made, and not just now. */
void tablefile_warn_if_older(const struct tablefile *file, const struct stat *st);

/** Looks up the bytes @p key. @return OK and *value; NOTFOUND; any failure. */
typedef dictum_status tablefile_get(void *rock, const dictum_key *key, dictum_key *value,
                                    dictum_error *err);
/** Looks up @p key in the forms that are still tried. *value lives as long as get() says. */
dictum_status tablefile_find(struct tablefile *file, tablefile_get *get, void *rock,
                             const dictum_key *key, dictum_key *value, dictum_error *err);

/** The method lookup(), once the file may be read: asks get() and hands over what it found. */
dictum_status tablefile_lookup(struct tablefile *file, tablefile_get *get, void *rock,
                               const dictum_key *key, dictum_sink *sink, dictum_error *err);
/** At most so many keys are fetched together. */
enum { tablefile_fetched = 16 };
/** Fetches into the processor's cache what looking up these keys, of which there are at most
 * tablefile_fetched, will need: they are asked for next, each once and in this order. */
typedef void tablefile_fetch(void *rock, const dictum_key *keys, size_t n);
/** The method lookup_many(), likewise. Keys are asked for in the order of their
 * places, unless the setting forbids it.
 * @param place  NULL: by their bytes
 * @param fetch  may be NULL */
dictum_status tablefile_lookup_many(struct tablefile *file, tablefile_get *get, void *rock,
                                    const dictum_key *keys, size_t n, keyorder_place *place,
                                    tablefile_fetch *fetch, dictum_sink *sink, dictum_error *err);
/** A definite answer leaves a reader as good as it was; after other than that it is closed. */
static inline bool tablefile_is_failure(dictum_status status) {
  return status != DICTUM_OK && status != DICTUM_NOTFOUND;
}

/** A record as it is stored, in one piece of memory. */
struct tablefile_record {
  char small[1024];
  char *large;
  dictum_key key, value;
};
/** Copies @p rec with its NUL bytes. @return OK; INVALID; NOMEM. */
dictum_status tablefile_record_make(struct tablefile_record *record, const struct tablefile *file,
                                    const dictum_rec *rec, dictum_error *err);
void tablefile_record_free(struct tablefile_record *record);

/** Removes the bytes @p key. @return OK; NOTFOUND; any failure. */
typedef dictum_status tablefile_remove(void *rock, const dictum_key *key, dictum_error *err);
/** Removes @p key: the form with NUL, else the bare one. */
dictum_status tablefile_delete(struct tablefile *file, tablefile_remove *remove, void *rock,
                               const dictum_key *key, dictum_error *err);

/** True when records are written with a NUL behind key and value. */
bool tablefile_writes_nul(const struct tablefile *file);

/** True when keys are asked for with a NUL behind them, or may be. */
bool tablefile_reads_nul(const struct tablefile *file);

/** Leaves out one NUL at the end. */
static inline dictum_key tablefile_without_nul(dictum_key bytes) {
  if (bytes.n > 0 && bytes.p[bytes.n - 1] == '\0')
    bytes.n--;
  return bytes;
}

#endif
