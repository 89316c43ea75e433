/* SPDX-License-Identifier: BSD-2-Clause */
/* event.h - telling the host what it may want to log. */
#ifndef DICTUM_CORE_EVENT_H
#define DICTUM_CORE_EVENT_H

#include <stdarg.h>
#include "error.h"
#include "include/dictum.h"

/** Where events go. A callback of NULL drops them before any text is made. */
struct event_sink {
  void (*callback)(void *rock, const dictum_event *event);
  void *rock;
};

/** @p table is a spec or "". */
void event_send(const struct event_sink *sink, dictum_level level, dictum_code code,
                const char *table, const char *fmt, ...) PRINTF_LIKE(5, 6);
/** The same for a matter of certain lines; 0 for a line that is not known. */
void event_send_line(const struct event_sink *sink, dictum_level level, dictum_code code,
                     const char *table, uint64_t line, uint64_t first_line, const char *fmt, ...)
    PRINTF_LIKE(7, 8);
void event_vsend(const struct event_sink *sink, dictum_level level, dictum_code code,
                 const char *table, uint64_t line, uint64_t first_line, const char *fmt,
                 va_list args) PRINTF_LIKE(7, 0);

#endif
