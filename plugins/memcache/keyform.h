/* SPDX-License-Identifier: BSD-2-Clause */
/* keyform.h - from the key that a program asks for to the one that memcached knows. */
#ifndef DICTUM_PLUGINS_MEMCACHE_KEYFORM_H
#define DICTUM_PLUGINS_MEMCACHE_KEYFORM_H

#include <openssl/evp.h>

#include "domains.h"

/** How a table forms its keys. Constant once it is open. */
struct keyform {
  const dictum_host *host;
  struct template format;
  struct domains *domains; /**< or NULL: all */
  EVP_MD *digest;          /**< or NULL: none */
  bool plain;              /**< a key stays as it is */
};

/** Reads key_format, key_digest and domain. @p form is to be released also after a failure.
 * @return OK; CONFIG for a bad template, an unknown digest or a bad list; INVALID; NOMEM. */
dictum_status memcache_keyform_open(struct keyform *form, const struct settings *settings);
/** Releases a form. {0} is fine. */
void memcache_keyform_close(struct keyform *form);

/** Forms one key. Whatever comes out holds nothing that could end a command of the protocol.
 * @param room  the new key is appended to it, unless the form is plain
 * @param out   its bytes: those of @p key, or in @p room until that grows
 * @param why   after NOTFOUND: why there can be no such key; constant text
 * @return OK; NOTFOUND; RETRY or CONFIG when a table of the domain list cannot tell; NOMEM.
 *   Any thread. */
dictum_status memcache_keyform_apply(const struct keyform *form, const dictum_call *call,
                                     const dictum_key *key, struct text *room, dictum_key *out,
                                     const char **why, dictum_error *err);

#endif
