/* SPDX-License-Identifier: BSD-2-Clause */
/* spec.c - the name of a table, "type:name". */
#include "spec.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"

dictum_status spec_split(const char *spec, char **type, char **name, dictum_error *err) {
  *type = *name = NULL;
  const char *colon = strchr(spec, ':');
  if (!colon || colon == spec || colon[1] == '\0')
    return error_set(err, DICTUM_INVALID, 0,
                     "open dictionary: expecting \"type:name\" form instead of \"%s\"", spec);
  *type = strndup(spec, (size_t)(colon - spec));
  *name = strdup(colon + 1);
  if (*type && *name)
    return DICTUM_OK;
  free(*type);
  free(*name);
  *type = *name = NULL;
  return error_nomem(err);
}
