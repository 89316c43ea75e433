/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - an open table, and one call that asks it. */
#ifndef DICTUM_PGSQL_TABLE_H
#define DICTUM_PGSQL_TABLE_H

#include <stdatomic.h>

#include "asking.h"
#include "pool.h"
#include "statement.h"

/** Unchanging once it is open, but for `spell`. */
struct table {
  const dictum_host *host;
  dictum_slot *slot;
  char *label; /**< "pgsql:/etc/mail/users.cf" */
  struct template query, result;
  struct statement *statement;
  struct domains *domains; /**< or NULL */
  struct pool *pool;
  uint64_t expansion_limit; /**< 0: none */
  bool limits_statements;   /**< tells the server when to stop */
  atomic_bool spell;        /**< the server does not take parameters in this statement */
};

/** One call. */
struct inquiry {
  struct table *table;
  struct asking asking;
  size_t nfailed;        /**< keys that the server failed to answer, other than for what they are */
  dictum_status failure; /**< the status of the last of these */
  struct text value;     /**< the answer being put together */
};

/** Answers key @p i by rows [from, to) of @p result, but for columns before @p column. */
void answer_rows(struct inquiry *inquiry, size_t i, const PGresult *result, int from, int to,
                 int column);
/** Asks the server for the keys whose places are in @p open.
 * @return OK when each has its answer; else why the rest has none. */
dictum_status ask_server(struct inquiry *inquiry, const size_t *open, size_t n);

#endif
