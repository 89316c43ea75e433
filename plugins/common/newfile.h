/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * newfile.h - building a table's file aside and putting it in place at once.
 *
 * The file aside is TARGET.tmp in the same folder. Who builds it holds an
 * exclusive flock(2) on it from begin to end, so builders come one after the
 * other, and what one left that was killed is emptied by the next; a text of
 * that name is refused. Readers and the old file are left alone until the end.
 */
#ifndef DICTUM_PLUGINS_NEWFILE_H
#define DICTUM_PLUGINS_NEWFILE_H

#include <dictum_plugin.h>
#include <sys/stat.h>

#include "filelock.h"

struct newfile;

/** Checks that the target may be replaced, and begins an empty file aside. A target that is a
 * symbolic link stays one: what it leads to is replaced.
 * @param path         of the target
 * @param mode         for a target that does not exist yet, whatever the umask
 * @param deadline_ns  until when to wait for another builder, and as long again at the end for
 *                     those who use the old file; on CLOCK_MONOTONIC; 0: for ever
 * @return OK; CONFIG; RETRY; NOMEM. */
dictum_status newfile_begin(const dictum_host *host, const char *path, uint32_t mode,
                            int64_t deadline_ns, struct newfile **out, dictum_error *err);

/** A name under which a client library can open the file aside. Lives as long as @p file. */
const char *newfile_name(const struct newfile *file);
/** The file aside, open for reading and writing. */
int newfile_fd(const struct newfile *file);
/** The target as it was at the beginning, or NULL when there was none. */
const struct stat *newfile_old(const struct newfile *file);

/** Writes to the file aside, whose descriptor @p fd is. @return 0, or an error of the system. */
int newfile_write(int fd, const void *bytes, size_t n, off_t at);
/** The same for who writes it from its beginning to its end. The system begins meanwhile to bring
 * it to disk, where it can, so that newfile_replace() waits less. */
int newfile_append(int fd, const void *bytes, size_t n, off_t at);

/** Fills the file aside with what @p fd has. @return OK; CONFIG; RETRY. */
dictum_status newfile_copy(struct newfile *file, int fd, dictum_error *err);

/** Brings the file aside to disk and puts it in the target's place, with the target's owner, group
 * and mode. Waits for those who hold a lock on the old file. Frees @p file.
 * @param kind    of that lock
 * @param locked  the caller keeps writers out of the target: nobody is waited for
 * @return OK; UNCERTAIN when it is in place, but perhaps not for good; CONFIG; RETRY: nothing has
 *   changed. */
dictum_status newfile_replace(struct newfile *file, enum filelock_kind kind, bool locked,
                              dictum_error *err);

/** The same for a target that is not there. Leaves one alone that somebody else made meanwhile,
 * and answers OK. */
dictum_status newfile_create(struct newfile *file, dictum_error *err);

/** How many targets this process has replaced, roughly: another number means that one was. */
unsigned newfile_replaced(void);

/** Removes the file aside and frees @p file. NULL is fine. */
void newfile_abort(struct newfile *file);

#endif
