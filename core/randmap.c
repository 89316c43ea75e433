/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * randmap.c - "randmap:{a, b, c}": one of several values, by chance, whatever the key.
 *
 * Each has the same chance; one that stands there twice has twice that. A value
 * in braces keeps them, as in Postfix. With DICTUM_OPEN_FILES the values name
 * files. Threads: any number.
 */
#include "builtin.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "braces.h"
#include "buf.h"
#include "error.h"
#include "keyhash.h"

struct choice {
  const dictum_host *host;
  dictum_buf *values;
  size_t n;
  uint64_t seed;
  atomic_uint_least64_t turn;
};

static void randmap_close(void *self) {
  struct choice *choice = self;
  for (size_t i = 0; i < choice->n; i++)
    dictum_buf_free(&choice->values[i]);
  free(choice->values);
  free(choice);
}

static dictum_status add_value(struct choice *choice, const dictum_open_args *args,
                               struct piece word, dictum_error *err) {
  dictum_buf *longer = reallocarray(choice->values, choice->n + 1, sizeof *longer);
  if (!longer)
    return error_nomem(err);
  choice->values = longer;
  longer[choice->n] = (dictum_buf){0};
  dictum_buf *value = &longer[choice->n++];
  if (args->flags & DICTUM_OPEN_FILES)
    return choice->host->file_value(word.text, word.len, value, err);
  return buf_append(value, word.text, word.len) ? DICTUM_OK : error_nomem(err);
}

static dictum_status read_name(struct choice *choice, const dictum_open_args *args,
                               dictum_error *err) {
  struct piece rest, word;
  const char *mistake = braces_strip(piece_of(args->name), &rest);
  dictum_status status = DICTUM_OK;
  while (!mistake && status == DICTUM_OK && braces_next_word(&rest, &word))
    status = add_value(choice, args, word, err);
  if (mistake || (status == DICTUM_OK && choice->n == 0))
    return error_set(err, DICTUM_INVALID, 0,
                     "bad syntax: \"randmap:%.200s\"; need \"randmap:{value...}\"", args->name);
  return status;
}

static dictum_status randmap_open(const dictum_host *host, const dictum_open_args *args,
                                  void **self, dictum_error *err) {
  struct choice *choice = calloc(1, sizeof *choice);
  if (!choice)
    return error_nomem(err);
  choice->host = host;
  choice->seed = keyhash_seed();
  dictum_status status = read_name(choice, args, err);
  if (status != DICTUM_OK) {
    randmap_close(choice);
    return status;
  }
  *self = choice;
  return DICTUM_OK;
}

static dictum_status randmap_lookup(void *self, const dictum_call *call, const char *key,
                                    size_t len, dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)key;
  (void)len;
  (void)err;
  struct choice *choice = self;
  const uint64_t turn = atomic_fetch_add_explicit(&choice->turn, 1, memory_order_relaxed);
  const uint64_t lot = keyhash((const char *)&turn, sizeof turn, choice->seed);
  const dictum_buf *value = &choice->values[lot % choice->n];
  return choice->host->emit(sink, value->data, value->len);
}

const dictum_type randmap_type = {
    .name = "randmap",
    .summary = "one of several values, by chance: {value, value ...}",
    .caps = DICTUM_CAP_PATTERN,
    .threads = DICTUM_THREADS_PARALLEL,
    .open = randmap_open,
    .close = randmap_close,
    .forget = randmap_close,
    .lookup = randmap_lookup,
};
