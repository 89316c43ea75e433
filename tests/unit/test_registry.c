/* SPDX-License-Identifier: BSD-2-Clause */
/* test_registry.c - dynamicmaps.cf and its folder of drop-ins. */
#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry.h"

/* A folder with two registries, and what was said about them. */
struct world {
  char dir[64];
  struct registry_set *set;
  dictum_error err;
  char said[4096];
  unsigned events;
};

static void hear(void *rock, const dictum_event *event) {
  struct world *world = rock;
  assert_int_equal(event->code, DICTUM_CODE_REGISTRY);
  assert_int_equal(event->level, DICTUM_LEVEL_WARNING);
  size_t used = strlen(world->said);
  snprintf(world->said + used, sizeof world->said - used, "%s\n", event->text);
  world->events++;
}

static void path_of(const struct world *world, const char *name, char path[256]) {
  snprintf(path, 256, "%s/%s", world->dir, name);
}

static void put_file(const struct world *world, const char *name, const char *text) {
  char path[256];
  path_of(world, name, path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
  assert_int_equal(chmod(path, 0644), 0);
}

static void open_set(struct world *world, uint32_t first_flags) {
  char ours[256], theirs[256];
  path_of(world, "ours.cf", ours);
  path_of(world, "theirs.cf", theirs);
  const dictum_registry registries[] = {{ours, "/plugins", first_flags},
                                        {theirs, "/postfix", DICTUM_REGISTRY_POSTFIX}};
  registry_set_free(world->set);
  world->set = registry_set_new(registries, 2);
  assert_non_null(world->set);
}

static int set_up(void **state) {
  struct world *world = calloc(1, sizeof *world);
  strcpy(world->dir, "/tmp/dictum-registry.XXXXXX");
  if (!mkdtemp(world->dir))
    return -1;
  char folder[256];
  path_of(world, "ours.cf.d", folder);
  if (mkdir(folder, 0755) != 0)
    return -1;
  world->err = (dictum_error)DICTUM_ERROR_INIT;
  open_set(world, 0);
  *state = world;
  return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
  (void)st;
  (void)kind;
  (void)ftw;
  return remove(path);
}

static int tear_down(void **state) {
  struct world *world = *state;
  registry_set_free(world->set);
  int removed = nftw(world->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(world);
  return removed;
}

static dictum_status find(struct world *world, const char *type, const char **path) {
  const struct event_sink sink = {hear, world};
  uint32_t flags;
  return registry_find(world->set, &sink, type, path, &flags, &world->err);
}

static void assert_found(struct world *world, const char *type, const char *expected) {
  const char *path;
  assert_int_equal(find(world, type, &path), DICTUM_OK);
  assert_string_equal(path, expected);
}

static void assert_absent(struct world *world, const char *type) {
  const char *path = "";
  assert_int_equal(find(world, type, &path), DICTUM_NOTFOUND);
  assert_null(path);
}

static void no_file_is_no_type(void **state) {
  struct world *world = *state;
  assert_absent(world, "hash");
  size_t cursor = 0;
  assert_null(registry_next_type(world->set, &cursor));
  assert_int_equal(world->events, 0);
}

static void lines_of_ours(void **state) {
  struct world *world = *state;
  put_file(world, "ours.cf",
           "# comment\n"
           "\n"
           "   # indented comment\n"
           "hash\tdictum_bdb.so\n"
           "  btree   dictum_bdb.so\n"
           "lmdb /opt/dictum/lmdb.so\n"
           "cdb dictum_cdb.so dict_cdb_open mkmap_cdb_open\n"
           "crlf dictum_crlf.so\r\n"
           "last dictum_last.so");
  assert_found(world, "hash", "/plugins/dictum_bdb.so");
  assert_found(world, "btree", "/plugins/dictum_bdb.so");
  assert_found(world, "lmdb", "/opt/dictum/lmdb.so");
  assert_found(world, "cdb", "/plugins/dictum_cdb.so");
  assert_found(world, "crlf", "/plugins/dictum_crlf.so");
  assert_found(world, "last", "/plugins/dictum_last.so");
  assert_absent(world, "#");
  size_t cursor = 1;
  assert_string_equal(registry_next_type(world->set, &cursor), "btree");
  assert_int_equal(world->events, 0);
}

static void wrong_line_of_ours_costs_itself(void **state) {
  struct world *world = *state;
  put_file(world, "ours.cf", "lonely\n-odd x.so\ngood good.so\n");
  assert_found(world, "good", "/plugins/good.so");
  assert_absent(world, "lonely");
  assert_int_equal(world->events, 2);
  assert_non_null(strstr(world->said, "ours.cf, line 1: "));
  assert_non_null(strstr(world->said, "ours.cf, line 2: "));
}

static void wrong_line_of_postfix_stops(void **state) {
  static const char *const wrong[] = {"hash x.so\n", "a b c d e\n", "  # indented\n", "   \n",
                                      "-x a.so open\n"};
  struct world *world = *state;
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char text[64];
    snprintf(text, sizeof text, "good good.so open\n%s", wrong[i]);
    put_file(world, "theirs.cf", text);
    open_set(world, 0);
    const char *path;
    assert_int_equal(find(world, "good", &path), DICTUM_CONFIG);
    assert_int_equal(world->err.code, DICTUM_CODE_REGISTRY);
    assert_non_null(strstr(world->err.what, "theirs.cf, line 2: "));
  }
}

static void first_of_a_type_stays(void **state) {
  struct world *world = *state;
  put_file(world, "ours.cf", "a first.so\na second.so\n");
  put_file(world, "ours.cf.d/a.cf", "b drop-in.so\na third.so\n");
  put_file(world, "theirs.cf", "a their.so open\nb their.so open\nc their.so open\n");
  assert_found(world, "a", "/plugins/first.so");
  assert_found(world, "b", "/plugins/drop-in.so");
  assert_found(world, "c", "/postfix/their.so");
  /* Two registries may have the same type: only a file at odds with its own is worth a word. */
  assert_int_equal(world->events, 2);
  assert_non_null(strstr(world->said, "line 2: ignoring duplicate entry for \"a\""));
}

static void drop_ins_end_in_cf(void **state) {
  struct world *world = *state;
  put_file(world, "ours.cf.d/b.cf", "b b.so\nshared from-b.so\n");
  put_file(world, "ours.cf.d/a.cf", "a a.so\nshared from-a.so\n");
  put_file(world, "ours.cf.d/.hidden.cf", "hidden x.so\n");
  put_file(world, "ours.cf.d/c.cf~", "backup x.so\n");
  put_file(world, "ours.cf.d/.cf", "nameless x.so\n");
  put_file(world, "ours.cf.d/readme", "some text\n");
  char folder[256];
  path_of(world, "ours.cf.d/folder.cf", folder);
  assert_int_equal(mkdir(folder, 0755), 0);
  assert_found(world, "a", "/plugins/a.so");
  assert_found(world, "b", "/plugins/b.so");
  assert_found(world, "shared", "/plugins/from-a.so");
  assert_absent(world, "hidden");
  assert_absent(world, "backup");
  assert_absent(world, "nameless");
  assert_int_equal(world->events, 1); /* the duplicate */
}

static void file_that_others_may_write_is_skipped(void **state) {
  struct world *world = *state;
  char path[256];
  put_file(world, "ours.cf", "a a.so\n");
  put_file(world, "ours.cf.d/b.cf", "b b.so\n");
  path_of(world, "ours.cf", path);
  assert_int_equal(chmod(path, 0664), 0);
  assert_absent(world, "a");
  assert_found(world, "b", "/plugins/b.so");
  assert_int_equal(world->events, 1);
  assert_non_null(strstr(world->said, "file is owned or writable by other users"));
}

static void file_of_another_user_is_skipped(void **state) {
  struct world *world = *state;
  char path[256];
  if (geteuid() != 0)
    skip(); /* only root can give a file away */
  put_file(world, "ours.cf", "a a.so\n");
  path_of(world, "ours.cf", path);
  assert_int_equal(chown(path, 65534, 65534), 0);
  assert_absent(world, "a");
  assert_int_equal(world->events, 1);
}

static void unknown_type_is_looked_for_again(void **state) {
  struct world *world = *state;
  put_file(world, "ours.cf", "a a.so\nlonely\n");
  assert_absent(world, "b");
  unsigned told = world->events;
  put_file(world, "ours.cf.d/b.cf", "b b.so\n");
  assert_found(world, "b", "/plugins/b.so"); /* its package has come meanwhile */
  assert_absent(world, "nosuch");
  assert_int_equal(world->events, told); /* and the doubtful line is not told again */
}

static void damaged_file_heals(void **state) {
  struct world *world = *state;
  const char *path;
  put_file(world, "theirs.cf", "a\n");
  assert_int_equal(find(world, "a", &path), DICTUM_CONFIG);
  put_file(world, "theirs.cf", "a a.so open\n");
  assert_found(world, "a", "/postfix/a.so");
}

static void null_byte_costs_its_line(void **state) {
  struct world *world = *state;
  char path[256];
  path_of(world, "ours.cf", path);
  FILE *file = fopen(path, "w");
  static const char text[] = "a\0a.so\nb b.so";
  assert_int_equal(fwrite(text, 1, sizeof text - 1, file), sizeof text - 1);
  fclose(file);
  assert_found(world, "b", "/plugins/b.so");
  assert_absent(world, "a");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_WORLD(no_file_is_no_type),
      IN_WORLD(lines_of_ours),
      IN_WORLD(wrong_line_of_ours_costs_itself),
      IN_WORLD(wrong_line_of_postfix_stops),
      IN_WORLD(first_of_a_type_stays),
      IN_WORLD(drop_ins_end_in_cf),
      IN_WORLD(file_that_others_may_write_is_skipped),
      IN_WORLD(file_of_another_user_is_skipped),
      IN_WORLD(unknown_type_is_looked_for_again),
      IN_WORLD(damaged_file_heals),
      IN_WORLD(null_byte_costs_its_line),
  };
  return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
