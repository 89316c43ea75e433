/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contenttype.h - the value of a Content-Type header (RFC 2045), as far as it
 * decides how a message falls into parts. Where it is malformed, Postfix's
 * reading of it is the measure.
 */
#ifndef DICTUM_CLI_CONTENTTYPE_H
#define DICTUM_CLI_CONTENTTYPE_H

#include <stdbool.h>
#include <stddef.h>

enum content_kind {
  CONTENT_AS_BEFORE, /**< says nothing: what was said before holds */
  CONTENT_PLAIN,     /**< lines without structure */
  CONTENT_MULTIPART, /**< parts between boundaries */
  CONTENT_MESSAGE    /**< a message with headers of its own */
};

/** One value while it is read; its text must outlive it. */
struct content_type {
  enum content_kind kind;
  bool digest;      /**< multipart/digest, whose parts are messages unless they say otherwise */
  const char *rest; /**< the parameters that have not been read */
};

/** Reads the type itself. @param value  what follows the header's colon */
struct content_type content_type_read(const char *value);
/** Finds the next parameter "boundary", without its quotes.
 * @param room  takes up to @p size bytes, and no NUL after them
 * @param len   how many there are; what does not fit is cut off
 * @return false when there is none */
bool content_type_boundary(struct content_type *type, char *room, size_t size, size_t *len);

#endif
