/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lines.c - the reader of logical lines.
 *
 * A logical line is put together in the read buffer itself: the text of each
 * continuation moves down to the end of what is there, over the newline and
 * over dropped lines. Most lines stand alone and move not at all.
 *
 *     0        start     start+len      pos            end        size
 *     | given   | under    | dropped     | not yet      | free     |
 *     | away    | way      |             | looked at    |          |
 *
 * One byte behind `size` is kept for the NUL of a last line without newline.
 */
#include "lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "slurp.h"

enum { first_size = 128 * 1024 };
/* How much of a line that begins with white space its warning shows. */
enum { shown_size = 30 };

struct dictum_lines {
  int fd; /* -1: all is in memory */
  bool at_end;
  bool nul_came; /* once; until then no line need be searched for one */
  char *data;
  size_t start, len, pos, end, size;
  uint64_t number;   /* physical lines taken so far */
  uint64_t consumed; /* bytes of them */
  struct lines_owner owner;
  char label[];
};

/* What one physical line is to the logical line around it. */
enum line_kind { LINE_BEGINS, LINE_CONTINUES, LINE_DROPPED };

static bool has_nul(const char *text, size_t len) {
  return len > 0 && memchr(text, '\0', len) != NULL;
}

static dictum_lines *lines_new(const char *label, const struct lines_owner *owner) {
  size_t label_size = strlen(label) + 1;
  dictum_lines *lines = calloc(1, sizeof *lines + label_size);
  if (!lines)
    return NULL;
  memcpy(lines->label, label, label_size);
  lines->owner = *owner;
  lines->fd = -1;
  return lines;
}

dictum_status lines_open_fd(int fd, const char *label, const struct lines_owner *owner,
                            dictum_lines **out, dictum_error *err) {
  *out = NULL;
  dictum_lines *lines = lines_new(label, owner);
  if (!lines)
    return error_nomem(err);
  lines->data = malloc(first_size + 1);
  if (!lines->data) {
    lines_close(lines);
    return error_nomem(err);
  }
  lines->size = first_size;
  lines->fd = fd;
  *out = lines;
  return DICTUM_OK;
}

dictum_status lines_open_content(dictum_buf *content, const char *label,
                                 const struct lines_owner *owner, dictum_lines **out,
                                 dictum_error *err) {
  *out = NULL;
  dictum_lines *lines = lines_new(label, owner);
  if (!lines) {
    dictum_buf_free(content);
    return error_nomem(err);
  }
  lines->data = content->data;
  lines->end = lines->size = content->len;
  lines->at_end = true;
  lines->nul_came = has_nul(lines->data, lines->end);
  *content = (dictum_buf){0};
  *out = lines;
  return DICTUM_OK;
}

dictum_status lines_open_file(const char *path, const struct lines_owner *owner, dictum_lines **out,
                              dictum_error *err) {
  *out = NULL;
  dictum_buf content = {0};
  dictum_status status = slurp_settled_file(path, &content, err);
  if (status == DICTUM_OK)
    return lines_open_content(&content, path, owner, out, err);
  dictum_buf_free(&content);
  return status;
}

void lines_close(dictum_lines *lines) {
  if (!lines)
    return;
  free(lines->data);
  free(lines);
}

uint64_t lines_offset(const dictum_lines *lines) {
  return lines->consumed;
}

const char *lines_label(const dictum_lines *lines) {
  return lines->label;
}

/* ---- buffer ------------------------------------------------------------------------------- */

/* Moves what is still wanted to the front. The place of a newline stays free behind the line under
 * way, for its NUL. */
static void compact(dictum_lines *lines) {
  size_t pos = lines->len + (lines->pos > lines->start + lines->len);
  memmove(lines->data, lines->data + lines->start, lines->len);
  memmove(lines->data + pos, lines->data + lines->pos, lines->end - lines->pos);
  lines->end -= lines->pos - pos;
  lines->start = 0;
  lines->pos = pos;
}

static bool grow(dictum_lines *lines) {
  size_t size;
  if (__builtin_mul_overflow(lines->size, 2, &size) || size == SIZE_MAX)
    return false;
  char *data = realloc(lines->data, size + 1);
  if (!data)
    return false;
  lines->data = data;
  lines->size = size;
  return true;
}

static dictum_status fill(dictum_lines *lines, dictum_error *err) {
  /* Always a good part of the buffer, or a long line would leave room for small reads only. */
  if (lines->size - lines->end < lines->size / 4)
    compact(lines);
  if (lines->size - lines->end < lines->size / 4 && !grow(lines))
    return error_nomem(err);
  ssize_t n = read_some(lines->fd, lines->data + lines->end, lines->size - lines->end);
  if (n < 0) {
    int number = errno;
    return error_set(err, DICTUM_CONFIG, number, "read %s: %s", lines->label, ERRNO_TEXT(number));
  }
  lines->nul_came = lines->nul_came || has_nul(lines->data + lines->end, (size_t)n);
  lines->end += (size_t)n;
  lines->at_end = n == 0;
  return DICTUM_OK;
}

/* ---- physical lines ----------------------------------------------------------------------- */

