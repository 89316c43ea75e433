/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crowd.c - many threads, and a child process, ask one table for a while.
 *
 *     crowd PLUGIN TABLE THREADS SECONDS
 *
 * The table holds "mailbox of KEY" for keys from user00000@example.org on, or has lost it: "no such
 * key" and "try later" are answers, another value is none. Prints how many answers of each kind
 * there were and how long the slowest took; exit status 1 when one was wrong. Somebody else starts
 * and stops the server meanwhile.
 */
#include <dictum.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { keys = 1000, batch_size = 64, most_threads = 256 };
static const uint32_t call_ms = 2000;

struct crowd {
  dictum_table *table;
  int64_t until_ns;
  atomic_uint found, absent, later, wrong;
  atomic_llong slowest_ns;
};

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void count(struct crowd *crowd, const char *key, dictum_status status, const char *value,
                  size_t len) {
  char wanted[64];
  int wanted_len = snprintf(wanted, sizeof wanted, "mailbox of %s", key);
  if (status == DICTUM_OK && len == (size_t)wanted_len && memcmp(value, wanted, len) == 0)
    atomic_fetch_add(&crowd->found, 1);
  else if (status == DICTUM_NOTFOUND)
    atomic_fetch_add(&crowd->absent, 1);
  else if (status == DICTUM_RETRY)
    atomic_fetch_add(&crowd->later, 1);
  else
    atomic_fetch_add(&crowd->wrong, 1);
}

static void note_time(struct crowd *crowd, int64_t begun) {
  long long took = now_ns() - begun, slowest = atomic_load(&crowd->slowest_ns);
  while (took > slowest && !atomic_compare_exchange_weak(&crowd->slowest_ns, &slowest, took))
    continue;
}

static void make_key(char *out, size_t size, unsigned number) {
  snprintf(out, size, "user%05u@example.org", number % keys);
}

static void ask_one(struct crowd *crowd, unsigned number) {
  char key[32];
  dictum_buf value = {0};
  make_key(key, sizeof key, number);
  int64_t begun = now_ns();
  dictum_status status = dictum_lookup(crowd->table, key, strlen(key), &value, NULL, NULL);
  note_time(crowd, begun);
  count(crowd, key, status, value.data, value.len);
  dictum_buf_free(&value);
}

static void ask_many(struct crowd *crowd, unsigned number) {
  char texts[batch_size][32];
  dictum_req reqs[batch_size];
  dictum_buf arena = {0};
  for (unsigned i = 0; i < batch_size; i++) {
    make_key(texts[i], sizeof texts[i], number + i * 13);
    reqs[i] = (dictum_req){.key = texts[i], .keylen = strlen(texts[i])};
  }
  int64_t begun = now_ns();
  dictum_status status = dictum_lookup_many(crowd->table, reqs, batch_size, &arena, NULL);
  note_time(crowd, begun);
  for (unsigned i = 0; i < batch_size; i++)
    count(crowd, texts[i], status == DICTUM_OK ? reqs[i].status : status,
          arena.data ? arena.data + reqs[i].off : "", reqs[i].len);
  dictum_buf_free(&arena);
}

static void *be_member(void *rock) {
  struct crowd *crowd = rock;
  static atomic_uint members;
  unsigned number = atomic_fetch_add(&members, 1) * 101;
  for (; now_ns() < crowd->until_ns; number += 7) {
    if (number % 3 == 0)
      ask_many(crowd, number);
    else
      ask_one(crowd, number);
  }
  return NULL;
}

static int report(const struct crowd *crowd, const char *who) {
  printf("%s: %u found, %u absent, %u later, %u wrong, slowest %lld ms\n", who, crowd->found,
         crowd->absent, crowd->later, crowd->wrong, (long long)crowd->slowest_ns / 1000000);
  return crowd->wrong ? 1 : 0;
}

/* Goes on with its parent's table while the parent does, too. */
static _Noreturn void be_child(struct crowd *crowd) {
  be_member(crowd);
  dictum_close(crowd->table);
  int status = report(crowd, "child");
  fflush(stdout);
  _exit(status);
}

static int run(struct crowd *crowd, unsigned n) {
  pthread_t ids[most_threads];
  int status;
  ask_one(crowd, 0); /* so that there is a connection that a child must not use */
  fflush(stdout);
  pid_t child = fork();
  if (child == 0)
    be_child(crowd);
  for (unsigned i = 0; i < n; i++)
    if (pthread_create(&ids[i], NULL, be_member, crowd) != 0)
      abort();
  for (unsigned i = 0; i < n; i++)
    pthread_join(ids[i], NULL);
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
    atomic_fetch_add(&crowd->wrong, 1);
  return report(crowd, "threads");
}

int main(int argc, char **argv) {
  dictum_ctx *ctx;
  struct crowd crowd = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  if (argc != 5 || atoi(argv[3]) < 1 || atoi(argv[3]) > most_threads) {
    fprintf(stderr, "usage: crowd PLUGIN TABLE THREADS SECONDS\n");
    return 64;
  }
  opts.timeout_ms = call_ms;
  opts.retry_min_ms = opts.retry_max_ms = 20;
  if (dictum_ctx_new(&ctx, &opts, &err) != DICTUM_OK ||
      dictum_load_plugin(ctx, argv[1], &err) != DICTUM_OK ||
      dictum_open(ctx, argv[2], 0, &crowd.table, &err) != DICTUM_OK) {
    fprintf(stderr, "crowd: %s\n", err.what);
    return 78;
  }
  crowd.until_ns = now_ns() + (int64_t)atoi(argv[4]) * 1000000000;
  int status = run(&crowd, (unsigned)atoi(argv[3]));
  dictum_close(crowd.table);
  dictum_ctx_free(ctx);
  return status;
}
