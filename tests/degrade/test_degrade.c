/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_degrade.c - a plugin that cannot be used, in each of the ways in which that
 * happens: strict callers hear of it at once; else only the table of that type is
 * out of service, it says why and what to do, and it comes back by itself.
 */
#include "world.h"

#include <dictum_plugin.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One way in which the plugin file of type fake_ok cannot be used. */
struct trouble {
  const char *spec;
  dictum_code code;
  const char *reason; /* words of the loader's, or ours */
  const char *cure;
  void (*mend)(const struct world *world);
};

static void put_it_back(const struct world *world) {
  world_install(world, "fake_ok", "fake_ok");
}

static void assert_explained(const struct world *world, const struct trouble *trouble,
                             const char *text) {
  char type[64];
  snprintf(type, sizeof type, "%.*s", (int)strcspn(trouble->spec, ":"), trouble->spec);
  assert_non_null(strstr(text, type));
  assert_non_null(strstr(text, trouble->reason));
  assert_non_null(strstr(text, trouble->cure));
  assert_null(strchr(text, '\n'));
  if (trouble->code >= DICTUM_CODE_PLUGIN_MISSING && trouble->code <= DICTUM_CODE_PLUGIN_ABI)
    assert_non_null(strstr(text, world->dir)); /* which file */
}

static void strict_fails_at_once(struct world *world, const struct trouble *trouble) {
  dictum_table *table = (dictum_table *)1;
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_open(world->ctx, trouble->spec, 0, &table, &err), DICTUM_CONFIG);
  assert_null(table);
  assert_int_equal(err.status, DICTUM_CONFIG);
  assert_string_equal(dictum_code_name(err.code), dictum_code_name(trouble->code));
  assert_string_equal(err.where, trouble->spec);
  assert_explained(world, trouble, err.what);
  assert_events(world, 0, 0);
}

static void assert_out_of_service(const struct world *world, const struct trouble *trouble,
                                  dictum_table *table) {
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(dictum_lookup(table, "key", 3, &value, NULL, &err), DICTUM_RETRY);
  assert_int_equal(err.status, DICTUM_RETRY);
  assert_string_equal(dictum_code_name(err.code), dictum_code_name(trouble->code));
  assert_string_equal(err.where, trouble->spec);
  assert_explained(world, trouble, err.what);
  assert_in_range(err.retry_after_ms, 1, retry_max_ms * 12 / 10);
  dictum_buf_free(&value);
}

/* Every way to use it, not just the lookup of one key. */
static void nothing_else_works_either(dictum_table *table) {
  dictum_buf arena = {0};
  dictum_req reqs[] = {{.key = "a", .keylen = 1}, {.key = "b", .keylen = 1}};
  dictum_iter *iter = (dictum_iter *)1;
  dictum_table_info info = {.size = sizeof info};
  assert_int_equal(dictum_lookup_many(table, reqs, 2, &arena, NULL), DICTUM_OK);
  assert_int_equal(reqs[0].status, DICTUM_RETRY);
  assert_int_equal(reqs[1].status, DICTUM_RETRY);
  assert_int_equal(dictum_iter_open(table, &iter, NULL), DICTUM_RETRY);
  assert_null(iter);
  assert_int_equal(dictum_caps(table), 0);
  dictum_table_describe(table, &info);
  assert_int_equal(info.up, 0);
  assert_int_not_equal(info.retry_after_ms, 0);
  dictum_buf_free(&arena);
}

static void told_once(const struct world *world, const struct trouble *trouble) {
  assert_events(world, 1, 0);
  assert_string_equal(world->down_table, trouble->spec);
  assert_non_null(strstr(world->down_text, trouble->spec));
  assert_explained(world, trouble, world->down_text);
}

static void others_go_on(dictum_table *plain, dictum_table *plugin) {
  assert_answer(plain, "always");
  assert_status(plugin, DICTUM_OK);
}

static void goes_down_and_comes_back(struct world *world, const struct trouble *trouble) {
  dictum_table *plain = world_open(world, "static:always", DICTUM_OPEN_DEGRADE);
  dictum_table *plugin = world_open(world, "count_parallel:x", DICTUM_OPEN_DEGRADE);
  dictum_table *table = world_open(world, trouble->spec, DICTUM_OPEN_DEGRADE);
  for (int i = 0; i < 100; i++)
    assert_out_of_service(world, trouble, table);
  nothing_else_works_either(table);
  told_once(world, trouble);
  others_go_on(plain, plugin);
  for (int i = 0; i < 5; i++) { /* tried again, in vain: no word about that */
    world_pass(world, longer_than_any_pause_ms);
    assert_out_of_service(world, trouble, table);
    others_go_on(plain, plugin);
  }
  told_once(world, trouble);

  trouble->mend(world);
  assert_out_of_service(world, trouble, table); /* the pause is not over */
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "yes");
  assert_events(world, 1, 1);
  world_pass(world, longer_than_any_pause_ms);
  assert_answer(table, "yes");
  assert_events(world, 1, 1);
  dictum_table_info info = {.size = sizeof info};
  dictum_table_describe(table, &info);
  assert_int_equal(info.up, 1);
  assert_int_equal(info.retry_after_ms, 0);
  dictum_close(table);
  dictum_close(plugin);
  dictum_close(plain);
}

