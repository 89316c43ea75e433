/* SPDX-License-Identifier: BSD-2-Clause */
/* settings.h - what main.cf says, for all commands: values, defaults, and the context they make. */
#ifndef DICTUM_CLI_SETTINGS_H
#define DICTUM_CLI_SETTINGS_H

#include <dictum.h>
#include <stdbool.h>

/** All settings of one run. One thread at a time. */
struct settings;

/** Reads main.cf and checks every setting that reaches our tables.
 * @param config_dir  folder of main.cf; NULL: $MAIL_CONFIG, else the compiled default. A folder
 *                    that was named must hold a main.cf; the compiled default need not.
 * @param postfix     a Postfix command: what we do better than Postfix 3.12 is off by default
 * @param event       hears of doubtful lines; may be NULL
 * @return OK; CONFIG, also for a wrong DICTUM_BUILD_MEMORY in the environment; NOMEM. */
dictum_status settings_read(const char *config_dir, bool postfix,
                            void (*event)(void *rock, const dictum_event *event), void *rock,
                            struct settings **out, dictum_error *err);
/** NULL is fine. */
void settings_free(struct settings *settings);

/** False when there is no main.cf, so that all values are defaults. */
bool settings_have_file(const struct settings *settings);
/** Returns the evaluated text, which lives as long as @p settings; NULL when nothing defines
 * @p name or its text is wrong. A mistake is told to the event callback. */
const char *settings_get(struct settings *settings, const char *name);
/** Of a setting that settings_read() has checked to be yes or no; false when nothing defines it. */
bool settings_bool(struct settings *settings, const char *name);
/** The dynamicmaps.cf of Postfix: a path that lives as long as @p settings. */
const char *settings_postfix_registry(const struct settings *settings);

/** Reads "65536", "64K", "256M" or "2G". False for anything else, and for 0. */
bool settings_parse_size(const char *text, uint64_t *bytes);

/** Fills in where settings and plugins come from; @p settings must outlive the context.
 * The environment's DICTUM_PLUGIN_DIR, or that and DICTUM_DYNAMICMAPS, replace our own registry,
 * and its DICTUM_BUILD_MEMORY the memory that a build may take. */
void settings_context(struct settings *settings, dictum_ctx_opts *opts);

#endif
