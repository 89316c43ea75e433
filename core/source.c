/* SPDX-License-Identifier: BSD-2-Clause */
/* source.c - the reader of entries: postmap(1)'s "key value", and aliases(5). */
#include "source.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

#include "buf.h"
#include "ctx.h"
#include "error.h"
#include "file_value.h"
#include "fold.h"
#include "lines.h"
#include "words.h"

/* How much of a bad line its warning shows. */
enum { shown_size = 1000 };

struct dictum_source {
  dictum_lines *lines;
  const struct event_sink *events;
  uint32_t flags;
  dictum_buf name, value; /* of aliases */
  dictum_buf file;        /* content of files, as base64 */
};

/* Tells about a line: what is wrong, perhaps with @p quoted between both parts. */
static void warn(const dictum_source *source, const struct line *line, const char *what,
                 const char *quoted, const char *rest) {
  event_send_line(source->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_SOURCE_LINE, "", line->number,
                  0, "%s, line %" PRIu64 ": %s%.*s%s", lines_label(source->lines), line->number,
                  what, shown_size, quoted, rest);
}

dictum_status source_open_lines(dictum_lines *lines, const struct event_sink *events,
                                uint32_t flags, dictum_source **out, dictum_error *err) {
  *out = calloc(1, sizeof **out);
  if (!*out) {
    lines_close(lines);
    return error_nomem(err);
  }
  (*out)->lines = lines;
  (*out)->events = events;
  (*out)->flags = flags;
  return DICTUM_OK;
}

dictum_status dictum_source_open(dictum_ctx *ctx, int fd, const char *label, uint32_t flags,
                                 dictum_source **out, dictum_error *err) {
  *out = NULL;
  const struct lines_owner owner = {&ctx->events, ""};
  dictum_lines *lines;
  dictum_status status = lines_open_fd(fd, label, &owner, &lines, err);
  return status == DICTUM_OK ? source_open_lines(lines, &ctx->events, flags, out, err) : status;
}

void dictum_source_close(dictum_source *source) {
  if (!source)
    return;
  lines_close(source->lines);
  dictum_buf_free(&source->name);
  dictum_buf_free(&source->value);
  dictum_buf_free(&source->file);
  free(source);
}

uint64_t dictum_source_offset(const dictum_source *source) {
  return lines_offset(source->lines);
}

/* Returns how many bytes, eight at a time, are surely of a key and nothing but themselves. */
static size_t plain_len(const char *text, size_t len) {
  size_t n = 0;
  for (; n + word_size <= len; n += word_size) {
    const uint64_t word = word_at(text + n);
    if (word_has_below(word, ' ' + 1) || word_has(word, '"') || word_has(word, '\\'))
      break;
  }
  return n;
}

/* Returns where the key ends: at white space outside of quotes. @p open: a quote is missing. */
static size_t key_len(const char *text, size_t len, bool *open) {
  bool quoted = false;
  size_t i = plain_len(text, len);
  for (; i < len; i++) {
    if (text[i] == '\\')
      i++;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (!quoted && is_space(text[i]))
      break;
  }
  *open = quoted;
  return i < len ? i : len;
}

/* The functions below answer INVALID for a line that is skipped, after an event; err is not used
 * then. */

static dictum_status split_key_value(const dictum_source *source, struct line *line,
                                     dictum_entry *entry) {
  bool open;
  size_t keylen = key_len(line->text, line->len, &open);
  if (open) {
    warn(source, line, "unbalanced '\"' in '", line->text, "' -- ignoring this line");
    return DICTUM_INVALID;
  }
  line_trim(line);
  size_t value = keylen;
  while (value < line->len && is_space(line->text[value]))
    value++;
  if (keylen == 0 || value >= line->len) {
    warn(source, line, "expected format: key whitespace value", "",
         source->flags & SOURCE_IN_MEMORY ? " -- ignoring this line" : "");
    return DICTUM_INVALID;
  }
  if (line->text[keylen - 1] == ':')
    warn(source, line, "record is in \"key: value\" format; is this an alias file?", "", "");
  *entry = (dictum_entry){line->text, keylen, line->text + value, line->len - value, line->number};
  return DICTUM_OK;
}

static dictum_status split_alias(dictum_source *source, const struct line *line,
                                 dictum_entry *entry, dictum_error *err) {
  const char *mistake;
  if (line->len == 0) /* nothing comes before its NUL byte, which has been told */
    return DICTUM_INVALID;
  if (alias_split(line->text, line->len, &source->name, &source->value, &mistake) != DICTUM_OK)
    return error_nomem(err);
  if (mistake) {
    warn(source, line, mistake, "", "");
    return DICTUM_INVALID;
  }
  *entry = (dictum_entry){source->name.data, source->name.len, source->value.data,
                          source->value.len, line->number};
  return DICTUM_OK;
}

static dictum_status read_files(dictum_source *source, const struct line *line, dictum_entry *entry,
                                dictum_error *err) {
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = file_value(entry->value, entry->valuelen, &source->file, &why);
  if (status == DICTUM_NOMEM)
    return error_nomem(err);
  if (status != DICTUM_OK) {
    warn(source, line, why.what, "", ": skipping this entry");
    return DICTUM_INVALID;
  }
  entry->value = source->file.data;
  entry->valuelen = source->file.len;
  return DICTUM_OK;
}

static dictum_status read_entry(dictum_source *source, struct line *line, dictum_entry *entry,
                                dictum_error *err) {
  if ((source->flags & DICTUM_SOURCE_UTF8) && !utf8_valid(line->text, line->len)) {
    warn(source, line, "non-UTF-8 input \"", line->text, "\" -- ignoring this line");
    return DICTUM_INVALID;
  }
  dictum_status status = source->flags & DICTUM_SOURCE_ALIASES
                             ? split_alias(source, line, entry, err)
                             : split_key_value(source, line, entry);
  if (status == DICTUM_OK && (source->flags & DICTUM_SOURCE_FILES))
    status = read_files(source, line, entry, err);
  return status;
}

dictum_status dictum_source_next(dictum_source *source, dictum_entry *entry, dictum_error *err) {
  *entry = (dictum_entry){0};
  for (;;) {
    struct line line;
    dictum_status status = lines_next(source->lines, &line, err);
    if (status == DICTUM_OK)
      status = read_entry(source, &line, entry, err);
    if (status != DICTUM_INVALID)
      return status;
  }
}
