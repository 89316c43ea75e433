/* SPDX-License-Identifier: BSD-2-Clause */
/* conformance_sharing.c - checks that threads and processes can share a table. */
#include "conformance_suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { many_entries = 2000, threads = 4, lookups = 500, rebuilds_min = 10, rebuilds_max = 500 };

/* What the threads of one check share. */
struct race {
  unsigned entries;
  bool endless; /* until `stop`, instead of a fixed number of lookups */
  atomic_bool stop;
  atomic_uint answers;
};

/* One thread's part; it has a suite of its own, so that reasons do not mix. */
struct crew {
  struct suite suite;
  struct race *race;
  dictum_table *table;
  unsigned seed;
  enum verdict verdict;
};

/* Any generation will do: the table may be replaced at any moment, but never be half there. */
static enum verdict expect_any_generation(struct suite *suite, dictum_table *table,
                                          const struct sample *sample) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, sample->key, sample->entry.keylen, &value, NULL,
                                       &err);
  enum verdict verdict = PASS;
  const char *number = strrchr(sample->value, ' ');
  if (status != DICTUM_OK)
    verdict = suite_fail_call(suite, "a lookup beside others", status, &err);
  else if (strncmp(value.data, sample->value, (size_t)(number - sample->value)) != 0)
    verdict = suite_fail(suite, "a wrong value beside others");
  dictum_buf_free(&value);
  return verdict;
}

static void *look_up_again_and_again(void *rock) {
  struct crew *crew = rock;
  struct race *race = crew->race;
  for (unsigned i = 0; crew->verdict == PASS; i++) {
    if (race->endless ? atomic_load(&race->stop) : i == lookups)
      break;
    struct sample sample;
    sample_make(&sample, (crew->seed + i * 7) % race->entries, 1);
    crew->verdict = expect_any_generation(&crew->suite, crew->table, &sample);
    atomic_fetch_add(&race->answers, crew->verdict == PASS ? 1 : threads * lookups);
  }
  return NULL;
}

/* Until the readers have had a fair chance to see something wrong. */
static enum verdict rebuild_again_and_again(struct suite *suite, struct race *race) {
  enum verdict verdict = PASS;
  for (unsigned i = 0; i < rebuilds_max && verdict == PASS; i++) {
    if (i >= rebuilds_min && atomic_load(&race->answers) >= threads * lookups)
      break;
    verdict = suite_fill(suite, race->entries, i);
  }
  return verdict;
}

static enum verdict read_in_threads(struct suite *suite, dictum_table *table, struct race *race) {
  struct crew crews[threads];
  pthread_t ids[threads];
  unsigned started = 0;
  enum verdict verdict = PASS;
  for (; started < threads; started++) {
    crews[started] = (struct crew){*suite, race, table, started * 31, PASS};
    if (pthread_create(&ids[started], NULL, look_up_again_and_again, &crews[started]) != 0) {
      verdict = suite_fail(suite, "cannot start a thread");
      break;
    }
  }
  if (verdict == PASS && race->endless)
    verdict = rebuild_again_and_again(suite, race);
  atomic_store(&race->stop, true);
  for (unsigned i = 0; i < started; i++) {
    pthread_join(ids[i], NULL);
    if (crews[i].verdict != PASS)
      verdict = suite_fail(suite, "%s", crews[i].suite.why);
  }
  return verdict;
}

static enum verdict check_in_threads(struct suite *suite, unsigned entries, bool endless) {
  struct race race = {.entries = entries, .endless = endless};
  if (suite_fill(suite, entries, 1) != PASS)
    return FAIL;
  dictum_table *table = suite_open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = read_in_threads(suite, table, &race);
  dictum_close(table);
  return verdict;
}

enum verdict check_threads(struct suite *suite) {
  return suite_can_fill(suite) ? check_in_threads(suite, some_entries, false) : SKIP;
}

enum verdict check_readers_and_writer(struct suite *suite) {
  return suite->caps & DICTUM_CAP_REPLACE ? check_in_threads(suite, many_entries, true) : SKIP;
}

/* Reads in the child what the parent opened, closes it there, and ends without a trace. */
static _Noreturn void be_child(struct suite *suite, dictum_table *table, int out) {
  enum verdict verdict = suite_expect_samples(suite, table, 10, 1);
  if (verdict == PASS)
    verdict = suite_compare_batch(suite, table);
  dictum_close(table);
  if (verdict != PASS && write(out, suite->why, strlen(suite->why)) < 0)
    _exit(2);
  _exit(verdict == PASS ? 0 : 1);
}

static enum verdict wait_for_child(struct suite *suite, pid_t child, int in) {
  char why[sizeof suite->why] = "";
  ssize_t len = read(in, why, sizeof why - 1);
  int status;
  if (waitpid(child, &status, 0) < 0)
    return suite_fail(suite, "cannot wait for the child");
  if (WIFSIGNALED(status))
    return suite_fail(suite, "the child died of signal %d", WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? PASS : suite_fail(suite, "child: %s", len > 0 ? why : "?");
}

static enum verdict read_in_child(struct suite *suite, dictum_table *table) {
  int ends[2];
  if (pipe(ends) != 0)
    return suite_fail(suite, "cannot make a pipe");
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    be_child(suite, table, ends[1]);
  }
  close(ends[1]);
  enum verdict verdict = child < 0 ? suite_fail(suite, "cannot fork")
                                   : wait_for_child(suite, child, ends[0]);
  close(ends[0]);
  return verdict;
}

enum verdict check_fork(struct suite *suite) {
  if (!suite_can_fill(suite))
    return SKIP;
  if (suite_fill(suite, 10, 1) != PASS)
    return FAIL;
  dictum_table *table = suite_open_to_read(suite, raw);
  if (!table)
    return FAIL;
  enum verdict verdict = suite_expect_samples(suite, table, 10, 1);
  if (verdict == PASS)
    verdict = read_in_child(suite, table);
  if (verdict == PASS) /* what the child closed is still open here */
    verdict = suite_expect_samples(suite, table, 10, 1);
  dictum_close(table);
  return verdict;
}
