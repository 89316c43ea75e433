/* SPDX-License-Identifier: BSD-2-Clause */
/* cursor.c - the documents that a question finds, batch by batch. */
#include "cursor.h"

#include "clock.h"

/* ---- commands ------------------------------------------------------------------------------- */

static bool select_server(struct cursor *cursor, bson_error_t *error) {
  mongoc_server_description_t *chosen = mongoc_client_select_server(cursor->link->client, false,
                                                                    NULL, error);
  if (!chosen)
    return false;
  cursor->server = mongoc_server_description_id(chosen);
  mongoc_server_description_destroy(chosen);
  /* Others of the set may be away. */
  mongo_link_absolve(cursor->link);
  return true;
}

/* Replaces cursor->reply. */
static bool run(struct cursor *cursor, const bson_t *command, bool reads, bson_error_t *error) {
  bson_t options = BSON_INITIALIZER;
  const char *dbname = cursor->link->server->dbname;
  mongoc_client_t *client = cursor->link->client;
  BSON_APPEND_INT32(&options, "serverId", (int32_t)cursor->server);
  bson_destroy(&cursor->reply);
  bool done = reads ? mongoc_client_read_command_with_opts(client, dbname, command, NULL, &options,
                                                           &cursor->reply, error)
                    : mongoc_client_command_with_opts(client, dbname, command, NULL, &options,
                                                      &cursor->reply, error);
  bson_destroy(&options);
  return done;
}

/* {cursor: {id: 0, firstBatch: [...]}} */
static enum cursor_step take_batch(struct cursor *cursor, const char *name) {
  bson_iter_t iter, inner, batch;
  if (!bson_iter_init_find(&iter, &cursor->reply, "cursor") || !BSON_ITER_HOLDS_DOCUMENT(&iter) ||
      !bson_iter_recurse(&iter, &inner) || !bson_iter_find(&inner, "id") ||
      !BSON_ITER_HOLDS_INT(&inner))
    return CURSOR_GARBLED;
  cursor->id = bson_iter_as_int64(&inner);
  if (!bson_iter_recurse(&iter, &batch) || !bson_iter_find(&batch, name) ||
      !BSON_ITER_HOLDS_ARRAY(&batch) || !bson_iter_recurse(&batch, &cursor->batch))
    return CURSOR_GARBLED;
  return CURSOR_DOCUMENT;
}

/* ---- batches -------------------------------------------------------------------------------- */

enum cursor_step mongo_cursor_open(struct cursor *cursor, struct link *link, const bson_t *filter,
                                   const bson_t *options, bson_error_t *error) {
  *cursor = (struct cursor){.link = link};
  bson_init(&cursor->reply);
  if (!select_server(cursor, error))
    return CURSOR_FAILED;
  bson_t command = BSON_INITIALIZER;
  BSON_APPEND_UTF8(&command, "find", link->server->collection);
  BSON_APPEND_DOCUMENT(&command, "filter", filter);
  bson_concat(&command, options);
  bool done = run(cursor, &command, true, error);
  bson_destroy(&command);
  return done ? take_batch(cursor, "firstBatch") : CURSOR_FAILED;
}

static enum cursor_step get_more(struct cursor *cursor, bson_error_t *error) {
  bson_t command = BSON_INITIALIZER;
  const int64_t id = cursor->id;
  BSON_APPEND_INT64(&command, "getMore", id);
  BSON_APPEND_UTF8(&command, "collection", cursor->link->server->collection);
  bool done = run(cursor, &command, false, error);
  bson_destroy(&command);
  return done ? take_batch(cursor, "nextBatch") : CURSOR_FAILED;
}

enum cursor_step mongo_cursor_next(struct cursor *cursor, bson_t *document, bson_error_t *error) {
  while (!bson_iter_next(&cursor->batch)) {
    if (cursor->id == 0)
      return CURSOR_END;
    /* A server may have batches for ever, and be quick with them. */
    cursor->link->lost |= clock_left_ms(cursor->link->deadline) == 0;
    if (cursor->link->lost)
      return CURSOR_FAILED;
    enum cursor_step step = get_more(cursor, error);
    if (step != CURSOR_DOCUMENT)
      return step;
  }
  const uint8_t *bytes;
  uint32_t len;
  if (!BSON_ITER_HOLDS_DOCUMENT(&cursor->batch))
    return CURSOR_GARBLED;
  bson_iter_document(&cursor->batch, &len, &bytes);
  return bson_init_static(document, bytes, len) ? CURSOR_DOCUMENT : CURSOR_GARBLED;
}

static void forget_rest(struct cursor *cursor) {
  bson_t command = BSON_INITIALIZER, ids;
  BSON_APPEND_UTF8(&command, "killCursors", cursor->link->server->collection);
  BSON_APPEND_ARRAY_BEGIN(&command, "cursors", &ids);
  BSON_APPEND_INT64(&ids, "0", cursor->id);
  bson_append_array_end(&command, &ids);
  run(cursor, &command, false, NULL);
  bson_destroy(&command);
}

void mongo_cursor_close(struct cursor *cursor) {
  if (cursor->id != 0 && !mongo_link_is_silent(cursor->link))
    forget_rest(cursor);
  bson_destroy(&cursor->reply);
}
