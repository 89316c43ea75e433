/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - a context of a test's own. */
#include "world.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the context ----------------------------------------------------------------------------- */

static void hear(void *rock, const dictum_event *event) {
  struct world *world = rock;
  if (event->code == DICTUM_CODE_TABLE_UP) {
    atomic_fetch_add(&world->ups, 1);
  } else if (event->code == DICTUM_CODE_TABLE_DOWN) {
    if (atomic_fetch_add(&world->downs, 1) > 0)
      return;
    snprintf(world->down_table, sizeof world->down_table, "%s", event->table);
    snprintf(world->down_text, sizeof world->down_text, "%s", event->text);
  } else {
    atomic_fetch_add(&world->others, 1);
  }
}

static int64_t tell_time(void *rock) {
  struct world *world = rock;
  return atomic_load(&world->now_ns);
}

static const char registry[] = "fake_ok fake_ok.so\n"
                               "fake_absent fake_ok.so\n"
                               "moody fake_moody.so\n"
                               "moody_file fake_moody.so\n"
                               "count_serial fake_count.so\n"
                               "count_per_handle fake_count.so\n"
                               "count_parallel fake_count.so\n"
                               "count_150 fake_count.so\n"
                               "count_0 fake_count.so\n"
                               "short_first fake_short_struct.so\n"
                               "short_second fake_short_struct.so\n"
                               "future_first fake_future_struct.so\n"
                               "future_second fake_future_struct.so\n";

static bool make_context(struct world *world) {
  char maps_file[256], plugin_dir[256];
  world_path(world, "dynamicmaps.cf", maps_file);
  world_path(world, "plugins", plugin_dir);
  const dictum_registry registries[] = {{maps_file, plugin_dir, 0}};
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.event = hear;
  opts.event_rock = world;
  opts.registries = registries;
  opts.nregistries = 1;
  opts.retry_min_ms = retry_min_ms;
  opts.retry_max_ms = retry_max_ms;
  opts.clock = tell_time;
  opts.clock_rock = world;
  return dictum_ctx_new(&world->ctx, &opts, NULL) == DICTUM_OK;
}

/* The folder lies in /tmp or its like: everything above it must be safe, which a checkout may
 * not be. */
int world_set_up(void **state) {
  struct world *world = calloc(1, sizeof *world);
  const char *temp = getenv("TMPDIR");
  char plugins[256];
  if (!world)
    return -1;
  snprintf(world->dir, sizeof world->dir, "%s/dictum-world.XXXXXX", temp ? temp : "/tmp");
  if (!mkdtemp(world->dir))
    return -1;
  world_path(world, "plugins", plugins);
  if (chmod(world->dir, 0755) != 0 || mkdir(plugins, 0755) != 0)
    return -1;
  atomic_init(&world->now_ns, 1000000000);
  world_write(world, "dynamicmaps.cf", registry);
  *state = world;
  return make_context(world) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
  (void)st;
  (void)kind;
  (void)ftw;
  return remove(path);
}

int world_tear_down(void **state) {
  struct world *world = *state;
  dictum_ctx_free(world->ctx);
  int removed = nftw(world->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(world);
  return removed;
}

void world_pass(struct world *world, uint32_t ms) {
  atomic_fetch_add(&world->now_ns, (long long)ms * 1000000);
}

/* ---- its files ------------------------------------------------------------------------------- */

void world_path(const struct world *world, const char *name, char path[256]) {
  snprintf(path, 256, "%s/%s", world->dir, name);
}

/* Beside, then renamed: a file that is mapped must not change under its users. */
static void put_file(const struct world *world, const char *name, const void *data, size_t len) {
  char aside[256], path[256];
  world_path(world, "aside", aside);
  world_path(world, name, path);
  FILE *file = fopen(aside, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(aside, 0644), 0);
  assert_int_equal(rename(aside, path), 0);
}

void world_write(const struct world *world, const char *name, const char *text) {
  put_file(world, name, text, strlen(text));
}

void world_install(const struct world *world, const char *module, const char *name) {
  enum { large_enough = 4 << 20 };
  char from[512], to[128];
  const char *fakes = getenv("FAKE_DIR");
  assert_non_null(fakes);
  snprintf(from, sizeof from, "%s/%s.so", fakes, module);
  snprintf(to, sizeof to, "plugins/%s.so", name);
  FILE *file = fopen(from, "r");
  char *data = malloc(large_enough);
  assert_non_null(file);
  assert_non_null(data);
  size_t len = fread(data, 1, large_enough, file);
  assert_in_range(len, 1, large_enough - 1);
  fclose(file);
  put_file(world, to, data, len);
  free(data);
}

void world_remove(const struct world *world, const char *name) {
  char path[256];
  world_path(world, name, path);
  assert_int_equal(remove(path), 0);
}

void world_chmod(const struct world *world, const char *name, unsigned mode) {
  char path[256];
  world_path(world, name, path);
  assert_int_equal(chmod(path, mode), 0);
}

/* ---- its tables ------------------------------------------------------------------------------ */

dictum_table *world_open(struct world *world, const char *spec, uint32_t flags) {
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  if (dictum_open(world->ctx, spec, flags, &table, &err) != DICTUM_OK)
    fail_msg("%s: %s", err.where, err.what);
  return table;
}

void assert_answer(dictum_table *table, const char *expected) {
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  if (dictum_lookup(table, "key", 3, &value, NULL, &err) != DICTUM_OK)
    fail_msg("%s: %s", err.where, err.what);
  assert_string_equal(value.data, expected);
  dictum_buf_free(&value);
}

void assert_status(dictum_table *table, dictum_status expected) {
  dictum_buf value = {0};
  dictum_status status = dictum_lookup(table, "key", 3, &value, NULL, NULL);
  assert_string_equal(dictum_status_name(status), dictum_status_name(expected));
  if (expected != DICTUM_OK)
    assert_int_equal(value.len, 0);
  dictum_buf_free(&value);
}

void assert_events(const struct world *world, unsigned downs, unsigned ups) {
  assert_int_equal(atomic_load(&world->downs), downs);
  assert_int_equal(atomic_load(&world->ups), ups);
}

void assert_child(bool (*child)(void *rock), void *rock) {
  fflush(NULL);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    alarm(120); /* a child that hangs has failed */
    _exit(child(rock) ? 0 : 1);
  }
  int status;
  while (waitpid(pid, &status, 0) < 0)
    assert_int_equal(errno, EINTR);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}
