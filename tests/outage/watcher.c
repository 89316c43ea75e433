/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watcher.c - many threads ask one table without end, while somebody else does things to its
 * server, and what they are told is counted.
 *
 *     watcher THREADS TIMEOUT_MS KEYS SPEC
 *
 * The table has "userN@example.org" with the value "mailboxN", N of six digits, below KEYS, and no
 * "nobodyN@example.org", N below 50. Anything else that is told as found, and a user who is told to
 * be absent, is wrong; "try later" and "misconfigured" are not answers, and not wrong.
 *
 * Commands come on standard input, a line each; the answer is one line on standard output:
 *
 *     phase   NAME=NUMBER ...    what was counted since the last phase began
 *     pause   ok                 nobody asks
 *     go      ok                 they ask again
 *     forget  ok                 caches are flushed
 */
#include <dictum.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 256, BATCH = 20, ABSENT_KEYS = 50 };

/* Times are in nanoseconds since the phase began; -1: never. */
struct counts {
  long calls, keys, found, absent, retry, config, stale, wrong;
  int64_t worst, last_failure, first_fresh;
};

static struct {
  dictum_ctx *ctx;
  dictum_table *table;
  unsigned nkeys;
  atomic_bool paused, over;
  pthread_mutex_t lock;
  struct counts counts; /* guarded by the lock, as is what follows */
  int64_t began;
  char first_wrong[256];
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Noreturn void die(const char *what) {
  fprintf(stderr, "watcher: %s\n", what);
  exit(99);
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void nap(long ms) {
  nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* A question and what its answer should be. */
struct question {
  char key[40], wanted[24];
  bool absent;
};

static void make_question(struct question *q, unsigned *chance) {
  *chance = *chance * 1103515245 + 12345;
  unsigned n = (*chance >> 8) % watch.nkeys;
  q->absent = *chance >> 28 == 0;
  if (q->absent)
    n %= ABSENT_KEYS;
  snprintf(q->key, sizeof q->key, "%s%06u@example.org", q->absent ? "nobody" : "user", n);
  snprintf(q->wanted, sizeof q->wanted, "mailbox%06u", n);
}

/* With the lock held. */
static void count(const struct question *q, dictum_status status, const char *value, size_t len,
                  uint32_t flags, int64_t at) {
  struct counts *c = &watch.counts;
  bool right = true;
  c->keys++;
  if (status == DICTUM_OK) {
    right = !q->absent && len == strlen(q->wanted) && memcmp(value, q->wanted, len) == 0;
    c->found++;
    c->stale += (flags & DICTUM_F_STALE) != 0;
    if (!(flags & (DICTUM_F_STALE | DICTUM_F_CACHED)) && c->first_fresh < 0)
      c->first_fresh = at;
  } else if (status == DICTUM_NOTFOUND) {
    right = q->absent;
    c->absent++;
  } else {
    c->retry += status == DICTUM_RETRY;
    c->config += status == DICTUM_CONFIG;
    right = status == DICTUM_RETRY || status == DICTUM_CONFIG;
    c->last_failure = at;
  }
  if (right)
    return;
  if (c->wrong++ == 0)
    snprintf(watch.first_wrong, sizeof watch.first_wrong, "%s:%s:%.*s", q->key,
             dictum_status_name(status), status == DICTUM_OK ? (int)(len < 60 ? len : 60) : 0,
             status == DICTUM_OK ? value : "");
}

static void count_call(int64_t began) {
  int64_t now = now_ns();
  watch.counts.calls++;
  /* What began in the phase before belongs there, and is told here. */
  if (now - began > watch.counts.worst)
    watch.counts.worst = now - began;
}

static void ask_one(unsigned *chance, dictum_buf *buf) {
  struct question q;
  make_question(&q, chance);
  uint32_t flags = 0;
  int64_t began = now_ns();
  dictum_status status = dictum_lookup(watch.table, q.key, strlen(q.key), buf, &flags, NULL);
  pthread_mutex_lock(&watch.lock);
  count_call(began);
  count(&q, status, buf->data, buf->len, flags, now_ns() - watch.began);
  pthread_mutex_unlock(&watch.lock);
}

static void ask_batch(unsigned *chance, dictum_buf *arena) {
  struct question questions[BATCH];
  dictum_req reqs[BATCH];
  for (int i = 0; i < BATCH; i++) {
    make_question(&questions[i], chance);
    reqs[i] = (dictum_req){.key = questions[i].key, .keylen = strlen(questions[i].key)};
  }
  int64_t began = now_ns();
  dictum_status status = dictum_lookup_many(watch.table, reqs, BATCH, arena, NULL);
  pthread_mutex_lock(&watch.lock);
  count_call(began);
  for (int i = 0; i < BATCH; i++)
    count(&questions[i], status == DICTUM_OK ? reqs[i].status : status,
          arena->data ? arena->data + reqs[i].off : "", reqs[i].len, reqs[i].flags,
          now_ns() - watch.began);
  pthread_mutex_unlock(&watch.lock);
}

static void *ask(void *rock) {
  unsigned chance = (unsigned)(uintptr_t)rock * 2654435761u + 1;
  dictum_buf buf = {0};
  for (unsigned turn = 0; !atomic_load(&watch.over); turn++) {
    if (atomic_load(&watch.paused)) {
      nap(5);
      continue;
    }
    if (turn % 4 == 3)
      ask_batch(&chance, &buf);
    else
      ask_one(&chance, &buf);
    nap(3);
  }
  dictum_buf_free(&buf);
  return NULL;
}

static void begin_phase(void) {
  watch.counts = (struct counts){.last_failure = -1, .first_fresh = -1};
  watch.began = now_ns();
  strcpy(watch.first_wrong, "-");
}

static double ms(int64_t ns) {
  return ns < 0 ? -1 : (double)ns / 1e6;
}

static void end_phase(void) {
  pthread_mutex_lock(&watch.lock);
  const struct counts *c = &watch.counts;
  printf("calls=%ld keys=%ld found=%ld absent=%ld retry=%ld config=%ld stale=%ld wrong=%ld "
         "worst_ms=%.1f last_failure_ms=%.1f first_fresh_ms=%.1f first_wrong=%s\n",
         c->calls, c->keys, c->found, c->absent, c->retry, c->config, c->stale, c->wrong,
         ms(c->worst), ms(c->last_failure), ms(c->first_fresh), watch.first_wrong);
  begin_phase();
  pthread_mutex_unlock(&watch.lock);
}

static void obey(const char *command) {
  if (strcmp(command, "phase\n") == 0) {
    end_phase();
  } else {
    if (strcmp(command, "forget\n") == 0)
      dictum_flush(watch.table, NULL, 0, NULL);
    else
      atomic_store(&watch.paused, strcmp(command, "pause\n") == 0);
    puts("ok");
  }
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 5)
    die("usage: watcher THREADS TIMEOUT_MS KEYS SPEC");
  unsigned nthreads = (unsigned)strtoul(argv[1], NULL, 10);
  if (nthreads < 1 || nthreads > MOST_THREADS)
    die("how many threads?");
  watch.nkeys = (unsigned)strtoul(argv[3], NULL, 10);
  const char *plugins = getenv("DICTUM_PLUGIN_DIR"), *maps = getenv("DICTUM_DYNAMICMAPS");
  const dictum_registry registry = {maps ? maps : dictum_default_registry()->maps_file,
                                    plugins ? plugins : dictum_default_registry()->plugin_dir, 0};
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.registries = &registry;
  opts.nregistries = 1;
  opts.timeout_ms = (uint32_t)strtoul(argv[2], NULL, 10);
  opts.retry_min_ms = 200;
  opts.retry_max_ms = 1500;
  dictum_error err = DICTUM_ERROR_INIT;
  if (dictum_ctx_new(&watch.ctx, &opts, &err) != DICTUM_OK ||
      dictum_open(watch.ctx, argv[4], DICTUM_OPEN_DEGRADE, &watch.table, &err) != DICTUM_OK)
    die(err.what);
  pthread_t threads[MOST_THREADS];
  begin_phase();
  for (unsigned i = 0; i < nthreads; i++)
    if (pthread_create(&threads[i], NULL, ask, (void *)(uintptr_t)i) != 0)
      die("cannot make a thread");
  char command[64];
  while (fgets(command, sizeof command, stdin))
    obey(command);
  atomic_store(&watch.over, true);
  for (unsigned i = 0; i < nthreads; i++)
    pthread_join(threads[i], NULL);
  dictum_close(watch.table);
  dictum_ctx_free(watch.ctx);
  return 0;
}
