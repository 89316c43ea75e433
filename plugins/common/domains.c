/* SPDX-License-Identifier: BSD-2-Clause */
/* domains.c - the "domain" setting: of which domains a table is asked at all. */
#include "domains.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Files that name each other in a ring must come to an end. */
enum { deepest_file = 16 };

struct entry {
  bool excludes;
  char *domain;        /* or NULL */
  dictum_table *table; /* or NULL */
};

struct domains {
  const dictum_host *host;
  struct entry *entries;
  size_t n;
};

/* A list that is being read. */
struct reading {
  const struct settings *settings;
  struct domains *domains;
  bool any; /* the list has a word */
  unsigned depth;
};

/* Of a file or of the setting. */
static dictum_status read_words(struct reading *reading, const char *list);

static dictum_status refuse_file(const struct settings *settings, dictum_status status,
                                 const dictum_error *why) {
  return settings->host->fail(settings->err, status, why->sys_errno, "%s: domain: %s",
                              settings->args->name, why->what);
}

static dictum_status read_lines(struct reading *reading, dictum_lines *lines) {
  const struct settings *settings = reading->settings;
  dictum_error why = DICTUM_ERROR_INIT;
  char *text;
  size_t len;
  uint64_t line;
  dictum_status status;
  while ((status = settings->host->lines_next(lines, &text, &len, &line, &why)) == DICTUM_OK)
    if ((status = read_words(reading, text)) != DICTUM_OK)
      return status;
  return status == DICTUM_END ? DICTUM_OK : refuse_file(settings, status, &why);
}

static dictum_status read_file(struct reading *reading, const char *path) {
  const struct settings *settings = reading->settings;
  if (reading->depth >= deepest_file)
    return settings_refuse(settings, "domain: %s: files are nested too deeply", path);
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_lines *lines;
  dictum_status status = settings->host->lines_open(settings->args->slot, path, &lines, &why);
  if (status != DICTUM_OK)
    return refuse_file(settings, status, &why);
  reading->depth++;
  status = read_lines(reading, lines);
  reading->depth--;
  settings->host->lines_close(lines);
  return status;
}

static dictum_status open_table(const struct settings *settings, const char *spec,
                                dictum_table **out) {
  const uint32_t flags = settings->args->flags & (DICTUM_OPEN_UTF8 | DICTUM_OPEN_NOFOLD);
  return settings->host->tables->open(settings->args->slot, spec, flags | DICTUM_OPEN_DEGRADE, out,
                                      settings->err);
}

static dictum_status add_entry(const struct settings *settings, struct domains *domains,
                               bool excludes, const char *word) {
  struct entry *entries = reallocarray(domains->entries, domains->n + 1, sizeof *entries);
  if (!entries)
    return settings_nomem(settings);
  domains->entries = entries;
  struct entry *entry = &entries[domains->n];
  *entry = (struct entry){.excludes = excludes};
  dictum_status status = DICTUM_OK;
  if (strchr(word, ':'))
    status = open_table(settings, word, &entry->table);
  else if (!(entry->domain = strdup(word)))
    status = settings_nomem(settings);
  if (status == DICTUM_OK)
    domains->n++;
  return status;
}

static dictum_status read_word(const struct settings *settings, void *rock, const char *word) {
  struct reading *reading = rock;
  bool excludes = false;
  reading->any = true;
  for (; *word == '!'; word++)
    excludes = !excludes;
  if (*word == '/' && !excludes)
    return read_file(reading, word);
  if (*word == '\0' || *word == '/')
    return settings_refuse(settings, "domain: \"!\" needs a domain or a table");
  return add_entry(settings, reading->domains, excludes, word);
}

static dictum_status read_words(struct reading *reading, const char *list) {
  return settings_words(reading->settings, list, read_word, reading);
}

dictum_status domains_open(const struct settings *settings, struct domains **out) {
  struct reading reading = {.settings = settings, .domains = calloc(1, sizeof *reading.domains)};
  *out = NULL;
  if (!reading.domains)
    return settings_nomem(settings);
  reading.domains->host = settings->host;
  dictum_status status = read_words(&reading, settings_text(settings, "domain"));
  if (status == DICTUM_OK && reading.any)
    *out = reading.domains;
  else
    domains_free(reading.domains);
  return status;
}

void domains_free(struct domains *domains) {
  if (!domains)
    return;
  for (size_t i = 0; i < domains->n; i++) {
    free(domains->entries[i].domain);
    if (domains->entries[i].table)
      domains->host->tables->close(domains->entries[i].table);
  }
  free(domains->entries);
  free(domains);
}

static bool is_domain(const struct entry *entry, dictum_key domain) {
  return strlen(entry->domain) == domain.n && strncasecmp(entry->domain, domain.p, domain.n) == 0;
}

static dictum_status match_table(const struct domains *domains, const struct entry *entry,
                                 const dictum_call *call, dictum_key domain, dictum_error *err) {
  dictum_buf value = {0};
  dictum_status status = domains->host->tables->lookup(entry->table, call, domain.p, domain.n,
                                                       &value, err);
  domains->host->tables->buf_free(&value);
  return status;
}

dictum_status domains_match(const struct domains *domains, const dictum_call *call,
                            const struct address *key, dictum_error *err) {
  if (!domains)
    return DICTUM_OK;
  if (key->domain.n == 0 || key->local.n == 0)
    return DICTUM_NOTFOUND;
  for (size_t i = 0; i < domains->n; i++) {
    const struct entry *entry = &domains->entries[i];
    dictum_status status = DICTUM_NOTFOUND;
    if (entry->table)
      status = match_table(domains, entry, call, key->domain, err);
    else if (is_domain(entry, key->domain))
      status = DICTUM_OK;
    if (status == DICTUM_OK)
      return entry->excludes ? DICTUM_NOTFOUND : DICTUM_OK;
    if (status != DICTUM_NOTFOUND)
      return status;
  }
  return DICTUM_NOTFOUND;
}
