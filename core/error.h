/* SPDX-License-Identifier: BSD-2-Clause */
/* error.h - filling the caller's dictum_error; every `err` here may be NULL. */
#ifndef DICTUM_CORE_ERROR_H
#define DICTUM_CORE_ERROR_H

#include <stdarg.h>
#include "include/dictum.h"

#if defined(__GNUC__)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PRINTF_LIKE(fmt, args)
#endif

/** The same as DICTUM_ERROR_INIT, without a touch to most of the texts. @p err is not NULL. */
static inline void error_init(dictum_error *err) {
  err->size = sizeof *err;
  err->status = DICTUM_OK;
  err->code = DICTUM_CODE_NONE;
  err->sys_errno = 0;
  err->retry_after_ms = err->flags = 0;
  err->line = 0;
  err->where[0] = err->what[0] = '\0';
}

/** Sets all fields but `where`, and returns @p status. `%m` is not used: pass the errno's text. */
dictum_status error_set(dictum_error *err, dictum_status status, int sys_errno, const char *fmt,
                        ...) PRINTF_LIKE(4, 5);
/** The same with a code. */
dictum_status error_code(dictum_error *err, dictum_status status, dictum_code code, int sys_errno,
                         const char *fmt, ...) PRINTF_LIKE(5, 6);
dictum_status error_vset(dictum_error *err, dictum_status status, dictum_code code, int sys_errno,
                         const char *fmt, va_list args) PRINTF_LIKE(5, 0);
/** Adds a DICTUM_ERROR_* flag. */
void error_flag(dictum_error *err, uint32_t flag);
/** Fills `where` unless a deeper level did, and returns err->status (or @p status with NULL). */
dictum_status error_where(dictum_error *err, dictum_status status, const char *where);
dictum_status error_nomem(dictum_error *err);
/** Copies what @p from tells, as far as @p to has room for it, and returns its status. */
dictum_status error_copy(dictum_error *to, const dictum_error *from);

/** Writes printf's text of at most @p size bytes with a NUL: one line, with '?' for each byte that
 * is not printable; valid UTF-8 stays as it is and is never cut within a character. */
void text_vformat(char *out, size_t size, const char *fmt, va_list args) PRINTF_LIKE(3, 0);
void text_format(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);

/** strerror() for any thread. Returns @p buf or a constant. */
const char *errno_text(int sys_errno, char *buf, size_t size);
#define ERRNO_TEXT(number) errno_text((number), (char[128]){0}, 128)

#endif
