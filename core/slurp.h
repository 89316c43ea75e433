/* SPDX-License-Identifier: BSD-2-Clause */
/* slurp.h - reading descriptors and whole files. */
#ifndef DICTUM_CORE_SLURP_H
#define DICTUM_CORE_SLURP_H

#include <sys/types.h>
#include "include/dictum.h"

/** read() that goes on after signals, and that waits when @p fd does not. */
ssize_t read_some(int fd, char *data, size_t size);

struct stat;

/** Appends what is left of the file @p fd, with as few reads as can be.
 * @param st  what fstat() said of it
 * @param path  for the message
 * @return OK; CONFIG "read PATH: ..."; NOMEM. */
dictum_status slurp_fd(int fd, const struct stat *st, const char *path, dictum_buf *out,
                       dictum_error *err);

/** Appends the content of the file @p path.
 * @return OK; CONFIG "open PATH: ..." or "read PATH: ..."; NOMEM. */
dictum_status slurp_file(const char *path, dictum_buf *out, dictum_error *err);

/** The same for a file that somebody may be writing at this moment: it is read anew until it did
 * not change meanwhile. @p out is overwritten. CONFIG also when it never settles. */
dictum_status slurp_settled_file(const char *path, dictum_buf *out, dictum_error *err);

#endif
