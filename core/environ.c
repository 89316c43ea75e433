/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * environ.c - the environment of the process: keys are the names of variables.
 *
 * The name of the table is ignored. Keys are folded as anywhere, so the usual
 * upper-case variables are found only with DICTUM_OPEN_NOFOLD.
 *
 * Threads: any number, as long as none of the program changes the environment
 * meanwhile. The C library has no lock for that which we could take: a program
 * with such a table must be done with setenv() and the like before it starts
 * threads. Nothing here changes the environment.
 */
#include "builtin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

/* The host is all that there is to remember. */
struct environment {
  const dictum_host *host;
};

static dictum_status environ_open(const dictum_host *host, const dictum_open_args *args,
                                  void **self, dictum_error *err) {
  (void)args;
  struct environment *environment = malloc(sizeof *environment);
  if (!environment)
    return error_nomem(err);
  environment->host = host;
  *self = environment;
  return DICTUM_OK;
}

static void environ_close(void *self) {
  free(self);
}

/* No variable has a NUL byte or '=' in its name. */
static bool can_be_name(const char *key, size_t len) {
  return len > 0 && !memchr(key, '\0', len) && !memchr(key, '=', len);
}

static dictum_status environ_lookup(void *self, const dictum_call *call, const char *key,
                                    size_t len, dictum_sink *sink, dictum_error *err) {
  (void)call;
  const struct environment *environment = self;
  if (!can_be_name(key, len))
    return DICTUM_NOTFOUND;
  char *name = strndup(key, len);
  if (!name)
    return error_nomem(err);
  const char *value = getenv(name);
  free(name);
  return value ? environment->host->emit(sink, value, strlen(value)) : DICTUM_NOTFOUND;
}

const dictum_type environ_type = {
    .name = "environ",
    .summary = "the environment of the process",
    .threads = DICTUM_THREADS_PARALLEL,
    .open = environ_open,
    .close = environ_close,
    .forget = environ_close,
    .lookup = environ_lookup,
};