static void check(struct world *world, const struct trouble *trouble) {
  world_install(world, "fake_count", "fake_count");
  strict_fails_at_once(world, trouble);
  goes_down_and_comes_back(world, trouble);
  dictum_close(world_open(world, trouble->spec, 0)); /* strict callers are content now */
}

/* ---- the troubles ---------------------------------------------------------------------------- */

static void file_is_missing(void **state) {
  check(*state,
        &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_MISSING, "No such file or directory",
                          "install the package that brings this file", put_it_back});
}

static void put_dependency_back(const struct world *world) {
  world_install(world, "libfake_dep", "libfake_dep");
}

static void dependency_is_missing(void **state) {
  world_install(*state, "fake_missing_dependency", "fake_ok");
  check(*state, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_BROKEN,
                                  "libfake_dep.so: cannot open shared object file",
                                  "install it, and what it needs, anew", put_dependency_back});
}

static void file_is_no_library(void **state) {
  world_write(*state, "plugins/fake_ok.so",
              "#!/bin/sh\n# Longer than the header of any library, so that it is read in full.\n");
  check(*state, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_BROKEN, "invalid ELF header",
                                  "install it, and what it needs, anew", put_it_back});
}

static void file_is_empty(void **state) {
  world_write(*state, "plugins/fake_ok.so", "");
  check(*state, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_BROKEN, "file too short",
                                  "install it, and what it needs, anew", put_it_back});
}

static void symbol_is_undefined(void **state) {
  world_install(*state, "fake_undefined_symbol", "fake_ok");
  check(*state, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_BROKEN,
                                  "undefined symbol: fake_function_that_nobody_has",
                                  "install it, and what it needs, anew", put_it_back});
}

static void library_is_no_plugin(void **state) {
  world_install(*state, "fake_no_symbol", "fake_ok");
  check(*state, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_BROKEN,
                                  "dlsym failure looking up fake_ok_LTX_dictum_plugin",
                                  "this file is no plugin of Dictum", put_it_back});
}

static void abi_is_another(void **state) {
  char reason[128];
  snprintf(reason, sizeof reason, "made for plugin interface %u, this is interface %u",
           DICTUM_ABI + 1, DICTUM_ABI);
  world_install(*state, "fake_wrong_abi", "fake_ok");
  check(*state, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_ABI, reason,
                                  "install the plugin that belongs to Dictum", put_it_back});
}

static void descriptor_is_malformed(void **state) {
  static const char *const modules[] = {"fake_tiny_type", "fake_odd_type"};
  for (size_t i = 0; i < 2; i++) {
    struct world *world = *state;
    dictum_table *table;
    dictum_error err = DICTUM_ERROR_INIT;
    world_install(world, modules[i], "fake_ok");
    assert_int_equal(dictum_open(world->ctx, "fake_ok:x", 0, &table, &err), DICTUM_CONFIG);
    assert_int_equal(err.code, DICTUM_CODE_PLUGIN_ABI);
  }
  check(*state, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_ABI, "descriptor is malformed",
                                  "report this to those who made the plugin", put_it_back});
}

static void plugin_lacks_the_type(void **state) {
  struct world *world = *state;
  dictum_table *table;
  dictum_error err = DICTUM_ERROR_INIT;
  put_it_back(world);
  assert_int_equal(dictum_open(world->ctx, "fake_absent:x", 0, &table, &err), DICTUM_CONFIG);
  assert_int_equal(err.code, DICTUM_CODE_PLUGIN_BROKEN);
  assert_non_null(strstr(err.what, "fake_absent"));
  assert_non_null(strstr(err.what, "correct dynamicmaps.cf"));
  dictum_close(world_open(world, "fake_ok:x", 0));
}

static void list_it(const struct world *world) {
  char folder[256];
  world_path(world, "dynamicmaps.cf.d", folder);
  assert_int_equal(mkdir(folder, 0755), 0);
  world_write(world, "dynamicmaps.cf.d/fake.cf", "fake_ok fake_ok.so\n");
}

