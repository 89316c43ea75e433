/* SPDX-License-Identifier: BSD-2-Clause */
/* filelock.h - locks on whole files, of the two kinds that Postfix's tables are guarded by. */
#ifndef DICTUM_PLUGINS_FILELOCK_H
#define DICTUM_PLUGINS_FILELOCK_H

#include <stdbool.h>
#include <stdint.h>

/** Both belong to the open file, not to the process: they hold between threads, and closing another
 * descriptor of the same file does not drop them. */
enum filelock_kind {
  FILELOCK_FLOCK, /**< flock(2): hash, btree */
  FILELOCK_OFD    /**< fcntl(2), which meets the plain fcntl locks of other programs: lmdb */
};

/** Takes a lock, or changes the one held. Waits until @p deadline_ns on CLOCK_MONOTONIC, for ever
 * when that is 0.
 * @param fd  open for writing when an exclusive FILELOCK_OFD is wanted
 * @return 0, or the errno; ETIMEDOUT when others held on to it; EINTR when the host catches a
 * signal while an exclusive lock is waited for: a writer must be able to give up. */
int filelock_take(int fd, enum filelock_kind kind, bool exclusive, int64_t deadline_ns);

/** The same for a shared lock in the hands of one who replaces the file: it waits for those who
 * change it, and not for readers, of whom there may always be some. */
int filelock_keep_writers_out(int fd, enum filelock_kind kind, int64_t deadline_ns);

/** Drops the lock, for all who share this open file. Never in a child after fork(). */
void filelock_drop(int fd, enum filelock_kind kind);

/** Now, on CLOCK_MONOTONIC. */
int64_t filelock_now_ns(void);

/** How long it is until @p deadline_ns, at least 1; 0 when that is 0. For later waits. */
int64_t filelock_patience_ns(int64_t deadline_ns);

#endif
