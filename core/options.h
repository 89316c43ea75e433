/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - the settings of one table: declared by its type, given by the host, checked here. */
#ifndef DICTUM_CORE_OPTIONS_H
#define DICTUM_CORE_OPTIONS_H

#include "ctx.h"
#include "include/dictum_plugin.h"

/** Resolves every option that @p type declares.
 * @param name  of the table, which says where a type with DICTUM_CAP_SETTINGS has its settings
 * @param out   to be released with options_free()
 * @return OK; CONFIG for a settings file that cannot be read, or a text that is not of the declared
 *   kind or out of range; NOMEM. */
dictum_status options_resolve(const dictum_ctx *ctx, const dictum_type *type, const char *name,
                              dictum_cfg **out, dictum_error *err);
/** Resolves options that are given as text, each "name=value" without white space around '='.
 * @param label  what messages begin with, such as "cache: "
 * @return OK; CONFIG also for a name that is not among @p opts; NOMEM. */
dictum_status options_parse(const dictum_opt *opts, size_t nopts, const char *label,
                            char *const *given, size_t ngiven, dictum_cfg **out, dictum_error *err);
void options_free(dictum_cfg *cfg);

/** As dictum_host.opt_str and opt_int: "" and 0 for a name that was not declared. */
const char *options_str(const dictum_cfg *cfg, const char *name);
int64_t options_int(const dictum_cfg *cfg, const char *name);

/** The name of a kind as dictum_opt_info gives it. */
const char *option_kind_name(dictum_opt_kind kind);

#endif
