/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postmap_event.c - the library's events in Postfix's words: there, a message
 * about a table names it in one of several ways, by what it is about.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"
#include "postmap.h"

static bool has_type(const char *spec, const char *type) {
  size_t len = strlen(type);
  return strncmp(spec, type, len) == 0 && spec[len] == ':';
}

/* Berkeley DB's tables go by the name of their file. */
static const char *file_suffix(const char *spec) {
  return has_type(spec, "hash") || has_type(spec, "btree") ? ".db" : "";
}

static const char *name_of(const char *spec) {
  return strchr(spec, ':') + 1;
}

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

/* Returns the text with the table's name before it, or NULL for one that stands for itself. */
static char *named_text(const dictum_event *event) {
  const char *spec = event->table;
  char *text;
  int len = -1;
  if (!strchr(spec, ':'))
    return NULL;
  if (event->code == DICTUM_CODE_DUPLICATE && starts_with(event->text, "duplicate entry")) {
    bool by_file = has_type(spec, "hash") || has_type(spec, "btree") || has_type(spec, "cdb");
    len = asprintf(&text, "%s%s: %s", by_file ? name_of(spec) : spec, file_suffix(spec),
                   event->text);
  } else if (event->code == DICTUM_CODE_BASE64 && starts_with(event->text, "key ")) {
    len = asprintf(&text, "table %s%s: %s", spec, file_suffix(spec), event->text);
  }
  return len < 0 ? NULL : text;
}

void postmap_event(void *rock, const dictum_event *event) {
  char *text = named_text(event);
  dictum_event named = *event;
  if (text)
    named.text = text;
  messages_event(rock, &named);
  free(text);
}
