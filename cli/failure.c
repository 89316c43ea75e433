/* SPDX-License-Identifier: BSD-2-Clause */
/* failure.c - filling a dictum_error for what the command itself finds wrong. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>

dictum_status failure(dictum_error *err, dictum_status status, dictum_code code, int sys_errno,
                      const char *fmt, ...) {
  if (!err)
    return status;
  *err = (dictum_error)DICTUM_ERROR_INIT;
  err->status = status;
  err->code = code;
  err->sys_errno = sys_errno;
  va_list args;
  va_start(args, fmt);
  vsnprintf(err->what, sizeof err->what, fmt, args);
  va_end(args);
  return status;
}
