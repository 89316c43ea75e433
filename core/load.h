/* SPDX-License-Identifier: BSD-2-Clause */
/* load.h - plugin files: checked, opened through libltdl, and never unloaded. */
#ifndef DICTUM_CORE_LOAD_H
#define DICTUM_CORE_LOAD_H

#include "include/dictum_plugin.h"

/** Opens the module at the absolute @p path.
 * @param type  the type it is wanted for, for messages; NULL when it is not for a type
 * @param out   its descriptor, good for the rest of the process
 * @return OK; CONFIG with a PLUGIN_* code: file, the loader's reason and the cure; NOMEM. */
dictum_status load_module(const char *path, const char *type, const dictum_plugin **out,
                          dictum_error *err);

/** Says why a file that Postfix's registry lists cannot serve here: what is wrong with it, in
 * Postfix's order, or else that it is Postfix's own. The file is not opened.
 * @return CONFIG with a PLUGIN_* code; NOMEM. */
dictum_status load_refuse_postfix(const char *path, const char *type, dictum_error *err);

/** Calls @p each for every module that the program carries inside itself (-dlpreopen). */
void load_preopened(void (*each)(void *rock, const dictum_plugin *plugin), void *rock);

#endif
