/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asker.c - a program with tables open, which a test drives: a command on a line of standard input,
 * an answer on a line of standard output. Keys, values and texts are in hex, "-" when empty.
 *
 *     open SLOT SPEC           STATUS TEXT        opens a table (at most 8)
 *     close SLOT               ok
 *     timeout SLOT MS          ok                 limit of each later call
 *     get SLOT KEY             STATUS MS TEXT     TEXT is the value, or the error
 *     many SLOT KEY...         STATUS MS TEXT STATUS:VALUE...
 *     file SLOT PATH           STATUS MS N        the lines of PATH as one batch; N were found
 *     begin SLOT THREADS PATH  ok                 threads ask for the lines "key<TAB>value" of PATH
 *     end                      COUNT=N...         ends them; each kind of answer is counted
 *     fork SLOT KEY            STATUS STATUS...   child, parent after it, child's child, parent
 *     events                   LEVEL:TEXT...      what has been reported since
 */
#include <dictum.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 8, MOST_THREADS = 64 };

static dictum_ctx *ctx;
static dictum_table *tables[SLOTS];
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static char *events_text;
static size_t events_len;

static void die(const char *what) {
  fprintf(stderr, "asker: %s\n", what);
  exit(99);
}

static void *need(void *memory) {
  if (!memory)
    die("out of memory");
  return memory;
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void print_hex(FILE *out, const char *bytes, size_t len) {
  if (len == 0)
    fputc('-', out);
  for (size_t i = 0; i < len; i++)
    fprintf(out, "%02x", (unsigned)(unsigned char)bytes[i]);
}

static char *from_hex(const char *word, size_t *len) {
  *len = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
  char *bytes = need(malloc(*len + 1));
  for (size_t i = 0; i < *len; i++) {
    const char pair[3] = {word[2 * i], word[2 * i + 1], '\0'};
    bytes[i] = (char)strtol(pair, NULL, 16);
  }
  bytes[*len] = '\0';
  return bytes;
}

static void on_event(void *rock, const dictum_event *event) {
  (void)rock;
  pthread_mutex_lock(&events_lock);
  char *old = events_text;
  FILE *out = open_memstream(&events_text, &events_len);
  fprintf(need(out), "%s %d:", old ? old : "", (int)event->level);
  print_hex(out, event->text, strlen(event->text));
  fclose(out);
  free(old);
  pthread_mutex_unlock(&events_lock);
}

static dictum_table *slot_of(const char *word) {
  dictum_table *table = word ? tables[atoi(word) % SLOTS] : NULL;
  if (!table)
    die("there is no such table");
  return table;
}

/* ---- one call ------------------------------------------------------------------------------- */

static void do_open(char **words) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_open(ctx, words[1], 0, &tables[atoi(words[0]) % SLOTS], &err);
  printf("%s ", dictum_status_name(status));
  print_hex(stdout, err.what, strlen(err.what));
}

static void do_get(char **words) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  size_t len;
  char *key = from_hex(words[1], &len);
  double begin = now_ms();
  dictum_status status = dictum_lookup(slot_of(words[0]), key, len, &value, NULL, &err);
  printf("%s %.1f ", dictum_status_name(status), now_ms() - begin);
  if (status == DICTUM_OK)
    print_hex(stdout, value.data, value.len);
  else
    print_hex(stdout, err.what, strlen(err.what));
  dictum_buf_free(&value);
  free(key);
}

static void do_many(char **words) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf arena = {0};
  size_t n = 0;
  while (words[1 + n])
    n++;
  dictum_req *reqs = need(calloc(n + 1, sizeof *reqs));
  for (size_t i = 0; i < n; i++)
    reqs[i].key = from_hex(words[1 + i], &reqs[i].keylen);
  double begin = now_ms();
  dictum_status status = dictum_lookup_many(slot_of(words[0]), reqs, n, &arena, &err);
  printf("%s %.1f ", dictum_status_name(status), now_ms() - begin);
  print_hex(stdout, err.what, strlen(err.what));
  for (size_t i = 0; i < n; i++) {
    bool found = status == DICTUM_OK && reqs[i].status == DICTUM_OK;
    printf(" %s:", dictum_status_name(reqs[i].status));
    print_hex(stdout, found ? arena.data + reqs[i].off : "", found ? reqs[i].len : 0);
    free((char *)(uintptr_t)reqs[i].key);
  }
  dictum_buf_free(&arena);
  free(reqs);
}

