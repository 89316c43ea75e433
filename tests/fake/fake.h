/* SPDX-License-Identifier: BSD-2-Clause */
/* fake.h - the least that a fake plugin's methods need. */
#ifndef DICTUM_TESTS_FAKE_H
#define DICTUM_TESTS_FAKE_H

#include <dictum_plugin.h>
#include <stdlib.h>
#include <string.h>

struct fake {
  const dictum_host *host;
  char name[256];
};

static inline dictum_status fake_open(const dictum_host *host, const dictum_open_args *args,
                                      void **self, dictum_error *err) {
  struct fake *fake = calloc(1, sizeof *fake);
  if (!fake)
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  fake->host = host;
  strncpy(fake->name, args->name, sizeof fake->name - 1);
  *self = fake;
  return DICTUM_OK;
}

static inline dictum_status fake_say(const struct fake *fake, dictum_sink *sink, const char *text) {
  return fake->host->emit(sink, text, strlen(text));
}

#endif
