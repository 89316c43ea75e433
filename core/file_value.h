/* SPDX-License-Identifier: BSD-2-Clause */
/* file_value.h - values that are names of files: postmap -F. */
#ifndef DICTUM_CORE_FILE_VALUE_H
#define DICTUM_CORE_FILE_VALUE_H

#include "include/dictum.h"

/** Reads the files @p names, separated by white space or commas, and joins their contents with a
 * newline between them.
 * @param out  overwritten with that as base64
 * @return OK; CONFIG when there is no name or a file cannot be read; NOMEM. */
dictum_status file_value(const char *names, size_t len, dictum_buf *out, dictum_error *err);

#endif
