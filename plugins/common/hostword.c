/* SPDX-License-Identifier: BSD-2-Clause */
/* hostword.c - a word of the setting "hosts", as in pgsql_table(5) and mysql_table(5). */
#include "hostword.h"

#include <string.h>

static const char *skip(const char *word, const char *prefix) {
  const size_t len = strlen(prefix);
  return strncmp(word, prefix, len) == 0 ? word + len : word;
}

/* Behind the '['. */
static bool read_bracketed(const char *address, struct hostword *out) {
  const char *end = strchr(address, ']');
  if (!end || (end[1] != '\0' && end[1] != ':'))
    return false;
  out->name = (dictum_key){address, (size_t)(end - address)};
  out->port = end[1] == ':' ? end + 2 : NULL;
  return out->name.n > 0;
}

/* More than one colon: an IPv6 address. */
static bool read_plain(const char *word, struct hostword *out) {
  const char *colon = strchr(word, ':');
  if (colon && strchr(colon + 1, ':'))
    colon = NULL;
  out->name = (dictum_key){word, colon ? (size_t)(colon - word) : strlen(word)};
  out->port = colon ? colon + 1 : NULL;
  return out->name.n > 0;
}

bool hostword_read(const char *word, struct hostword *out) {
  const char *path = skip(word, "unix:");
  *out = (struct hostword){.is_local = path != word || word[0] == '/',
                           .name = {path, strlen(path)}};
  if (out->is_local)
    return true;
  word = skip(word, "inet:");
  return word[0] == '[' ? read_bracketed(word + 1, out) : read_plain(word, out);
}
