/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a context of a test's own: its folder of plugins and their registry,
 * a clock that moves when told to, and what the library reported.
 */
#ifndef DICTUM_TESTS_WORLD_H
#define DICTUM_TESTS_WORLD_H

#include <dictum.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "../unit/unit.h"

enum { retry_min_ms = 1000, retry_max_ms = 8000, longer_than_any_pause_ms = 10000 };

struct world {
  char dir[128]; /* holds dynamicmaps.cf and plugins/ */
  dictum_ctx *ctx;
  atomic_llong now_ns;
  atomic_uint downs, ups, others; /* events TABLE_DOWN, TABLE_UP, and of any other code */
  char down_table[256], down_text[2048];
};

/* For cmocka_unit_test_setup_teardown(). */
int world_set_up(void **state);
int world_tear_down(void **state);

/* Lets @p ms milliseconds pass. */
void world_pass(struct world *world, uint32_t ms);

/* "@p name" in the world's folder. */
void world_path(const struct world *world, const char *name, char path[256]);
/* Writes a file there, whole and at once. */
void world_write(const struct world *world, const char *name, const char *text);
/* Puts the built module @p module there as the plugin file @p name, in place of any that is there;
 * both without ".so". */
void world_install(const struct world *world, const char *module, const char *name);
/* Takes that file, or empty folder, away. */
void world_remove(const struct world *world, const char *name);
void world_chmod(const struct world *world, const char *name, unsigned mode);

dictum_table *world_open(struct world *world, const char *spec, uint32_t flags);
/* Asks for "key"; the value must be @p expected. */
void assert_answer(dictum_table *table, const char *expected);
/* Asks for "key"; the status must be @p expected. */
void assert_status(dictum_table *table, dictum_status expected);
/* How often tables went down and came back. */
void assert_events(const struct world *world, unsigned downs, unsigned ups);

/* Runs @p child in a child process, which must answer true. */
void assert_child(bool (*child)(void *rock), void *rock);

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)

#endif
