/* SPDX-License-Identifier: BSD-2-Clause */
/* adapt.h - a table type as a node. */
#ifndef DICTUM_CORE_ADAPT_H
#define DICTUM_CORE_ADAPT_H

#include "ctx.h"
#include "node.h"

/** Opens the leaf @p type : @p name.
 * @param spec   "type:name" for messages
 * @param flags  DICTUM_OPEN_*; with DEGRADE a table that cannot be opened yet is OK
 * @return as dictum_open() */
dictum_status adapt_open(dictum_ctx *ctx, const char *type, const char *name, const char *spec,
                         uint32_t flags, struct node **out, dictum_error *err);

#endif
