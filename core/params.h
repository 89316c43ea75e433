/* SPDX-License-Identifier: BSD-2-Clause */
/* params.h - settings as they stand in the file, and their expansion. */
#ifndef DICTUM_CORE_PARAMS_H
#define DICTUM_CORE_PARAMS_H

#include <stdbool.h>
#include "include/dictum.h"

/** One setting, not expanded. */
struct param {
  const char *name;
  size_t name_len;
  char *value;
  uint64_t line; /**< 0: a default */
};

/** Returns NULL when nothing defines it. */
const struct param *params_find(const dictum_params *params, const char *name, size_t len);

/** Appends @p text with all references expanded.
 * @return OK; CONFIG with code PARAM; NOMEM. */
dictum_status params_expand(const dictum_params *params, const char *text, size_t len,
                            dictum_buf *out, dictum_error *err);

#endif
