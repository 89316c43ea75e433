/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_moody.c - tables that answer as a file says, so that a test can take them
 * down and bring them back. The table's name is the file; its text is one word:
 *
 *     retry, config, invalid  what each lookup fails with
 *     odd                     "retry" as a matter of this key alone
 *     closed                  the table cannot be opened
 *     absent                  there is no such key
 *     slow                    found, after a tenth of a second
 *     anything else           found; the value is the word
 *
 * The key "lookups" tells how many others the module was asked for.
 *
 * "moody" is a table over a server, "moody_file" one without that capability.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "fake.h"

static atomic_int lookups;

static void read_mood(const struct fake *fake, char mood[32]) {
  strcpy(mood, "retry");
  FILE *file = fopen(fake->name, "r");
  if (!file)
    return;
  if (fscanf(file, "%31s", mood) != 1)
    strcpy(mood, "retry");
  fclose(file);
}

static dictum_status open_moody(const dictum_host *host, const dictum_open_args *args, void **self,
                                dictum_error *err) {
  char mood[32];
  dictum_status status = fake_open(host, args, self, err);
  if (status != DICTUM_OK)
    return status;
  read_mood(*self, mood);
  if (strcmp(mood, "closed") != 0)
    return DICTUM_OK;
  free(*self);
  *self = NULL;
  return host->fail(err, DICTUM_RETRY, ECONNREFUSED, "connect: refused");
}

static dictum_status lookup(void *self, const dictum_call *call, const char *key, size_t len,
                            dictum_sink *sink, dictum_error *err) {
  static const struct {
    const char *mood;
    dictum_status status;
  } failures[] = {{"retry", DICTUM_RETRY}, {"config", DICTUM_CONFIG}, {"invalid", DICTUM_INVALID}};
  const struct fake *fake = self;
  char mood[32];
  (void)call;
  if (len == strlen("lookups") && memcmp(key, "lookups", len) == 0) {
    snprintf(mood, sizeof mood, "%d", atomic_load(&lookups));
    return fake_say(fake, sink, mood);
  }
  atomic_fetch_add(&lookups, 1);
  read_mood(fake, mood);
  if (strcmp(mood, "odd") == 0)
    return fake->host->fail_key(err, DICTUM_RETRY, 0, "an odd key");
  if (strcmp(mood, "absent") == 0)
    return DICTUM_NOTFOUND;
  if (strcmp(mood, "slow") == 0)
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
  for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
    if (strcmp(mood, failures[i].mood) == 0)
      return fake->host->fail(err, failures[i].status, 0, "in a mood to %s", mood);
  return fake_say(fake, sink, mood);
}

static const dictum_type types[] = {
    {.name = "moody",
     .summary = "answers as it pleases",
     .caps = DICTUM_CAP_NETWORK,
     .threads = DICTUM_THREADS_PARALLEL,
     .open = open_moody,
     .close = free,
     .forget = free,
     .lookup = lookup},
    {.name = "moody_file",
     .summary = "answers as it pleases",
     .threads = DICTUM_THREADS_PARALLEL,
     .open = open_moody,
     .close = free,
     .forget = free,
     .lookup = lookup},
};

DICTUM_PLUGIN_DEFINE(fake_moody, "fake_moody", "1", types);
