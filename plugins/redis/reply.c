/* SPDX-License-Identifier: BSD-2-Clause */
/* reply.c - where a reply of Redis ends, and what its errors mean. */
#include "reply.h"

#include <string.h>

/* An array within an array is more than any command here answers. */
enum { deepest = 3 };

/* ---- where a reply ends --------------------------------------------------------------------- */

static const char too_long[] = "reply is too long", nonsense[] = "reply makes no sense";

struct scan {
  const char *data;
  size_t len, at, most;
  const char *why;
};

/* Steps over the line at `at`; *line and *len are what is in it. */
static enum frame scan_line(struct scan *scan, const char **line, size_t *len) {
  *line = scan->data + scan->at;
  const char *end = memchr(*line, '\n', scan->len - scan->at);
  if (!end)
    return FRAME_PART;
  scan->why = nonsense;
  if (end - *line < 2 || end[-1] != '\r')
    return FRAME_BAD;
  *len = (size_t)(end - *line) - 1;
  scan->at = (size_t)(end + 1 - scan->data);
  return FRAME_WHOLE;
}

/* The number behind the first character of a line; -1: nothing. */
static bool read_count(const char *line, size_t len, size_t most, bool *none, size_t *out) {
  *out = 0;
  *none = len == 3 && line[1] == '-' && line[2] == '1';
  if (*none)
    return true;
  for (size_t i = 1; i < len; i++) {
    if (line[i] < '0' || line[i] > '9' || *out > most)
      return false;
    *out = *out * 10 + (size_t)(line[i] - '0');
  }
  return len > 1 && *out <= most;
}

static enum frame scan_bulk(struct scan *scan, size_t bytes) {
  const size_t left = scan->len - scan->at;
  if (left < bytes + 2)
    return FRAME_PART;
  scan->why = nonsense;
  if (memcmp(scan->data + scan->at + bytes, "\r\n", 2) != 0)
    return FRAME_BAD;
  scan->at += bytes + 2;
  return FRAME_WHOLE;
}

static enum frame scan_reply(struct scan *scan, unsigned depth);

/* Each part takes four bytes at least. */
static enum frame scan_array(struct scan *scan, size_t parts, unsigned depth) {
  scan->why = nonsense;
  if (depth == deepest || parts > scan->most / 4)
    return FRAME_BAD;
  enum frame frame = FRAME_WHOLE;
  for (size_t i = 0; i < parts && frame == FRAME_WHOLE; i++)
    frame = scan_reply(scan, depth + 1);
  return frame;
}

static enum frame scan_reply(struct scan *scan, unsigned depth) {
  const char *line;
  size_t len, count;
  bool none;
  enum frame frame = scan_line(scan, &line, &len);
  if (frame != FRAME_WHOLE)
    return frame;
  scan->why = nonsense;
  switch (*line) {
  case '+':
  case '-':
    return FRAME_WHOLE;
  case ':':
    return len > 1 && len < 22 ? FRAME_WHOLE : FRAME_BAD;
  case '$':
  case '*':
    if (!read_count(line, len, scan->most, &none, &count))
      return FRAME_BAD;
    if (none)
      return FRAME_WHOLE;
    return *line == '$' ? scan_bulk(scan, count) : scan_array(scan, count, depth);
  default:
    return FRAME_BAD;
  }
}

enum frame redis_reply_frame(const char *data, size_t len, size_t most, size_t *size,
                             const char **why) {
  struct scan scan = {.data = data, .len = len, .most = most};
  enum frame frame = scan_reply(&scan, 0);
  *why = scan.why;
  *size = scan.at;
  if (frame != FRAME_PART || len < most)
    return frame;
  *why = too_long;
  return FRAME_BAD;
}

/* ---- errors --------------------------------------------------------------------------------- */

/* WRONGTYPE and ASK are about one key, which must not take a table out of service for a minute, as
 * CONFIG would. */
static const struct {
  const char *start;
  dictum_status status;
} errors[] = {
    {"LOADING", DICTUM_RETRY},
    {"BUSY", DICTUM_RETRY},
    {"CLUSTERDOWN", DICTUM_RETRY},
    {"MASTERDOWN", DICTUM_RETRY},
    {"TRYAGAIN", DICTUM_RETRY},
    {"READONLY", DICTUM_RETRY},
    {"OOM", DICTUM_RETRY},
    {"MISCONF", DICTUM_RETRY},
    {"NOREPLICAS", DICTUM_RETRY},
    {"ASK", DICTUM_RETRY},
    {"WRONGTYPE", DICTUM_RETRY},
    {"NOAUTH", DICTUM_CONFIG},
    {"WRONGPASS", DICTUM_CONFIG},
    {"NOPERM", DICTUM_CONFIG},
    {"MOVED", DICTUM_CONFIG},
    {"CROSSSLOT", DICTUM_CONFIG},
    {"DENIED", DICTUM_CONFIG},
    {"NOPROTO", DICTUM_CONFIG},
    {"ERR max number of clients reached", DICTUM_RETRY},
    {"ERR", DICTUM_CONFIG},
};

static bool begins(const char *text, size_t len, const char *start) {
  const size_t n = strlen(start);
  return len >= n && memcmp(text, start, n) == 0 && (len == n || text[n] == ' ');
}

dictum_status redis_error_status(const char *text, size_t len) {
  for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
    if (begins(text, len, errors[i].start))
      return errors[i].status;
  return DICTUM_RETRY;
}

bool redis_error_is_of_key(const char *text, size_t len) {
  return begins(text, len, "WRONGTYPE") || begins(text, len, "ASK") ||
         begins(text, len, "TRYAGAIN");
}
