/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * many_threads.c - asks one table from many threads at once, and from a child process.
 *
 *     many_threads SPEC ROUNDS KEY...
 *
 * Each answer must be the one that a single thread got before. Exits with 0 if so.
 */
#include <dictum.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { threads = 32, most_keys = 64 };

struct answer {
  dictum_status status;
  dictum_buf value;
};

static dictum_table *table;
static char **keys;
static size_t nkeys;
static struct answer expected[most_keys];
static int rounds;
static atomic_int wrong;

static bool is_as_expected(size_t i) {
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  const struct answer *want = &expected[i];
  dictum_status status = dictum_lookup(table, keys[i], strlen(keys[i]), &value, NULL, &err);
  bool same = status == want->status && value.len == want->value.len &&
              (value.len == 0 || memcmp(value.data, want->value.data, value.len) == 0);
  if (!same)
    fprintf(stderr, "%s: status %d, not %d: %s\n", keys[i], status, want->status, err.what);
  dictum_buf_free(&value);
  return same;
}

static bool batch_is_as_expected(void) {
  dictum_req reqs[most_keys] = {0};
  dictum_buf arena = {0};
  bool same = true;
  for (size_t i = 0; i < nkeys; i++) {
    reqs[i].key = keys[i];
    reqs[i].keylen = strlen(keys[i]);
  }
  if (dictum_lookup_many(table, reqs, nkeys, &arena, NULL) != DICTUM_OK)
    same = false;
  for (size_t i = 0; i < nkeys && same; i++)
    same = reqs[i].status == expected[i].status &&
           (reqs[i].status != DICTUM_OK ||
            (reqs[i].len == expected[i].value.len &&
             memcmp(arena.data + reqs[i].off, expected[i].value.data, reqs[i].len) == 0));
  dictum_buf_free(&arena);
  return same;
}

static void *ask(void *rock) {
  size_t first = (size_t)(uintptr_t)rock;
  for (int round = 0; round < rounds; round++) {
    for (size_t i = 0; i < nkeys; i++)
      if (!is_as_expected((first + i) % nkeys))
        atomic_fetch_add(&wrong, 1);
    if (!batch_is_as_expected())
      atomic_fetch_add(&wrong, 1);
  }
  return NULL;
}

static void ask_from_child(void) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    ask(NULL);
    dictum_close(table);
    _exit(atomic_load(&wrong) != 0);
  }
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
    atomic_fetch_add(&wrong, 1);
}

/* With the plugins of this build, as the command finds them. */
static dictum_status make_context(dictum_ctx **ctx, dictum_error *err) {
  const dictum_registry registry = {getenv("DICTUM_DYNAMICMAPS"), getenv("DICTUM_PLUGIN_DIR"), 0};
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  if (registry.maps_file && registry.plugin_dir) {
    opts.registries = &registry;
    opts.nregistries = 1;
  }
  return dictum_ctx_new(ctx, &opts, err);
}

int main(int argc, char **argv) {
  dictum_ctx *ctx = NULL;
  dictum_error err = DICTUM_ERROR_INIT;
  pthread_t ids[threads];
  if (argc < 4 || argc - 3 > most_keys)
    return 64;
  rounds = atoi(argv[2]);
  keys = argv + 3;
  nkeys = (size_t)argc - 3;
  if (make_context(&ctx, &err) != DICTUM_OK ||
      dictum_open(ctx, argv[1], 0, &table, &err) != DICTUM_OK)
    return fprintf(stderr, "%s\n", err.what), 78;
  dictum_set_timeout(table, 60000);
  for (size_t i = 0; i < nkeys; i++)
    expected[i].status = dictum_lookup(table, keys[i], strlen(keys[i]), &expected[i].value, NULL,
                                       &err);
  ask_from_child();
  for (size_t i = 0; i < threads; i++)
    if (pthread_create(&ids[i], NULL, ask, (void *)(uintptr_t)i) != 0)
      return 71;
  for (size_t i = 0; i < threads; i++)
    pthread_join(ids[i], NULL);
  ask_from_child();
  for (size_t i = 0; i < nkeys; i++)
    dictum_buf_free(&expected[i].value);
  dictum_close(table);
  dictum_ctx_free(ctx);
  return atomic_load(&wrong) != 0;
}
