/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expand.c - from entries to a value: attributes through result_format, joined, and the entries
 * that a DN or a URL in one of them refers to.
 *
 * In an entry with a terminal attribute only these count. In one with a special
 * attribute, leaf attributes do not: they are for the entries that it refers to.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ldap_table.h"

enum kind { RESULT, SPECIAL, TERMINAL, LEAF, OTHER };

static dictum_status nomem(const struct expansion *expansion) {
  return expansion->table->host->fail(expansion->err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

/* ---- attributes ----------------------------------------------------------------------------- */

static bool is_among(char **attributes, const char *name) {
  for (; *attributes; attributes++)
    if (strcasecmp(*attributes, name) == 0)
      return true;
  return false;
}

static enum kind kind_of(const struct table *table, const char *name) {
  const size_t counts[] = {table->nresult, table->nspecial, table->nterminal, table->nleaf};
  size_t at = 0;
  for (int kind = RESULT; kind < OTHER; kind++)
    for (size_t i = 0; i < counts[kind]; i++)
      if (strcasecmp(table->attributes[at++], name) == 0)
        return (enum kind)kind;
  return OTHER;
}

/* The attributes of an entry, each with its values. */
struct attribute {
  char *name;
  BerElement *next;
};

static bool first_attribute(LDAP *ld, LDAPMessage *entry, struct attribute *attribute) {
  attribute->next = NULL;
  attribute->name = ldap_first_attribute(ld, entry, &attribute->next);
  return attribute->name != NULL;
}

static bool next_attribute(LDAP *ld, LDAPMessage *entry, struct attribute *attribute) {
  ldap_memfree(attribute->name);
  attribute->name = ldap_next_attribute(ld, entry, attribute->next);
  return attribute->name != NULL;
}

static void end_attributes(struct attribute *attribute) {
  ldap_memfree(attribute->name);
  ber_free(attribute->next, 0);
}

/* Which kinds of attributes have values in this entry? */
static void find_kinds(const struct expansion *expansion, LDAPMessage *entry, char **attributes,
                       bool found[OTHER + 1]) {
  LDAP *ld = expansion->connection->ld;
  struct attribute attribute;
  memset(found, 0, (OTHER + 1) * sizeof *found);
  for (bool more = first_attribute(ld, entry, &attribute); more;
       more = next_attribute(ld, entry, &attribute)) {
    struct berval **values = ldap_get_values_len(ld, entry, attribute.name);
    if (values && values[0] && is_among(attributes, attribute.name))
      found[kind_of(expansion->table, attribute.name)] = true;
    ldap_value_free_len(values);
  }
  end_attributes(&attribute);
}

/* ---- values --------------------------------------------------------------------------------- */

/* An empty one is passed over in silence. */
static dictum_status add_value(struct expansion *expansion, const struct berval *bytes) {
  const struct table *table = expansion->table;
  const dictum_key *whole = &expansion->values.key->whole;
  dictum_status status = bytes->bv_len == 0
                             ? DICTUM_OK
                             : values_add(&expansion->values, bytes->bv_val, bytes->bv_len);
  if (status == DICTUM_RETRY)
    return table->host->fail_key(expansion->err, DICTUM_RETRY, 0,
                                 "%s: Expansion limit exceeded for key: '%.*s'", table->label,
                                 values_shown(whole), whole->p);
  return status == DICTUM_OK ? DICTUM_OK : nomem(expansion);
}

/* ---- references ----------------------------------------------------------------------------- */

/* An entry that is not there is no failure. */
static dictum_status follow(struct expansion *expansion, const struct search *search) {
  LDAPMessage *entries = NULL;
  int code;
  dictum_status status = directory_search(expansion->table, expansion->connection, search,
                                          expansion->deadline_ns, &code, &entries, expansion->err);
  if (status == DICTUM_OK && code == LDAP_SUCCESS)
    status = expand_entries(expansion, entries, search->attributes);
  ldap_msgfree(entries);
  return status;
}

/* Of the URL's attributes those that the table asks for; without any, all of these. */
static dictum_status follow_url(struct expansion *expansion, const LDAPURLDesc *url) {
  char **attributes = expansion->table->attributes;
  char **chosen = NULL;
  if (url->lud_attrs && url->lud_attrs[0]) {
    size_t n = 0, kept = 0;
    while (url->lud_attrs[n])
      n++;
    chosen = calloc(n + 1, sizeof *chosen);
    if (!chosen)
      return nomem(expansion);
    for (size_t i = 0; i < n; i++)
      if (is_among(attributes, url->lud_attrs[i]))
        chosen[kept++] = url->lud_attrs[i];
    attributes = chosen;
  }
  const struct search search = {
      url->lud_dn ? url->lud_dn : "", url->lud_filter ? url->lud_filter : "(objectClass=*)",
      url->lud_scope == LDAP_SCOPE_DEFAULT ? LDAP_SCOPE_BASE : url->lud_scope, attributes};
  dictum_status status = attributes[0] ? follow(expansion, &search) : DICTUM_OK;
  free(chosen);
  return status;
}

static dictum_status follow_value(struct expansion *expansion, const char *value) {
  LDAPURLDesc *url;
  if (!ldap_is_ldap_url(value)) {
    const struct search search = {value, "(objectClass=*)", LDAP_SCOPE_BASE,
                                  expansion->table->attributes};
    return follow(expansion, &search);
  }
  if (ldap_url_parse(value, &url) != LDAP_URL_SUCCESS) {
    const struct table *table = expansion->table;
    table->host->log(table->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE,
                     "%s: malformed URL %.200s: skipping it", table->label, value);
    return DICTUM_OK;
  }
  dictum_status status = follow_url(expansion, url);
  ldap_free_urldesc(url);
  return status;
}

static dictum_status recurse(struct expansion *expansion, const struct berval *value) {
  const struct table *table = expansion->table;
  if (expansion->depth + 1 >= table->recursion_limit) /* the first search is a level, too */
    return table->host->fail_key(
        expansion->err, DICTUM_RETRY, 0, "%s: Recursion limit exceeded for key: '%.*s'",
        table->label, values_shown(&expansion->values.key->whole), expansion->values.key->whole.p);
  if (memchr(value->bv_val, '\0', value->bv_len))
    return DICTUM_OK;
  expansion->depth++;
  dictum_status status = follow_value(expansion, value->bv_val);
  expansion->depth--;
  return status;
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool counts(enum kind kind, const bool found[OTHER + 1]) {
  if (kind == OTHER || (found[TERMINAL] && kind != TERMINAL))
    return false;
  return kind != LEAF || !found[SPECIAL];
}

/* A search within may come back with another connection, which serves as well to read the entry. */
static dictum_status expand_entry(struct expansion *expansion, LDAPMessage *entry,
                                  char **attributes) {
  bool found[OTHER + 1];
  struct attribute attribute;
  dictum_status status = DICTUM_OK;
  find_kinds(expansion, entry, attributes, found);
  bool more = first_attribute(expansion->connection->ld, entry, &attribute);
  while (more && status == DICTUM_OK) {
    enum kind kind = kind_of(expansion->table, attribute.name);
    struct berval **values = NULL;
    if (is_among(attributes, attribute.name) && counts(kind, found))
      values = ldap_get_values_len(expansion->connection->ld, entry, attribute.name);
    for (size_t i = 0; values && values[i] && status == DICTUM_OK; i++)
      status = kind == SPECIAL ? recurse(expansion, values[i]) : add_value(expansion, values[i]);
    ldap_value_free_len(values);
    if (status == DICTUM_OK)
      more = next_attribute(expansion->connection->ld, entry, &attribute);
  }
  end_attributes(&attribute);
  return status;
}

dictum_status expand_entries(struct expansion *expansion, LDAPMessage *entries, char **attributes) {
  dictum_status status = DICTUM_OK;
  LDAPMessage *entry = ldap_first_entry(expansion->connection->ld, entries);
  while (entry && status == DICTUM_OK) {
    status = expand_entry(expansion, entry, attributes);
    if (status == DICTUM_OK)
      entry = ldap_next_entry(expansion->connection->ld, entry);
  }
  return status;
}
