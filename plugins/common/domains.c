/* SPDX-License-Identifier: BSD-2-Clause */
/* domains.c - the "domain" setting: of which domains a table is asked at all. */
#include "domains.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Files that name each other in a ring must come to an end. */
enum { deepest_file = 16 };

static const char separators[] = ", \t\r\n";

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
  const dictum_host *host;
  const dictum_open_args *args;
  struct domains *domains;
  unsigned depth;
};

static dictum_status read_list(struct reading *reading, const char *list, dictum_error *err);

static dictum_status nomem(const struct reading *reading, dictum_error *err) {
  return reading->host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

static dictum_status read_file(struct reading *reading, const char *path, dictum_error *err) {
  if (reading->depth >= deepest_file)
    return reading->host->fail(err, DICTUM_CONFIG, 0, "domain: %s: files are nested too deeply",
                               path);
  dictum_lines *lines;
  dictum_status status = reading->host->lines_open(reading->args->slot, path, &lines, err);
  if (status != DICTUM_OK)
    return status;
  reading->depth++;
  char *text;
  size_t len;
  uint64_t line;
  while ((status = reading->host->lines_next(lines, &text, &len, &line, err)) == DICTUM_OK &&
         (status = read_list(reading, text, err)) == DICTUM_OK)
    continue;
  reading->depth--;
  reading->host->lines_close(lines);
  return status == DICTUM_END ? DICTUM_OK : status;
}

static dictum_status read_word(struct reading *reading, const char *word, dictum_error *err) {
  bool excludes = false;
  for (; *word == '!'; word++)
    excludes = !excludes;
  if (*word == '/' && !excludes)
    return read_file(reading, word, err);
  if (*word == '\0' || *word == '/')
    return reading->host->fail(err, DICTUM_CONFIG, 0, "domain: \"!\" needs a domain or a table");
  struct domains *domains = reading->domains;
  struct entry *entries = realloc(domains->entries, (domains->n + 1) * sizeof *entries);
  if (!entries)
    return nomem(reading, err);
  domains->entries = entries;
  struct entry *entry = &entries[domains->n];
  *entry = (struct entry){.excludes = excludes};
  if (strchr(word, ':')) {
    const uint32_t flags = reading->args->flags & (DICTUM_OPEN_UTF8 | DICTUM_OPEN_NOFOLD);
    dictum_status status = reading->host->tables->open(
        reading->args->slot, word, flags | DICTUM_OPEN_DEGRADE, &entry->table, err);
    if (status != DICTUM_OK)
      return status;
  } else if (!(entry->domain = strdup(word))) {
    return nomem(reading, err);
  }
  domains->n++;
  return DICTUM_OK;
}

static dictum_status read_list(struct reading *reading, const char *list, dictum_error *err) {
  char *copy = strdup(list), *place;
  if (!copy)
    return nomem(reading, err);
  dictum_status status = DICTUM_OK;
  for (char *word = strtok_r(copy, separators, &place); word && status == DICTUM_OK;
       word = strtok_r(NULL, separators, &place))
    status = read_word(reading, word, err);
  free(copy);
  return status;
}

dictum_status domains_open(const dictum_host *host, const dictum_open_args *args, const char *list,
                           struct domains **out, dictum_error *err) {
  *out = NULL;
  if (list[strspn(list, separators)] == '\0')
    return DICTUM_OK;
  struct reading reading = {host, args, calloc(1, sizeof *reading.domains), 0};
  if (!reading.domains)
    return nomem(&reading, err);
  reading.domains->host = host;
  dictum_status status = read_list(&reading, list, err);
  if (status == DICTUM_OK)
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
