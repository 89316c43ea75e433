/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime.c - a message, line by line: where headers are, and where they end.
 *
 * A section of headers ends before the first line that is neither a header nor
 * the continuation of one. Lines of a body follow; among them a boundary of any
 * multipart that is open begins the headers of a part, or closes the multipart.
 */
#include "mime.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "contenttype.h"

struct boundary {
  struct boundary *outer;
  bool digest; /* of a multipart/digest */
  size_t len;
  char text[]; /* what follows the two dashes */
};

struct mime {
  struct mime_options options;
  struct mime_sink sink;
  bool in_headers;
  bool primary;      /* in_headers: they are the message's own */
  bool has_message;  /* what these headers are about is a message in itself */
  dictum_buf header; /* the one that may still be continued; its len is 0 when there is none */
  struct boundary *inmost;
  size_t nested; /* how many boundaries there are */
  char *room;    /* for a boundary, of boundary_size bytes */
};

struct mime *mime_new(const struct mime_options *options, const struct mime_sink *sink) {
  struct mime *mime = calloc(1, sizeof *mime);
  if (!mime)
    return NULL;
  mime->options = *options;
  mime->sink = *sink;
  mime->in_headers = mime->primary = true;
  mime->room = malloc(options->boundary_size);
  if (mime->room)
    return mime;
  free(mime);
  return NULL;
}

static void close_boundary(struct mime *mime) {
  struct boundary *closed = mime->inmost;
  mime->inmost = closed->outer;
  mime->nested--;
  free(closed);
}

void mime_free(struct mime *mime) {
  if (!mime)
    return;
  while (mime->inmost)
    close_boundary(mime);
  dictum_buf_free(&mime->header);
  free(mime->room);
  free(mime);
}

bool mime_in_primary_headers(const struct mime *mime) {
  return mime->in_headers && mime->primary;
}

/* ---- what a section of headers says about its body ---------------------- */

/* Postfix counts from one below nothing, and refuses above the limit. */
static bool is_too_deep(const struct mime *mime) {
  return mime->nested > mime->options.nesting + 1;
}

static dictum_status open_boundary(struct mime *mime, size_t len, bool digest) {
  if (is_too_deep(mime))
    return DICTUM_OK;
  struct boundary *opened = malloc(sizeof *opened + len);
  if (!opened)
    return DICTUM_NOMEM;
  *opened = (struct boundary){.outer = mime->inmost, .digest = digest, .len = len};
  memcpy(opened->text, mime->room, len);
  mime->inmost = opened;
  mime->nested++;
  return DICTUM_OK;
}

static dictum_status take_content_type(struct mime *mime, const char *value) {
  struct content_type type = content_type_read(value);
  if (type.kind != CONTENT_AS_BEFORE)
    mime->has_message = type.kind == CONTENT_MESSAGE;
  if (type.kind != CONTENT_MULTIPART)
    return DICTUM_OK;
  size_t len;
  dictum_status status = DICTUM_OK;
  while (status == DICTUM_OK &&
         content_type_boundary(&type, mime->room, mime->options.boundary_size, &len))
    status = open_boundary(mime, len, type.digest);
  return status;
}

/* ---- headers ------------------------------------------------------------ */

/* Returns the length of a header's name, or 0 for a line that is none. *colon is the colon's place:
 * blanks may come before it. */
static size_t header_name(const char *line, size_t len, size_t *colon) {
  size_t name = 0;
  while (name < len && line[name] > ' ' && line[name] < 0x7f && line[name] != ':')
    name++;
  *colon = name;
  while (*colon < len && (line[*colon] == ' ' || line[*colon] == '\t'))
    ++*colon;
  return *colon < len && line[*colon] == ':' ? name : 0;
}

static bool reserve(dictum_buf *buf, size_t more) {
  if (more > SIZE_MAX / 4 - buf->len)
    return false;
  size_t need = buf->len + more + 1;
  if (need <= buf->cap)
    return true;
  size_t cap = buf->cap ? buf->cap : 1024;
  while (cap < need)
    cap *= 2;
  char *data = realloc(buf->data, cap);
  if (!data)
    return false;
  buf->data = data;
  buf->cap = cap;
  return true;
}

