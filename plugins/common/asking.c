/* SPDX-License-Identifier: BSD-2-Clause */
/* asking.c - the keys of one call, lookup or lookup_many, and what becomes of each. */
#include "asking.h"

#include <stdarg.h>
#include <stdio.h>

struct asking asking_one(const dictum_host *host, const dictum_call *call, const dictum_key *key,
                         dictum_sink *sink, dictum_error *err) {
  return (struct asking){.host = host,
                         .call = call,
                         .keys = key,
                         .n = 1,
                         .sink = sink,
                         .err = err,
                         .only = DICTUM_NOTFOUND};
}

struct asking asking_many(const dictum_host *host, const dictum_call *call, const dictum_key *keys,
                          size_t n, dictum_sink *sink, dictum_error *err) {
  return (struct asking){
      .host = host, .call = call, .keys = keys, .n = n, .sink = sink, .batch = true, .err = err};
}

static void settle(struct asking *asking, size_t i, dictum_status status, const char *value,
                   size_t len) {
  dictum_status done = DICTUM_OK;
  if (asking->batch)
    done = asking->host->emit_at(asking->sink, i, status, value, len);
  else if (status == DICTUM_OK)
    done = asking->only = asking->host->emit(asking->sink, value, len);
  else
    asking->only = status;
  if (done != DICTUM_OK)
    asking->worst = done;
}

void asking_found(struct asking *asking, size_t i, const char *value, size_t len) {
  asking->definite++;
  settle(asking, i, DICTUM_OK, value, len);
}

void asking_absent(struct asking *asking, size_t i) {
  asking->definite++;
  settle(asking, i, DICTUM_NOTFOUND, NULL, 0);
}

#if defined(__GNUC__)
__attribute__((format(printf, 6, 0)))
#endif
static void
fail(struct asking *asking, size_t i, bool this_key, dictum_status status, int sys_errno,
     const char *fmt, va_list args) {
  const dictum_host *host = asking->host;
  char text[512];
  vsnprintf(text, sizeof text, fmt, args);
  if (!asking->told)
    (this_key ? host->fail_key : host->fail)(asking->err, status, sys_errno, "%s", text);
  asking->told = true;
  asking->worst = status;
  settle(asking, i, status, NULL, 0);
}

void asking_failed(struct asking *asking, size_t i, dictum_status status, int sys_errno,
                   const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  fail(asking, i, false, status, sys_errno, fmt, args);
  va_end(args);
}

void asking_failed_key(struct asking *asking, size_t i, dictum_status status, const char *fmt,
                       ...) {
  va_list args;
  va_start(args, fmt);
  fail(asking, i, true, status, 0, fmt, args);
  va_end(args);
}

bool asking_admits(struct asking *asking, size_t i, const struct domains *domains) {
  const struct address key = address_of(asking->keys[i].p, asking->keys[i].n);
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = domains_match(domains, asking->call, &key, &why);
  if (status == DICTUM_NOTFOUND)
    asking_absent(asking, i);
  else if (status != DICTUM_OK)
    asking_failed(asking, i, status, why.sys_errno, "%s", why.what);
  return status == DICTUM_OK;
}

void asking_answered(struct asking *asking, size_t i, const struct values *values,
                     dictum_status status) {
  const dictum_key *key = &asking->keys[i];
  if (status == DICTUM_RETRY)
    asking_failed_key(asking, i, status, "%s: Expansion limit exceeded for key: '%.*s'",
                      values->label, values_shown(key), key->p);
  else if (status != DICTUM_OK)
    asking_failed(asking, i, status, 0, "out of memory");
  else if (values->out->len > 0)
    asking_found(asking, i, values->out->data, values->out->len);
  else
    asking_absent(asking, i);
}

dictum_status asking_status(const struct asking *asking) {
  if (!asking->batch)
    return asking->only;
  return asking->definite > 0 && asking->worst != DICTUM_NOMEM ? DICTUM_OK : asking->worst;
}
