/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api.c - what calls of the library take.
 *
 *     api TABLE KEYS all|table    KEYS: a file, one key a line; TABLE has most of them
 *
 * Prints a line for each way of asking: its name, the nanoseconds of one call by one thread, and of
 * one call when two threads ask at the same time, each counted for itself.
 */
#include <dictum.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_KEYS = 100000, ROUNDS = 10 };

struct keys {
  char *text[MOST_KEYS];
  size_t len[MOST_KEYS];
  size_t n;
};

struct asking {
  const struct keys *keys;
  dictum_table *table;
  dictum_status wanted;
  double ns;
  bool wrong;
};

static _Noreturn void die(const char *what) {
  fprintf(stderr, "api: %s\n", what);
  exit(99);
}

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void read_keys(const char *path, struct keys *keys) {
  FILE *file = fopen(path, "r");
  char line[1024];
  if (!file)
    die("cannot read the keys");
  while (keys->n < MOST_KEYS && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = '\0';
    keys->len[keys->n] = strlen(line);
    keys->text[keys->n] = strdup(line);
    if (!keys->text[keys->n++])
      die("out of memory");
  }
  fclose(file);
}

static void ask_all(struct asking *asking, dictum_buf *value) {
  const struct keys *keys = asking->keys;
  dictum_error err = DICTUM_ERROR_INIT;
  for (size_t i = 0; i < keys->n; i++) {
    dictum_status status = dictum_lookup(asking->table, keys->text[i], keys->len[i], value, NULL,
                                         &err);
    asking->wrong |= (status == DICTUM_NOTFOUND ? DICTUM_OK : status) != asking->wanted;
  }
}

static void *measure(void *rock) {
  struct asking *asking = rock;
  dictum_buf value = {0};
  ask_all(asking, &value); /* warms up */
  double began = now_ns();
  for (int round = 0; round < ROUNDS; round++)
    ask_all(asking, &value);
  asking->ns = (now_ns() - began) / (double)(ROUNDS * asking->keys->n);
  dictum_buf_free(&value);
  return NULL;
}

static void print(const char *name, dictum_ctx *ctx, const char *spec, const struct keys *keys,
                  dictum_status wanted) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table;
  if (dictum_open(ctx, spec, DICTUM_OPEN_DEGRADE, &table, &err) != DICTUM_OK)
    die(err.what);
  struct asking alone = {.keys = keys, .table = table, .wanted = wanted};
  measure(&alone);
  struct asking both[] = {alone, alone};
  pthread_t other;
  if (pthread_create(&other, NULL, measure, &both[1]) != 0)
    die("cannot make a thread");
  measure(&both[0]);
  pthread_join(other, NULL);
  if (alone.wrong || both[0].wrong || both[1].wrong)
    die("an answer is not as it should be");
  printf("%s %.1f %.1f\n", name, alone.ns, (both[0].ns + both[1].ns) / 2);
  dictum_close(table);
}

/* The same through tables made of others, and one that is out of service. */
static void print_wrapped(dictum_ctx *ctx, const char *table, const struct keys *keys) {
  char spec[4200];
  snprintf(spec, sizeof spec, "failover:{%s}", table);
  print("failover", ctx, spec, keys, DICTUM_OK);
  snprintf(spec, sizeof spec, "cache:{ttl=1h, %s}", table);
  print("cached", ctx, spec, keys, DICTUM_OK);
  snprintf(spec, sizeof spec, "%s.is-not-there", table);
  print("breaker-open", ctx, spec, keys, DICTUM_RETRY);
}

int main(int argc, char **argv) {
  static struct keys keys;
  dictum_ctx *ctx;
  if (argc != 4)
    die("usage: api TABLE KEYS all|table");
  read_keys(argv[2], &keys);
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.retry_min_ms = opts.retry_max_ms = 3600000; /* what is down stays down */
  if (dictum_ctx_new(&ctx, &opts, NULL) != DICTUM_OK)
    die("out of memory");
  print("table", ctx, argv[1], &keys, DICTUM_OK);
  if (strcmp(argv[3], "all") == 0)
    print_wrapped(ctx, argv[1], &keys);
  dictum_ctx_free(ctx);
}
