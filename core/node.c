/* SPDX-License-Identifier: BSD-2-Clause */
/* node.c - opens whatever a spec names: a combinator, or a table of a type. */
#include "node.h"

#include <stdlib.h>

#include "adapt.h"
#include "combine.h"
#include "error.h"
#include "spec.h"

static dictum_status check_size(struct node_opening *opening, dictum_error *err) {
  if (opening->depth > node_deepest)
    return error_set(err, DICTUM_INVALID, 0, "tables are nested more than %d deep", node_deepest);
  if (++opening->count > node_most)
    return error_set(err, DICTUM_INVALID, 0, "more than %d tables in one", node_most);
  return DICTUM_OK;
}

dictum_status node_open(struct node_opening *opening, const char *spec, uint32_t flags,
                        struct node **out, dictum_error *err) {
  *out = NULL;
  char *type, *name;
  dictum_status status = check_size(opening, err);
  if (status == DICTUM_OK)
    status = spec_split(spec, &type, &name, err);
  if (status != DICTUM_OK)
    return status;
  const struct combinator_kind *kind = combinator_find(type);
  if (kind)
    status = combinator_open(opening, kind, spec, name, flags, out, err);
  else
    status = adapt_open(opening->ctx, type, name, spec, flags, out, err);
  free(type);
  free(name);
  return status;
}

void node_close(struct node *node) {
  if (node)
    node->ops->close(node);
}
