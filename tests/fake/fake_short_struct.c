/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_short_struct.c - a plugin that was built when a type ended with lookup().
 * Two types, as what stands behind the first would else be taken for methods.
 */
#include "fake.h"

struct older_type {
  const char *name;
  const char *summary;
  const char *suffix;
  uint32_t caps;
  uint32_t threads;
  uint32_t load_order;
  const dictum_opt *opts;
  size_t nopts;
  dictum_status (*open)(const dictum_host *host, const dictum_open_args *args, void **self,
                        dictum_error *err);
  void (*close)(void *self);
  void (*forget)(void *self);
  dictum_status (*lookup)(void *self, const dictum_call *call, const char *key, size_t len,
                          dictum_sink *sink, dictum_error *err);
};

static dictum_status lookup_first(void *self, const dictum_call *call, const char *key, size_t len,
                                  dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)key;
  (void)len;
  (void)err;
  return fake_say(self, sink, "first");
}

static dictum_status lookup_second(void *self, const dictum_call *call, const char *key, size_t len,
                                   dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)key;
  (void)len;
  (void)err;
  return fake_say(self, sink, "second");
}

/* They claim what needs methods that they cannot have: core must not believe it. */
static const uint32_t more_than_it_has = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE |
                                         DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE;

static const struct older_type types[] = {
    {"short_first", "of old", NULL, more_than_it_has, DICTUM_THREADS_PARALLEL, DICTUM_ORDER_ANY,
     NULL, 0, fake_open, free, free, lookup_first},
    {"short_second", "of old", NULL, more_than_it_has, DICTUM_THREADS_PARALLEL, DICTUM_ORDER_ANY,
     NULL, 0, fake_open, free, free, lookup_second},
};

extern const dictum_plugin fake_short_struct_LTX_dictum_plugin;
DICTUM_PLUGIN_EXPORT const dictum_plugin fake_short_struct_LTX_dictum_plugin = {
    DICTUM_ABI,
    sizeof(dictum_plugin),
    sizeof types[0],
    2,
    "fake_short_struct",
    "0.0.1",
    (const dictum_type *)(const void *)types};
