/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - one opened table, as the public calls see it. */
#ifndef DICTUM_CORE_TABLE_H
#define DICTUM_CORE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include "ctx.h"
#include "node.h"

struct dictum_table {
  dictum_ctx *ctx;
  struct node *node;
  char *spec, *type, *name;
  uint32_t flags; /**< DICTUM_OPEN_* */
  atomic_uint timeout_ms;
};

/** What a plugin is told about a call that begins now. */
dictum_call table_call(const dictum_table *table);

/** dictum_lookup() and dictum_lookup_many() with the deadline of another call. */
dictum_status table_lookup(dictum_table *table, const dictum_call *call, const char *key,
                           size_t keylen, dictum_buf *value, uint32_t *flags, dictum_error *err);
dictum_status table_lookup_many(dictum_table *table, const dictum_call *call, dictum_req *reqs,
                                size_t n, dictum_buf *arena, dictum_error *err);

/** Fills err->where, and err->status with what the public call answers. */
dictum_status table_failed(const dictum_table *table, dictum_status status, dictum_error *err);

/** Room for one folded key: in place for the usual ones, so that a lookup allocates nothing. */
struct key_scratch {
  char small[256];
  dictum_buf large; /**< starts as {0}; to be released with dictum_buf_free() */
};

/** Checks @p key as the flags of a table say, and folds it if @p fold and these do.
 * @param out  points into @p key or, when folding changed it, into @p scratch
 * @return OK; INVALID for a key that is not UTF-8 though it must be; NOMEM. */
dictum_status key_prepare(uint32_t flags, bool fold, const char *key, size_t len,
                          struct key_scratch *scratch, dictum_key *out, dictum_error *err);

/** The same for @p table: keys are folded when it is not one of patterns.
 * @param out  points into @p key or, when folding changed it, into @p scratch
 * @return OK; INVALID for a key that is not UTF-8 though it must be; NOMEM. */
dictum_status table_key(const dictum_table *table, const char *key, size_t len,
                        struct key_scratch *scratch, dictum_key *out, dictum_error *err);

#endif
