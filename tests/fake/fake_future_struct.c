/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_future_struct.c - a plugin that was built when types and the descriptor
 * had grown. Two types, as the second is only found at the right distance.
 */
#include "fake.h"

struct future_type {
  dictum_type known;
  void (*method_of_tomorrow)(void *self);
  const char *text_of_tomorrow;
};

struct future_plugin {
  dictum_plugin known;
  const char *field_of_tomorrow;
};

static void never(void *self) {
  (void)self;
  abort();
}

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

static const struct future_type types[] = {
    {{.name = "future_first",
      .summary = "of tomorrow",
      .threads = DICTUM_THREADS_PARALLEL,
      .open = fake_open,
      .close = free,
      .forget = free,
      .lookup = lookup_first},
     never,
     "first"},
    {{.name = "future_second",
      .summary = "of tomorrow",
      .threads = DICTUM_THREADS_PARALLEL,
      .open = fake_open,
      .close = free,
      .forget = free,
      .lookup = lookup_second},
     never,
     "second"},
};

extern const struct future_plugin fake_future_struct_LTX_dictum_plugin;
DICTUM_PLUGIN_EXPORT const struct future_plugin fake_future_struct_LTX_dictum_plugin = {
    {DICTUM_ABI, sizeof(struct future_plugin), sizeof types[0], 2, "fake_future_struct", "99",
     (const dictum_type *)(const void *)types},
    "tomorrow"};
