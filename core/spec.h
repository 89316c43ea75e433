/* SPDX-License-Identifier: BSD-2-Clause */
/* spec.h - the name of a table, "type:name". */
#ifndef DICTUM_CORE_SPEC_H
#define DICTUM_CORE_SPEC_H

#include "include/dictum.h"

/** Splits at the first colon into two new strings, to be released with free().
 * @return OK; INVALID when a part is missing or the type has odd characters; NOMEM. */
dictum_status spec_split(const char *spec, char **type, char **name, dictum_error *err);

#endif
