/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime.h - a message, line by line, as Postfix's header_checks(5) and
 * body_checks see it: logical headers, and lines of the body.
 *
 * It holds one header, the boundaries of the multiparts that are open, and
 * nothing else of a message, however long that is.
 */
#ifndef DICTUM_CLI_MIME_H
#define DICTUM_CLI_MIME_H

#include <dictum.h>
#include <stdbool.h>

/** Where headers and lines go. A text holds no NUL byte, for a line ends at its first one, and
 * lives until the function returns. Any answer but DICTUM_OK ends the reading. */
struct mime_sink {
  /** A header with its continuation lines, newlines between them. NULL: none wanted. */
  dictum_status (*header)(void *rock, const char *text, size_t len);
  /** A line without its newline; the first is the empty one after the primary headers, which is
   * told also where a message lacks it. NULL: none wanted. */
  dictum_status (*body)(void *rock, const char *text, size_t len);
  void *rock;
};

/** How a message is read. */
struct mime_options {
  bool parts;           /**< look for the headers of parts and of messages in the message */
  size_t header_size;   /**< a header that is as long gets no more continuation lines */
  size_t boundary_size; /**< a boundary is compared no further; above 0 */
  size_t nesting;       /**< how deep multiparts may nest; deeper ones are lines of the body */
};

struct mime;

/** @return NULL when memory is out. */
struct mime *mime_new(const struct mime_options *options, const struct mime_sink *sink);
/** NULL is fine. */
void mime_free(struct mime *mime);

/** Takes the next line, without its newline.
 * @return OK; NOMEM; what the sink answered. */
dictum_status mime_line(struct mime *mime, const char *line, size_t len);
/** Takes the end of the message. @return as mime_line(). */
dictum_status mime_end(struct mime *mime);
/** True until the end of the message's own headers. */
bool mime_in_primary_headers(const struct mime *mime);

#endif
