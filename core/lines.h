/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lines.h - logical lines, the ground under every text file of Postfix's kind.
 *
 * A line that begins with white space continues the one before. Lines that are
 * blank, or whose first text is '#', are dropped, even inside a continued line.
 * White space is what ASCII calls so, in any locale. What follows a NUL byte in
 * a line is dropped, with an event.
 */
#ifndef DICTUM_CORE_LINES_H
#define DICTUM_CORE_LINES_H

#include <stdbool.h>
#include "event.h"
#include "include/dictum_plugin.h"

/** One logical line; the text is the caller's to change until the next call. */
struct line {
  char *text;      /**< NUL-terminated, without leading white space; empty after a leading NUL */
  size_t len;      /**< text has no NUL before this */
  uint64_t number; /**< of its first physical line, from 1 */
};

/** Who is told about doubtful lines, and in which words. Strings are not copied. */
struct lines_owner {
  const struct event_sink *events;
  const char *table; /**< spec, or "" */
};

/** Reads from @p fd, which is not closed, as needed; it may be a pipe.
 * @param label  what messages call it; copied
 * @return OK; NOMEM. */
dictum_status lines_open_fd(int fd, const char *label, const struct lines_owner *owner,
                            dictum_lines **out, dictum_error *err);
/** Reads a file as it stands, whole: see slurp_settled_file().
 * @return OK; CONFIG; NOMEM. */
dictum_status lines_open_file(const char *path, const struct lines_owner *owner, dictum_lines **out,
                              dictum_error *err);
/** Reads "{ {line}, {line} }".
 * @param label  what messages call it; copied
 * @return OK; CONFIG for unbalanced braces; NOMEM. */
dictum_status lines_open_text(const char *text, const char *label, const struct lines_owner *owner,
                              dictum_lines **out, dictum_error *err);
/** For all of the above: takes over @p content, also in case of failure. */
dictum_status lines_open_content(dictum_buf *content, const char *label,
                                 const struct lines_owner *owner, dictum_lines **out,
                                 dictum_error *err);

/** Gives the next logical line.
 * @return OK; END; CONFIG "read LABEL: ..."; NOMEM. */
dictum_status lines_next(dictum_lines *lines, struct line *line, dictum_error *err);
/** Cuts trailing white space off. */
void line_trim(struct line *line);
/** How many bytes have been consumed. */
uint64_t lines_offset(const dictum_lines *lines);
const char *lines_label(const dictum_lines *lines);
/** NULL is fine. */
void lines_close(dictum_lines *lines);

/* The services lines_open, lines_next and lines_close of dictum_host. */
dictum_status lines_service_open(dictum_slot *slot, const char *name, dictum_lines **out,
                                 dictum_error *err);
dictum_status lines_service_next(dictum_lines *lines, char **text, size_t *len, uint64_t *line,
                                 dictum_error *err);
void lines_service_close(dictum_lines *lines);

/** White space as ASCII knows it. */
static inline bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif
