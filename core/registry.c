/* SPDX-License-Identifier: BSD-2-Clause */
/* registry.c - which plugin file holds which type: dynamicmaps.cf and dynamicmaps.cf.d/. */
#include "registry.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "slurp.h"

struct entry {
  char *type;
  char *path;
  size_t registry; /* index of the registry that it came from */
};

struct registry_set {
  dictum_registry *registries;
  size_t nregistries;
  struct entry *entries;
  size_t nentries, capacity;
  bool was_read;
};

/* One file while it is read. */
struct reading {
  struct registry_set *set;
  const struct event_sink *events;
  dictum_error *err;
  const char *path;
  size_t registry;
  unsigned long line;
};

static void forget_entries(struct registry_set *set) {
  for (size_t i = 0; i < set->nentries; i++) {
    free(set->entries[i].type);
    free(set->entries[i].path);
  }
  set->nentries = 0;
}

void registry_set_free(struct registry_set *set) {
  if (!set)
    return;
  forget_entries(set);
  free(set->entries);
  for (size_t i = 0; i < set->nregistries; i++) {
    free((void *)(uintptr_t)set->registries[i].maps_file);
    free((void *)(uintptr_t)set->registries[i].plugin_dir);
  }
  free(set->registries);
  free(set);
}

struct registry_set *registry_set_new(const dictum_registry *registries, size_t n) {
  struct registry_set *set = calloc(1, sizeof *set);
  if (!set)
    return NULL;
  set->registries = calloc(n ? n : 1, sizeof *set->registries);
  if (!set->registries) {
    free(set);
    return NULL;
  }
  for (size_t i = 0; i < n; i++) {
    dictum_registry *copy = &set->registries[set->nregistries++];
    copy->maps_file = strdup(registries[i].maps_file);
    copy->plugin_dir = strdup(registries[i].plugin_dir);
    copy->flags = registries[i].flags;
    if (!copy->maps_file || !copy->plugin_dir) {
      registry_set_free(set);
      return NULL;
    }
  }
  return set;
}

static const struct entry *find(const struct registry_set *set, const char *type) {
  for (size_t i = 0; i < set->nentries; i++)
    if (strcmp(set->entries[i].type, type) == 0)
      return &set->entries[i];
  return NULL;
}

static dictum_status add(struct reading *r, const char *type, const char *object) {
  struct registry_set *set = r->set;
  const struct entry *earlier = find(set, type);
  if (earlier) {
    /* A type of ours in Postfix's own registry is no mistake of anybody's. */
    if (earlier->registry == r->registry)
      event_send(r->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_REGISTRY, "",
                 "%s, line %lu: ignoring duplicate entry for \"%s\"", r->path, r->line, type);
    return DICTUM_OK;
  }
  if (set->nentries == set->capacity) {
    size_t capacity = set->capacity ? set->capacity * 2 : 16;
    struct entry *entries = realloc(set->entries, capacity * sizeof *entries);
    if (!entries)
      return error_nomem(r->err);
    set->entries = entries;
    set->capacity = capacity;
  }
  struct entry *entry = &set->entries[set->nentries];
  entry->registry = r->registry;
  entry->type = strdup(type);
  if (object[0] == '/')
    entry->path = strdup(object);
  else if (asprintf(&entry->path, "%s/%s", set->registries[r->registry].plugin_dir, object) < 0)
    entry->path = NULL;
  if (!entry->type || !entry->path) {
    free(entry->type);
    free(entry->path);
    return error_nomem(r->err);
  }
  set->nentries++;
  return DICTUM_OK;
}

/* A wrong line of Postfix's registry stops Postfix's programs, and so those that
 * stand in for them; a wrong line of ours costs the one type that it names. */
static dictum_status refuse_line(struct reading *r, const char *what, const char *quoted) {
  const char *quote = quoted ? "\"" : "";
  if (r->set->registries[r->registry].flags & DICTUM_REGISTRY_POSTFIX)
    return error_code(r->err, DICTUM_CONFIG, DICTUM_CODE_REGISTRY, 0, "%s, line %lu: %s%s%s%s",
                      r->path, r->line, what, quote, quoted ? quoted : "", quote);
  event_send(r->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_REGISTRY, "",
             "%s, line %lu: %s%s%s%s: ignoring this line", r->path, r->line, what, quote,
             quoted ? quoted : "", quote);
  return DICTUM_OK;
}

static dictum_status read_line(struct reading *r, char *line) {
  bool postfix = r->set->registries[r->registry].flags & DICTUM_REGISTRY_POSTFIX;
  const char *start = postfix ? line : line + strspn(line, " \t");
  if (*start == '#' || *start == '\0')
    return DICTUM_OK;
  char *fields[5] = {NULL};
  size_t n = 0;
  char *rest = line;
  for (char *word; (word = strsep(&rest, " \t\r")) != NULL;)
    if (*word != '\0' && n < 5)
      fields[n++] = word;
  if (postfix && (n < 3 || n > 4))
    return refuse_line(r, "Expected \"type object open-function [mkmap-function]\"", NULL);
  if (n < 2)
    return refuse_line(r, "Expected \"type module\"", NULL);
  if (!isalnum((unsigned char)fields[0][0]))
    return refuse_line(r, "unsupported syntax ", fields[0]);
  return add(r, fields[0], fields[1]);
}

static bool trustworthy(const struct stat *st) {
  return (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Uses up @p text. */
static dictum_status read_lines(struct reading *r, dictum_buf *text) {
  dictum_status status = DICTUM_OK;
  char *end = text->data + text->len;
  for (char *line = text->data, *next; status == DICTUM_OK && line < end; line = next) {
    char *newline = memchr(line, '\n', (size_t)(end - line));
    next = newline ? newline + 1 : end;
    if (newline)
      *newline = '\0';
    r->line++;
    status = read_line(r, line);
  }
  return status;
}

static dictum_status read_fd(struct reading *r, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return error_code(r->err, DICTUM_CONFIG, DICTUM_CODE_REGISTRY, errno, "open %s: %s", r->path,
                      ERRNO_TEXT(errno));
  if (S_ISDIR(st.st_mode))
    return DICTUM_OK;
  if (!trustworthy(&st)) {
    event_send(r->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_REGISTRY, "",
               "%s: file is owned or writable by other users -- skipping this file", r->path);
    return DICTUM_OK;
  }
  dictum_buf text = {0};
  dictum_status status = slurp_fd(fd, &st, r->path, &text, r->err);
  if (status == DICTUM_OK)
    status = read_lines(r, &text);
  dictum_buf_free(&text);
  return status;
}

static dictum_status read_file(struct reading *r) {
  int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0 && errno == ENOENT)
    return DICTUM_OK;
  if (fd < 0)
    return error_code(r->err, DICTUM_CONFIG, DICTUM_CODE_REGISTRY, errno, "open %s: %s", r->path,
                      ERRNO_TEXT(errno));
  dictum_status status = read_fd(r, fd);
  close(fd);
  return status;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

/* Ours: files that end in ".cf", so that editors' and packagers' leftovers do not count. */
static bool wanted(const char *name, uint32_t flags) {
  size_t len = strlen(name);
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return false;
  return (flags & DICTUM_REGISTRY_POSTFIX) ||
         (name[0] != '.' && len > 3 && strcmp(name + len - 3, ".cf") == 0);
}

static dictum_status read_drop_ins(struct registry_set *set, size_t index,
                                   const struct event_sink *events, dictum_error *err) {
  char *folder;
  if (asprintf(&folder, "%s.d", set->registries[index].maps_file) < 0)
    return error_nomem(err);
  struct dirent **names = NULL;
  int n = scandir(folder, &names, NULL, by_name);
  if (n < 0 && errno != ENOENT)
    event_send(events, DICTUM_LEVEL_WARNING, DICTUM_CODE_REGISTRY, "", "open folder %s: %s", folder,
               ERRNO_TEXT(errno));
  dictum_status status = DICTUM_OK;
  for (int i = 0; i < n; i++) {
    char *path = NULL;
    if (status == DICTUM_OK && wanted(names[i]->d_name, set->registries[index].flags)) {
      if (asprintf(&path, "%s/%s", folder, names[i]->d_name) < 0)
        status = error_nomem(err);
      else
        status = read_file(&(struct reading){set, events, err, path, index, 0});
      free(path);
    }
    free(names[i]);
  }
  free(names);
  free(folder);
  return status;
}

dictum_status registry_read(struct registry_set *set, const struct event_sink *events,
                            dictum_error *err) {
  forget_entries(set);
  set->was_read = false;
  for (size_t i = 0; i < set->nregistries; i++) {
    struct reading r = {set, events, err, set->registries[i].maps_file, i, 0};
    dictum_status status = read_file(&r);
    if (status == DICTUM_OK)
      status = read_drop_ins(set, i, events, err);
    if (status != DICTUM_OK)
      return status;
  }
  set->was_read = true;
  return DICTUM_OK;
}

dictum_status registry_find(struct registry_set *set, const struct event_sink *events,
                            const char *type, const char **path, uint32_t *flags,
                            dictum_error *err) {
  *path = NULL;
  const struct entry *entry = set->was_read ? find(set, type) : NULL;
  if (!entry) {
    static const struct event_sink nowhere = {NULL, NULL};
    /* Doubtful lines were told the first time. */
    dictum_status status = registry_read(set, set->was_read ? &nowhere : events, err);
    if (status != DICTUM_OK)
      return status;
    entry = find(set, type);
  }
  if (!entry)
    return DICTUM_NOTFOUND;
  *path = entry->path;
  *flags = set->registries[entry->registry].flags;
  return DICTUM_OK;
}

const char *registry_next_type(const struct registry_set *set, size_t *cursor) {
  while (*cursor < set->nentries) {
    const struct entry *entry = &set->entries[(*cursor)++];
    if (!(set->registries[entry->registry].flags & DICTUM_REGISTRY_POSTFIX))
      return entry->type;
  }
  return NULL;
}