static void type_is_not_listed(void **state) {
  struct world *world = *state;
  put_it_back(world);
  world_write(world, "dynamicmaps.cf", "count_parallel fake_count.so\n");
  check(world, &(struct trouble){"fake_ok:x", DICTUM_CODE_TYPE_UNKNOWN,
                                 "count_parallel", /* the types that are known */
                                 "install the package dictum-fake_ok", list_it});
}

/* ---- files that others could change ---------------------------------------------------------- */

static const char unsafe_file[] = "file is owned or writable by other users";
static const char unsafe_folder[] = "is owned or writable by other users";

static void close_file(const struct world *world) {
  world_chmod(world, "plugins/fake_ok.so", 0644);
}

static void file_is_writable_by(struct world *world, unsigned mode) {
  put_it_back(world);
  world_chmod(world, "plugins/fake_ok.so", mode);
  check(world, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_UNSAFE, unsafe_file,
                                 "let it belong to root with mode 0644", close_file});
}

static void file_is_writable_by_group(void **state) {
  file_is_writable_by(*state, 0664);
}

static void file_is_writable_by_all(void **state) {
  file_is_writable_by(*state, 0646);
}

static void replace_link(const struct world *world) {
  world_remove(world, "plugins/fake_ok.so");
  put_it_back(world);
}

/* What counts is where a link leads. */
static void link_leads_to_unsafe_file(void **state) {
  struct world *world = *state;
  char target[256], link[256];
  world_install(world, "fake_ok", "open_to_all");
  world_chmod(world, "plugins/open_to_all.so", 0666);
  world_path(world, "plugins/open_to_all.so", target);
  world_path(world, "plugins/fake_ok.so", link);
  assert_int_equal(symlink(target, link), 0);
  check(world, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_UNSAFE, unsafe_file,
                                 "let it belong to root with mode 0644", replace_link});
}

static void link_to_safe_file_is_fine(void **state) {
  struct world *world = *state;
  char link[256];
  world_install(world, "fake_ok", "elsewhere");
  world_path(world, "plugins/fake_ok.so", link);
  assert_int_equal(symlink("elsewhere.so", link), 0);
  dictum_table *table = world_open(world, "fake_ok:x", 0);
  assert_answer(table, "yes");
  dictum_close(table);
}

static void replace_folder(const struct world *world) {
  world_remove(world, "plugins/fake_ok.so");
  put_it_back(world);
}

static void folder_stands_for_file(void **state) {
  struct world *world = *state;
  char path[256];
  world_path(world, "plugins/fake_ok.so", path);
  assert_int_equal(mkdir(path, 0755), 0);
  check(world, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_UNSAFE, "not a regular file",
                                 "put the plugin there", replace_folder});
}

static void close_folders(const struct world *world) {
  world_chmod(world, "plugins", 0755);
  world_chmod(world, "", 0755);
}

static void refuses_folder(struct world *world, const char *folder, unsigned mode) {
  put_it_back(world);
  world_install(world, "fake_count", "fake_count");
  dictum_close(world_open(world, "count_parallel:x", 0)); /* loaded before the folder opens */
  world_chmod(world, folder, mode);
  check(world, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_UNSAFE, unsafe_folder,
                                 "close that folder to others", close_folders});
}

static void folder_is_writable_by_all(void **state) {
  refuses_folder(*state, "plugins", 0777);
}

static void folder_is_writable_by_group(void **state) {
  refuses_folder(*state, "plugins", 0775);
}

static void folder_above_is_writable_by_all(void **state) {
  refuses_folder(*state, "", 0757);
}

static void sticky_folder_is_fine(void **state) {
  struct world *world = *state;
  put_it_back(world);
  world_chmod(world, "plugins", 01777);
  dictum_table *table = world_open(world, "fake_ok:x", 0);
  assert_answer(table, "yes");
  dictum_close(table);
}

enum { nobody = 65534 };

static void give_back(const struct world *world) {
  static const char *const names[] = {"plugins/fake_ok.so", "plugins"};
  for (size_t i = 0; i < 2; i++) {
    char path[256];
    world_path(world, names[i], path);
    assert_int_equal(chown(path, 0, 0), 0);
  }
}

/* Of another user, who may change it at will, whatever its mode. Only root can give away. */
static void belongs_to_another(struct world *world, const char *name, const char *reason,
                               const char *cure) {
  char path[256];
  if (geteuid() != 0)
    skip();
  put_it_back(world);
  world_install(world, "fake_count", "fake_count");
  dictum_close(world_open(world, "count_parallel:x", 0));
  world_path(world, name, path);
  assert_int_equal(chown(path, nobody, nobody), 0);
  check(world, &(struct trouble){"fake_ok:x", DICTUM_CODE_PLUGIN_UNSAFE, reason, cure, give_back});
}