/* ---- lines of a file ------------------------------------------------------------------------ */

struct pair {
  char *key;
  const char *value; /* NULL: it must not be found */
};

struct pairs {
  struct pair *list;
  size_t n;
};

static struct pairs read_pairs(const char *path) {
  struct pairs pairs = {0};
  FILE *in = fopen(path, "r");
  char *line = NULL;
  size_t room = 0;
  if (!in)
    die(path);
  while (getline(&line, &room, in) >= 0) {
    line[strcspn(line, "\n")] = '\0';
    pairs.list = need(realloc(pairs.list, (pairs.n + 1) * sizeof *pairs.list));
    char *key = need(strdup(line));
    char *tab = strchr(key, '\t');
    if (tab)
      *tab = '\0';
    pairs.list[pairs.n++] = (struct pair){key, tab ? tab + 1 : NULL};
  }
  free(line);
  fclose(in);
  return pairs;
}

static void free_pairs(struct pairs *pairs) {
  for (size_t i = 0; i < pairs->n; i++)
    free(pairs->list[i].key);
  free(pairs->list);
  *pairs = (struct pairs){0};
}

static void do_file(char **words) {
  dictum_buf arena = {0};
  struct pairs pairs = read_pairs(words[1]);
  dictum_req *reqs = need(calloc(pairs.n + 1, sizeof *reqs));
  for (size_t i = 0; i < pairs.n; i++)
    reqs[i] = (dictum_req){.key = pairs.list[i].key, .keylen = strlen(pairs.list[i].key)};
  double begin = now_ms();
  dictum_status status = dictum_lookup_many(slot_of(words[0]), reqs, pairs.n, &arena, NULL);
  size_t found = 0;
  for (size_t i = 0; i < pairs.n; i++)
    found += reqs[i].status == DICTUM_OK;
  printf("%s %.1f %zu", dictum_status_name(status), now_ms() - begin, found);
  dictum_buf_free(&arena);
  free(reqs);
  free_pairs(&pairs);
}

/* ---- threads -------------------------------------------------------------------------------- */

static struct {
  dictum_table *table;
  struct pairs pairs;
  pthread_t threads[MOST_THREADS];
  int n;
  atomic_bool stop;
  atomic_ulong right, wrong, retry, other;
  atomic_ulong slowest_ms;
} crowd;

static void judge(const struct pair *pair, dictum_status status, const dictum_buf *value) {
  bool found = status == DICTUM_OK && pair->value && strcmp(pair->value, value->data) == 0;
  bool absent = status == DICTUM_NOTFOUND && !pair->value;
  if (found || absent)
    atomic_fetch_add(&crowd.right, 1);
  else if (status == DICTUM_OK || status == DICTUM_NOTFOUND)
    atomic_fetch_add(&crowd.wrong, 1);
  else
    atomic_fetch_add(status == DICTUM_RETRY ? &crowd.retry : &crowd.other, 1);
}

static void *ask_on(void *rock) {
  size_t at = (size_t)(uintptr_t)rock * 7919;
  dictum_buf value = {0};
  while (!atomic_load(&crowd.stop)) {
    const struct pair *pair = &crowd.pairs.list[at++ % crowd.pairs.n];
    double begin = now_ms();
    dictum_status status = dictum_lookup(crowd.table, pair->key, strlen(pair->key), &value, NULL,
                                         NULL);
    unsigned long took = (unsigned long)(now_ms() - begin);
    unsigned long slowest = atomic_load(&crowd.slowest_ms);
    while (took > slowest && !atomic_compare_exchange_weak(&crowd.slowest_ms, &slowest, took))
      continue;
    judge(pair, status, &value);
  }
  dictum_buf_free(&value);
  return NULL;
}

static void do_begin(char **words) {
  crowd.table = slot_of(words[0]);
  crowd.pairs = read_pairs(words[2]);
  crowd.n = atoi(words[1]) < MOST_THREADS ? atoi(words[1]) : MOST_THREADS;
  atomic_store(&crowd.stop, false);
  atomic_store(&crowd.right, 0);
  atomic_store(&crowd.wrong, 0);
  atomic_store(&crowd.retry, 0);
  atomic_store(&crowd.other, 0);
  atomic_store(&crowd.slowest_ms, 0);
  for (int i = 0; i < crowd.n; i++)
    if (pthread_create(&crowd.threads[i], NULL, ask_on, (void *)(uintptr_t)i) != 0)
      die("no thread");
  printf("ok");
}

