/* SPDX-License-Identifier: BSD-2-Clause */
/* event.c - telling the host what it may want to log. */
#include "event.h"

/* Longer than an error's text: warnings quote lines of the user's files. */
enum { event_text_size = 2048 };

void event_vsend(const struct event_sink *sink, dictum_level level, dictum_code code,
                 const char *table, uint64_t line, uint64_t first_line, const char *fmt,
                 va_list args) {
  if (!sink->callback)
    return;
  char text[event_text_size];
  text_vformat(text, sizeof text, fmt, args);
  const dictum_event event = {sizeof event, level, code, table, text, line, first_line};
  sink->callback(sink->rock, &event);
}

void event_send(const struct event_sink *sink, dictum_level level, dictum_code code,
                const char *table, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  event_vsend(sink, level, code, table, 0, 0, fmt, args);
  va_end(args);
}

void event_send_line(const struct event_sink *sink, dictum_level level, dictum_code code,
                     const char *table, uint64_t line, uint64_t first_line, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  event_vsend(sink, level, code, table, line, first_line, fmt, args);
  va_end(args);
}
