/* SPDX-License-Identifier: BSD-2-Clause */
/* failure.h - filling a dictum_error for what the command itself finds wrong. */
#ifndef DICTUM_CLI_FAILURE_H
#define DICTUM_CLI_FAILURE_H

#include <dictum.h>

/** Fills @p err, which may be NULL, as the library does, and returns @p status. */
dictum_status failure(dictum_error *err, dictum_status status, dictum_code code, int sys_errno,
                      const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
