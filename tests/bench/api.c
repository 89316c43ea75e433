/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api.c - what one call of the library takes.
 *
 *     api TABLE KEYS THREADS [NAME=VALUE...]    KEYS: a file, one key a line
 *
 * Every thread asks all keys of the same table, which has these settings, again and again. Prints
 * the nanoseconds that a call takes in each thread, how many keys were found, how many were not,
 * and for how many the answer was "try later".
 */
#include <dictum.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEAST_ROUNDS = 5, MOST_ROUNDS = 1000, MOST_THREADS = 64, NEVER_MS = 3600000 };
static const double least_ns = 1e8; /* of all rounds */

struct keys {
  char **text;
  size_t *len;
  size_t n;
};

struct asking {
  const struct keys *keys;
  dictum_table *table;
  pthread_barrier_t *start;
  size_t first;    /* key */
  unsigned rounds; /* of all keys */
  double ns;
  struct counts {
    size_t found, absent, later;
  } of;
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

static void add_key(struct keys *keys, const char *text, size_t len) {
  if ((keys->n & (keys->n - 1)) == 0) { /* a power of two: full */
    keys->text = realloc(keys->text, (keys->n ? keys->n * 2 : 1) * sizeof *keys->text);
    keys->len = realloc(keys->len, (keys->n ? keys->n * 2 : 1) * sizeof *keys->len);
  }
  char *copy = strndup(text, len);
  if (!keys->text || !keys->len || !copy)
    die("out of memory");
  keys->text[keys->n] = copy;
  keys->len[keys->n++] = len;
}

static void read_keys(const char *path, struct keys *keys) {
  FILE *file = fopen(path, "r");
  char *line = NULL;
  size_t room = 0;
  if (!file)
    die("cannot read the keys");
  while (getline(&line, &room, file) >= 0)
    add_key(keys, line, strcspn(line, "\n"));
  free(line);
  fclose(file);
  if (keys->n == 0)
    die("there are no keys");
}

/* Counts on its own stack, which no other thread's cache wants. */
static struct counts ask_all(const struct asking *asking, dictum_buf *value) {
  const struct keys *keys = asking->keys;
  struct counts of = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  for (size_t asked = 0, i = asking->first; asked < keys->n; asked++, i++) {
    i = i < keys->n ? i : 0;
    dictum_status status = dictum_lookup(asking->table, keys->text[i], keys->len[i], value, NULL,
                                         &err);
    of.found += status == DICTUM_OK;
    of.absent += status == DICTUM_NOTFOUND;
    of.later += status == DICTUM_RETRY;
  }
  return of;
}

static void *measure(void *rock) {
  struct asking *asking = rock;
  dictum_buf value = {0};
  ask_all(asking, &value); /* warms up */
  pthread_barrier_wait(asking->start);
  double began = now_ns();
  for (unsigned round = 0; round < asking->rounds; round++)
    asking->of = ask_all(asking, &value);
  asking->ns = (now_ns() - began) / ((double)asking->rounds * (double)asking->keys->n);
  dictum_buf_free(&value);
  return NULL;
}

/* Short ones are repeated more often. */
static unsigned choose_rounds(struct asking *asking) {
  dictum_buf value = {0};
  ask_all(asking, &value); /* opens what is opened late */
  double began = now_ns();
  ask_all(asking, &value);
  double rounds = least_ns / (now_ns() - began);
  dictum_buf_free(&value);
  return rounds < LEAST_ROUNDS  ? LEAST_ROUNDS
         : rounds > MOST_ROUNDS ? MOST_ROUNDS
                                : (unsigned)rounds;
}

/* @return what a call took in the slowest thread */
static double measure_threads(struct asking *one, size_t threads) {
  pthread_t ids[MOST_THREADS];
  struct asking each[MOST_THREADS];
  double slowest = 0;
  for (size_t i = 0; i < threads; i++) {
    each[i] = *one;
    each[i].first = one->keys->n / threads * i;
    if (pthread_create(&ids[i], NULL, measure, &each[i]) != 0)
      die("cannot make a thread");
  }
  for (size_t i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    if (each[i].of.found != each[0].of.found || each[i].of.absent != each[0].of.absent)
      die("threads have different answers");
    slowest = each[i].ns > slowest ? each[i].ns : slowest;
  }
  *one = each[0];
  return slowest;
}

/* @param rock  the words after the number of threads */
static const char *setting(void *rock, const char *name) {
  const size_t len = strlen(name);
  for (char **word = rock; *word; word++)
    if (strncmp(*word, name, len) == 0 && (*word)[len] == '=')
      return *word + len + 1;
  return NULL;
}

int main(int argc, char **argv) {
  static struct keys keys;
  dictum_ctx *ctx;
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  size_t threads = argc >= 4 ? strtoul(argv[3], NULL, 10) : 0;
  if (threads < 1 || threads > MOST_THREADS)
    die("usage: api TABLE KEYS THREADS [NAME=VALUE...]");
  read_keys(argv[2], &keys);
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.param = setting;
  opts.param_rock = argv + 4;
  opts.retry_min_ms = opts.retry_max_ms = NEVER_MS; /* what is down stays down */
  if (dictum_ctx_new(&ctx, &opts, NULL) != DICTUM_OK)
    die("out of memory");
  if (dictum_open(ctx, argv[1], DICTUM_OPEN_DEGRADE, &table, &err) != DICTUM_OK)
    die(err.what);
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, (unsigned)threads);
  struct asking asking = {.keys = &keys, .table = table, .start = &start};
  asking.rounds = choose_rounds(&asking);
  double ns = measure_threads(&asking, threads);
  printf("%.2f %zu %zu %zu\n", ns, asking.of.found, asking.of.absent, asking.of.later);
  dictum_close(table);
  dictum_ctx_free(ctx);
}