static void file_belongs_to_another(void **state) {
  belongs_to_another(*state, "plugins/fake_ok.so", unsafe_file,
                     "let it belong to root with mode 0644");
}

static void folder_belongs_to_another(void **state) {
  belongs_to_another(*state, "plugins", unsafe_folder, "close that folder to others");
}

/* ---- what is not degraded -------------------------------------------------------------------- */

static void mistakes_of_the_caller_are_not_degraded(void **state) {
  struct world *world = *state;
  dictum_table *table = (dictum_table *)1;
  assert_int_equal(dictum_open(world->ctx, "nonsense", DICTUM_OPEN_DEGRADE, &table, NULL),
                   DICTUM_INVALID);
  assert_null(table);
  assert_int_equal(
      dictum_open(world->ctx, "static:x", DICTUM_OPEN_DEGRADE | DICTUM_OPEN_WRITE, &table, NULL),
      DICTUM_UNSUPPORTED);
  assert_null(table);
  assert_events(world, 0, 0);
}

static void loading_by_path_is_as_careful(void **state) {
  struct world *world = *state;
  char path[256];
  dictum_error err = DICTUM_ERROR_INIT;
  world_path(world, "plugins/fake_ok.so", path);
  assert_int_equal(dictum_load_plugin(world->ctx, path, &err), DICTUM_CONFIG);
  assert_int_equal(err.code, DICTUM_CODE_PLUGIN_MISSING);
  put_it_back(world);
  world_chmod(world, "plugins/fake_ok.so", 0666);
  assert_int_equal(dictum_load_plugin(world->ctx, path, &err), DICTUM_CONFIG);
  assert_int_equal(err.code, DICTUM_CODE_PLUGIN_UNSAFE);
  assert_int_equal(dictum_load_plugin(world->ctx, "plugins/fake_ok.so", &err), DICTUM_CONFIG);
  assert_int_equal(err.code, DICTUM_CODE_PLUGIN_UNSAFE);
  close_file(world);
  assert_int_equal(dictum_load_plugin(world->ctx, path, &err), DICTUM_OK);
  dictum_close(world_open(world, "fake_ok:x", 0));
}

/* The listing of types goes on, and tells of each refused plugin why. */
struct listing {
  unsigned usable, refused;
  bool explained;
};

static int list_one(void *rock, const dictum_type_info *type) {
  struct listing *listing = rock;
  if (strcmp(type->name, "fake_ok") == 0) {
    listing->refused += type->status == DICTUM_CONFIG;
    listing->explained = type->reason && strstr(type->reason, "undefined symbol");
  }
  if (strncmp(type->name, "count_", 6) == 0 || strcmp(type->name, "static") == 0)
    listing->usable += type->status == DICTUM_OK;
  return 0;
}

static void listing_tells_why(void **state) {
  struct world *world = *state;
  struct listing listing = {0};
  world_install(world, "fake_count", "fake_count");
  world_install(world, "fake_undefined_symbol", "fake_ok");
  assert_int_equal(dictum_types(world->ctx, list_one, &listing, NULL), DICTUM_OK);
  assert_int_equal(listing.usable, 6);
  assert_int_equal(listing.refused, 1);
  assert_true(listing.explained);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_WORLD(file_is_missing),
      IN_WORLD(dependency_is_missing),
      IN_WORLD(file_is_no_library),
      IN_WORLD(file_is_empty),
      IN_WORLD(symbol_is_undefined),
      IN_WORLD(library_is_no_plugin),
      IN_WORLD(abi_is_another),
      IN_WORLD(descriptor_is_malformed),
      IN_WORLD(plugin_lacks_the_type),
      IN_WORLD(type_is_not_listed),
      IN_WORLD(file_is_writable_by_group),
      IN_WORLD(file_is_writable_by_all),
      IN_WORLD(link_leads_to_unsafe_file),
      IN_WORLD(link_to_safe_file_is_fine),
      IN_WORLD(folder_stands_for_file),
      IN_WORLD(folder_is_writable_by_all),
      IN_WORLD(folder_is_writable_by_group),
      IN_WORLD(folder_above_is_writable_by_all),
      IN_WORLD(sticky_folder_is_fine),
      IN_WORLD(file_belongs_to_another),
      IN_WORLD(folder_belongs_to_another),
      IN_WORLD(mistakes_of_the_caller_are_not_degraded),
      IN_WORLD(loading_by_path_is_as_careful),
      IN_WORLD(listing_tells_why),
  };
  return cmocka_run_group_tests_name("degrade", tests, NULL, NULL);
}