/* Sees to it that a whole physical line stands at pos; @p len is without its newline. */
static dictum_status find_line(dictum_lines *lines, size_t *len, dictum_error *err) {
  size_t seen = 0;
  for (;;) {
    size_t have = lines->end - lines->pos;
    const char *text = have ? lines->data + lines->pos : NULL;
    const char *newline = have > seen ? memchr(text + seen, '\n', have - seen) : NULL;
    if (newline) {
      *len = (size_t)(newline - text);
      return DICTUM_OK;
    }
    if (lines->at_end) {
      *len = have;
      return have ? DICTUM_OK : DICTUM_END;
    }
    seen = have;
    dictum_status status = fill(lines, err);
    if (status != DICTUM_OK)
      return status;
  }
}

static void take_line(dictum_lines *lines, size_t len) {
  size_t size = len + (lines->pos + len < lines->end); /* the newline, if any */
  lines->pos += size;
  lines->consumed += size;
  lines->number++;
}

static enum line_kind line_kind(const char *text, size_t len) {
  size_t i = 0;
  while (i < len && is_space(text[i]))
    i++;
  if (i == len || text[i] == '#')
    return LINE_DROPPED;
  return i > 0 ? LINE_CONTINUES : LINE_BEGINS;
}

/* ---- logical lines ------------------------------------------------------------------------ */

static void warn_of_nul(const dictum_lines *lines, uint64_t first, uint64_t last) {
  if (first == last)
    event_send_line(
        lines->owner.events, DICTUM_LEVEL_WARNING, DICTUM_CODE_SOURCE_LINE, lines->owner.table,
        first, 0, "%s, line %" PRIu64 ": text after null byte may be ignored", lines->label, first);
  else
    event_send_line(lines->owner.events, DICTUM_LEVEL_WARNING, DICTUM_CODE_SOURCE_LINE,
                    lines->owner.table, first, 0,
                    "%s, line %" PRIu64 "-%" PRIu64 ": text after null byte may be ignored",
                    lines->label, first, last);
}

static void warn_of_white_space(const dictum_lines *lines, const struct line *line) {
  event_send_line(lines->owner.events, DICTUM_LEVEL_WARNING, DICTUM_CODE_SOURCE_LINE,
                  lines->owner.table, line->number, 0,
                  "%s, line %" PRIu64 ": logical line must not start with whitespace: \"%.*s%s\"",
                  lines->label, line->number, shown_size, line->text,
                  line->len > shown_size ? "..." : "");
}

static void drop_line(dictum_lines *lines, size_t len) {
  bool doubtful = lines->nul_came && has_nul(lines->data + lines->pos, len);
  take_line(lines, len);
  if (doubtful)
    warn_of_nul(lines, lines->number, lines->number);
}

/* Moves the physical line at pos to the end of the logical line. */
static void join_line(dictum_lines *lines, size_t len) {
  char *to = lines->data + lines->start + lines->len;
  char *from = lines->data + lines->pos;
  take_line(lines, len);
  if (to != from)
    memmove(to, from, len);
  lines->len += len;
}

/* Takes the first physical line of a logical one. */
static dictum_status take_first(dictum_lines *lines, dictum_error *err) {
  for (;;) {
    lines->start = lines->pos;
    lines->len = 0;
    size_t len;
    dictum_status status = find_line(lines, &len, err);
    if (status != DICTUM_OK)
      return status;
    if (line_kind(lines->data + lines->pos, len) != LINE_DROPPED) {
      join_line(lines, len);
      return DICTUM_OK;
    }
    drop_line(lines, len);
  }
}

/* One look at the next byte tells most lines that nothing continues them. */
static bool surely_complete(const dictum_lines *lines) {
  if (lines->pos == lines->end)
    return false;
  char next = lines->data[lines->pos];
  return next != '#' && !is_space(next);
}

/* Takes all that belongs to the logical line. @p last: number of its last physical line. */
static dictum_status take_rest(dictum_lines *lines, uint64_t *last, dictum_error *err) {
  *last = lines->number;
  while (!surely_complete(lines)) {
    size_t len;
    dictum_status status = find_line(lines, &len, err);
    if (status == DICTUM_END)
      return DICTUM_OK;
    if (status != DICTUM_OK)
      return status;
    enum line_kind kind = line_kind(lines->data + lines->pos, len);
    if (kind == LINE_BEGINS)
      return DICTUM_OK;
    if (kind == LINE_DROPPED) {
      drop_line(lines, len);
      continue;
    }
    join_line(lines, len);
    *last = lines->number;
  }
  return DICTUM_OK;
}

/* Cuts the line under way at a NUL, or ends it with one. */
static void give_line(dictum_lines *lines, struct line *line, uint64_t last) {
  line->text = lines->data + lines->start;
  line->len = lines->len;
  line->text[line->len] = '\0';
  if (lines->nul_came && has_nul(line->text, line->len)) {
    warn_of_nul(lines, line->number, last);
    line->len = strlen(line->text);
  }
}

void line_trim(struct line *line) {
  while (line->len > 0 && is_space(line->text[line->len - 1]))
    line->len--;
  line->text[line->len] = '\0';
}

dictum_status lines_next(dictum_lines *lines, struct line *line, dictum_error *err) {
  *line = (struct line){0};
  for (;;) {
    dictum_status status = take_first(lines, err);
    if (status != DICTUM_OK)
      return status;
    line->number = lines->number;
    uint64_t last;
    status = take_rest(lines, &last, err);
    if (status != DICTUM_OK)
      return status;
    bool orphan = is_space(lines->data[lines->start]);
    give_line(lines, line, last);
    if (!orphan)
      return DICTUM_OK;
    warn_of_white_space(lines, line);
  }
}