/* What follows a NUL byte is nobody's business. */
static dictum_status append(dictum_buf *buf, const char *text, size_t len) {
  len = strnlen(text, len);
  if (!reserve(buf, len))
    return DICTUM_NOMEM;
  memcpy(buf->data + buf->len, text, len);
  buf->len += len;
  buf->data[buf->len] = '\0';
  return DICTUM_OK;
}

static dictum_status start_header(struct mime *mime, const char *line, size_t len, size_t name,
                                  size_t colon) {
  dictum_status status = append(&mime->header, line, name);
  return status == DICTUM_OK ? append(&mime->header, line + colon, len - colon) : status;
}

static dictum_status continue_header(struct mime *mime, const char *line, size_t len) {
  if (mime->header.len >= mime->options.header_size)
    return DICTUM_OK;
  dictum_status status = append(&mime->header, "\n", 1);
  return status == DICTUM_OK ? append(&mime->header, line, len) : status;
}

static dictum_status finish_header(struct mime *mime) {
  static const char content_type[] = "content-type:";
  if (mime->header.len == 0)
    return DICTUM_OK;
  dictum_status status = DICTUM_OK;
  if (mime->options.parts &&
      strncasecmp(mime->header.data, content_type, sizeof content_type - 1) == 0)
    status = take_content_type(mime, mime->header.data + sizeof content_type - 1);
  if (status == DICTUM_OK && mime->sink.header)
    status = mime->sink.header(mime->sink.rock, mime->header.data, mime->header.len);
  mime->header.len = 0;
  return status;
}

static void begin_headers(struct mime *mime, bool has_message) {
  mime->in_headers = true;
  mime->has_message = has_message;
}

/* ---- body --------------------------------------------------------------- */

static dictum_status tell_line(struct mime *mime, const char *line, size_t len) {
  return mime->sink.body ? mime->sink.body(mime->sink.rock, line, len) : DICTUM_OK;
}

/* Returns the boundary that @p line is of: its text need only begin so. */
static struct boundary *find_boundary(const struct mime *mime, const char *line, size_t len) {
  if (len <= 2 || line[0] != '-' || line[1] != '-')
    return NULL;
  struct boundary *b = mime->inmost;
  while (b && (b->len > len - 2 || memcmp(b->text, line + 2, b->len) != 0))
    b = b->outer;
  return b;
}

/* What is open within a part ends with it. */
static void cross_boundary(struct mime *mime, struct boundary *found, const char *line,
                           size_t len) {
  while (mime->inmost != found)
    close_boundary(mime);
  size_t end = 2 + found->len;
  if (len >= end + 2 && line[end] == '-' && line[end + 1] == '-')
    close_boundary(mime);
  else
    begin_headers(mime, found->digest);
}

static dictum_status take_body_line(struct mime *mime, const char *line, size_t len) {
  dictum_status status = tell_line(mime, line, strnlen(line, len));
  struct boundary *found = find_boundary(mime, line, len);
  if (found)
    cross_boundary(mime, found, line, len);
  return status;
}

/* Only an empty line leads to the headers of a message in the message. */
static dictum_status end_headers(struct mime *mime, const char *line, size_t len) {
  bool lacks_line = mime->primary && len > 0;
  mime->in_headers = mime->primary = false;
  if (len == 0 && mime->has_message)
    begin_headers(mime, false);
  dictum_status status = lacks_line || len == 0 ? tell_line(mime, "", 0) : DICTUM_OK;
  return status == DICTUM_OK && len > 0 ? take_body_line(mime, line, len) : status;
}

/* ---- lines -------------------------------------------------------------- */

static bool is_continuation(const char *line, size_t len) {
  return len > 0 && (*line == ' ' || *line == '\t');
}

static dictum_status take_header_line(struct mime *mime, const char *line, size_t len) {
  if (mime->header.len > 0 && is_continuation(line, len))
    return continue_header(mime, line, len);
  dictum_status status = finish_header(mime);
  if (status != DICTUM_OK)
    return status;
  size_t colon, name = header_name(line, len, &colon);
  return name > 0 ? start_header(mime, line, len, name, colon) : end_headers(mime, line, len);
}

dictum_status mime_line(struct mime *mime, const char *line, size_t len) {
  return mime->in_headers ? take_header_line(mime, line, len) : take_body_line(mime, line, len);
}

dictum_status mime_end(struct mime *mime) {
  return finish_header(mime);
}
