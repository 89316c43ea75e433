/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asking.h - the keys of one call, lookup or lookup_many, and what becomes of each.
 */
#ifndef DICTUM_PLUGINS_ASKING_H
#define DICTUM_PLUGINS_ASKING_H

#include "domains.h"
#include "values.h"

struct asking {
  const dictum_host *host;
  const dictum_call *call;
  const dictum_key *keys;
  size_t n;
  dictum_sink *sink;
  bool batch; /**< of lookup_many(), however many keys there are */
  dictum_error *err;
  dictum_status only;  /**< of a lookup(): the status of its key */
  dictum_status worst; /**< the last failure so far, or OK */
  size_t definite;     /**< keys that were found or are absent */
  bool told;           /**< `err` has the text of the first failure */
};

/** A lookup() of one key, which must outlive it. */
struct asking asking_one(const dictum_host *host, const dictum_call *call, const dictum_key *key,
                         dictum_sink *sink, dictum_error *err);
/** A lookup_many(). */
struct asking asking_many(const dictum_host *host, const dictum_call *call, const dictum_key *keys,
                          size_t n, dictum_sink *sink, dictum_error *err);

/** Is the server to be asked for key @p i, as the table is only asked for @p domains? Else the key
 * gets its answer. */
bool asking_admits(struct asking *asking, size_t i, const struct domains *domains);

void asking_found(struct asking *asking, size_t i, const char *value, size_t len);
void asking_absent(struct asking *asking, size_t i);
/** Key @p i cannot be answered. The first text is the one that is kept. */
void asking_failed(struct asking *asking, size_t i, dictum_status status, int sys_errno,
                   const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 5, 6)))
#endif
    ;
/** The same for a failure that is a matter of this key alone: dictum_host.fail_key. */
void asking_failed_key(struct asking *asking, size_t i, dictum_status status, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;
/** Answers key @p i by the values that were added for it.
 * @param status  what values_add() answered last; OK when there are none */
void asking_answered(struct asking *asking, size_t i, const struct values *values,
                     dictum_status status);
/** The status of the whole call. A server that answered any key is one that answers. */
dictum_status asking_status(const struct asking *asking);

#endif
