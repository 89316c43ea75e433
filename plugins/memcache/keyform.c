/* SPDX-License-Identifier: BSD-2-Clause */
/* keyform.c - from the key that a program asks for to the one that memcached knows. */
#include "keyform.h"

#include <libmemcached/memcached.h>
#include <string.h>

dictum_status memcache_keyform_open(struct keyform *form, const struct settings *settings) {
  const char *digest = settings_text(settings, "key_digest");
  *form = (struct keyform){.host = settings->host};
  form->plain = strcmp(settings_text(settings, "key_format"), "%s") == 0 && !*digest;
  dictum_status status = settings_template(settings, "key_format", TEMPLATE_QUERY, &form->format);
  if (status == DICTUM_OK && *digest && !(form->digest = EVP_MD_fetch(NULL, digest, NULL)))
    status = settings_refuse(settings, "key digest %s is not available", digest);
  if (status == DICTUM_OK)
    status = domains_open(settings, &form->domains);
  return status;
}

void memcache_keyform_close(struct keyform *form) {
  template_free(&form->format);
  domains_free(form->domains);
  EVP_MD_free(form->digest);
}

/* Replaces what is in @p room from @p start on by its digest. */
static bool put_digest(const struct keyform *form, struct text *room, size_t start) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  if (!EVP_Digest(room->data + start, room->len - start, digest, &len, form->digest, NULL))
    return false;
  room->len = start;
  for (unsigned i = 0; i < len; i++) {
    const char hex[] = {"0123456789abcdef"[digest[i] >> 4], "0123456789abcdef"[digest[i] & 15]};
    if (!text_append(room, hex, sizeof hex))
      return false;
  }
  return true;
}

/* The protocol ends a key at white space and a command at a line's end. */
static const char *fault_of(const dictum_key *key) {
  if (key->n == 0)
    return "empty key";
  if (key->n >= MEMCACHED_MAX_KEY)
    return "key is too long";
  for (size_t i = 0; i < key->n; i++) {
    unsigned char c = (unsigned char)key->p[i];
    if (c <= ' ' || c == 0x7f)
      return "key contains white space or control characters";
  }
  return NULL;
}

static dictum_status nomem(const struct keyform *form, dictum_error *err) {
  return form->host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

static dictum_status expand(const struct keyform *form, const struct address *address,
                            struct text *room, dictum_key *out, const char **why,
                            dictum_error *err) {
  const size_t start = room->len;
  switch (template_expand(&form->format, address, NULL, room)) {
  case TEMPLATE_NOMEM:
    return nomem(form, err);
  case TEMPLATE_SUPPRESSED:
    *why = "key lacks a part that key_format wants";
    return DICTUM_NOTFOUND;
  case TEMPLATE_DONE:
    break;
  }
  if (form->digest && room->len > start && !put_digest(form, room, start)) {
    room->len = start;
    return nomem(form, err);
  }
  *out = (dictum_key){room->data ? room->data + start : "", room->len - start};
  *why = fault_of(out);
  if (!*why)
    return DICTUM_OK;
  room->len = start;
  return DICTUM_NOTFOUND;
}

dictum_status memcache_keyform_apply(const struct keyform *form, const dictum_call *call,
                                     const dictum_key *key, struct text *room, dictum_key *out,
                                     const char **why, dictum_error *err) {
  *why = key->n == 0 ? "empty key" : NULL;
  if (*why)
    return DICTUM_NOTFOUND;
  if (form->plain && !form->domains) {
    *out = *key;
    *why = fault_of(out);
    return *why ? DICTUM_NOTFOUND : DICTUM_OK;
  }
  const struct address address = address_of(key->p, key->n);
  dictum_status status = domains_match(form->domains, call, &address, err);
  if (status == DICTUM_NOTFOUND)
    *why = "domain is not in the table's list";
  if (status != DICTUM_OK)
    return status;
  if (!form->plain)
    return expand(form, &address, room, out, why, err);
  *out = *key;
  *why = fault_of(out);
  return *why ? DICTUM_NOTFOUND : DICTUM_OK;
}
