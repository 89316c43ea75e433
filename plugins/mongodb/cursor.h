/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cursor.h - the documents that a question finds, batch by batch.
 *
 * libmongoc has cursors of its own, which end the process over an answer that is
 * not as they expect. So "find" and "getMore" are plain commands to it.
 */
#ifndef DICTUM_MONGODB_CURSOR_H
#define DICTUM_MONGODB_CURSOR_H

#include "link.h"

struct cursor {
  struct link *link;
  uint32_t server; /**< which one of a set has it */
  int64_t id;      /**< 0: there is no more than this batch */
  bson_t reply;
  bson_iter_t batch; /**< in the reply */
};

enum cursor_step { CURSOR_DOCUMENT, CURSOR_END, CURSOR_FAILED, CURSOR_GARBLED };

/** Asks for @p filter. @p options are more of the command.
 * @return DOCUMENT: mongo_cursor_next() is to follow; FAILED: see @p error; GARBLED: what the
 * server answered makes no sense. In any case the cursor is to be closed. */
enum cursor_step mongo_cursor_open(struct cursor *cursor, struct link *link, const bson_t *filter,
                                   const bson_t *options, bson_error_t *error);
/** Gives the next document, which lives until the next call. */
enum cursor_step mongo_cursor_next(struct cursor *cursor, bson_t *document, bson_error_t *error);
/** Tells the server to forget the rest, unless the link has been silenced. */
void mongo_cursor_close(struct cursor *cursor);

#endif
