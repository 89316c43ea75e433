/* SPDX-License-Identifier: BSD-2-Clause */
/* tempfile.h - a file without a name: it ends with the last descriptor, whatever ends its user. */
#ifndef DICTUM_CORE_TEMPFILE_H
#define DICTUM_CORE_TEMPFILE_H

#include <sys/types.h>
#include "include/dictum.h"

struct tempfile {
  int fd;             /**< -1: not made yet */
  const char *folder; /**< where; not copied */
};

/** Makes the file, readable by nobody else.
 * @return OK; CONFIG, RETRY "create temporary file in FOLDER: TEXT". */
dictum_status tempfile_make(struct tempfile *file, dictum_error *err);
/** Writes all of @p size bytes. @return OK; CONFIG, RETRY "write temporary file in FOLDER: ..." */
dictum_status tempfile_write(const struct tempfile *file, const void *bytes, size_t size, off_t at,
                             dictum_error *err);
/** Reads exactly @p size bytes. @return OK; CONFIG, RETRY "read temporary file in FOLDER: ..." */
dictum_status tempfile_read(const struct tempfile *file, void *bytes, size_t size, off_t at,
                            dictum_error *err);
/** Gives the room of a stretch back that is read no more, where the file system can. */
void tempfile_forget(const struct tempfile *file, off_t from, off_t to);
void tempfile_close(struct tempfile *file);

#endif