static void do_end(void) {
  atomic_store(&crowd.stop, true);
  for (int i = 0; i < crowd.n; i++)
    pthread_join(crowd.threads[i], NULL);
  printf("right=%lu wrong=%lu retry=%lu other=%lu slowest=%lu", atomic_load(&crowd.right),
         atomic_load(&crowd.wrong), atomic_load(&crowd.retry), atomic_load(&crowd.other),
         atomic_load(&crowd.slowest_ms));
  free_pairs(&crowd.pairs);
}

/* ---- fork ----------------------------------------------------------------------------------- */

static dictum_status ask_quietly(dictum_table *table, const char *key, size_t len) {
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, key, len, &value, NULL, NULL);
  dictum_buf_free(&value);
  return status;
}

static dictum_status ask_in_child(dictum_table *table, const char *key, size_t len, int depth) {
  pid_t pid = fork();
  if (pid < 0)
    die("no child");
  if (pid == 0) {
    dictum_status status = ask_quietly(table, key, len);
    if (depth > 1 && status == DICTUM_OK)
      status = ask_in_child(table, key, len, depth - 1);
    if (status == DICTUM_OK)
      status = ask_quietly(table, key, len);
    _exit((int)status);
  }
  int wait_status;
  if (waitpid(pid, &wait_status, 0) != pid || !WIFEXITED(wait_status))
    die("the child did not end by itself");
  return (dictum_status)WEXITSTATUS(wait_status);
}

static void do_fork(char **words) {
  dictum_table *table = slot_of(words[0]);
  size_t len;
  char *key = from_hex(words[1], &len);
  for (int depth = 1; depth <= 2; depth++) {
    printf("%s ", dictum_status_name(ask_in_child(table, key, len, depth)));
    printf("%s ", dictum_status_name(ask_quietly(table, key, len)));
  }
  free(key);
}

/* ---- commands ------------------------------------------------------------------------------- */

static void do_events(void) {
  pthread_mutex_lock(&events_lock);
  printf("%s", events_text ? events_text : "");
  free(events_text);
  events_text = NULL;
  pthread_mutex_unlock(&events_lock);
}

static void obey(const char *command, char **words) {
  if (strcmp(command, "open") == 0)
    do_open(words);
  else if (strcmp(command, "get") == 0)
    do_get(words);
  else if (strcmp(command, "many") == 0)
    do_many(words);
  else if (strcmp(command, "file") == 0)
    do_file(words);
  else if (strcmp(command, "begin") == 0)
    do_begin(words);
  else if (strcmp(command, "end") == 0)
    do_end();
  else if (strcmp(command, "fork") == 0)
    do_fork(words);
  else if (strcmp(command, "events") == 0)
    do_events();
  else if (strcmp(command, "timeout") == 0) {
    dictum_set_timeout(slot_of(words[0]), (uint32_t)atoi(words[1]));
    printf("ok");
  } else if (strcmp(command, "close") == 0) {
    dictum_close(slot_of(words[0]));
    tables[atoi(words[0]) % SLOTS] = NULL;
    printf("ok");
  } else {
    die(command);
  }
  printf("\n");
  fflush(stdout);
}

static void make_context(void) {
  const dictum_registry registry = {getenv("DICTUM_DYNAMICMAPS"), getenv("DICTUM_PLUGIN_DIR"), 0};
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  dictum_error err = DICTUM_ERROR_INIT;
  opts.event = on_event;
  opts.retry_min_ms = 1; /* the breaker is not what is tested here */
  opts.retry_max_ms = 1;
  if (registry.maps_file && registry.plugin_dir) {
    opts.registries = &registry;
    opts.nregistries = 1;
  }
  if (dictum_ctx_new(&ctx, &opts, &err) != DICTUM_OK)
    die(err.what);
}

int main(void) {
  char *line = NULL;
  size_t room = 0;
  make_context();
  while (getline(&line, &room, stdin) >= 0) {
    size_t n = 0;
    char **words = need(calloc(strlen(line) / 2 + 4, sizeof *words)), *place;
    for (char *word = strtok_r(line, " \n", &place); word; word = strtok_r(NULL, " \n", &place))
      words[n++] = word;
    if (n > 0)
      obey(words[0], words + 1);
    free(words);
  }
  free(line);
  for (int i = 0; i < SLOTS; i++)
    dictum_close(tables[i]);
  dictum_ctx_free(ctx);
  free(events_text);
  return 0;
}
