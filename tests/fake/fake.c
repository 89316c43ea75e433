/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake.c - the module fake_ok with the type fake_ok, which answers "yes" to each
 * key, in versions of which some cannot be loaded: FAKE_ABI is the plugin
 * interface that it claims, FAKE_TYPE_SIZE the size of a type, FAKE_CALLS a
 * function of another library, or of none, that it calls.
 */
#include "fake.h"

#ifndef FAKE_ABI
#define FAKE_ABI DICTUM_ABI
#endif
#ifndef FAKE_TYPE_SIZE
#define FAKE_TYPE_SIZE sizeof(dictum_type)
#endif

#ifdef FAKE_CALLS
extern const char *FAKE_CALLS(void);
#else
static const char *yes(void) {
  return "yes";
}
#define FAKE_CALLS yes
#endif

static dictum_status lookup(void *self, const dictum_call *call, const char *key, size_t len,
                            dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)key;
  (void)len;
  (void)err;
  return fake_say(self, sink, FAKE_CALLS());
}

static const dictum_type types[] = {{.name = "fake_ok",
                                     .summary = "says yes to each key",
                                     .threads = DICTUM_THREADS_PARALLEL,
                                     .open = fake_open,
                                     .close = free,
                                     .forget = free,
                                     .lookup = lookup}};

extern const dictum_plugin fake_ok_LTX_dictum_plugin;
DICTUM_PLUGIN_EXPORT const dictum_plugin fake_ok_LTX_dictum_plugin = {
    FAKE_ABI, sizeof(dictum_plugin), FAKE_TYPE_SIZE, 1, "fake_ok", "1", types};
