/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - an open table, and one call that asks it. */
#ifndef DICTUM_MYSQL_TABLE_H
#define DICTUM_MYSQL_TABLE_H

#include "asking.h"
#include "domains.h"
#include "hostpool.h"
#include "server.h"
#include "statement.h"

/** Unchanging once it is open. */
struct table {
  const dictum_host *host;
  dictum_slot *slot;
  char *label; /**< "mysql:/etc/mail/users.cf" */
  struct template query, result;
  struct statement *statement;
  struct domains *domains; /**< or NULL */
  struct server server;
  struct hostpool *pool;
  uint64_t expansion_limit; /**< 0: none */
  bool wants_rows;          /**< a query without a result set is a mistake */
};

/** One call. */
struct inquiry {
  struct table *table;
  struct asking asking;
  struct text sql, value; /**< what is being put together */
};

/** Answers key @p i by the rows of @p result. */
void maria_answer_rows(struct inquiry *inquiry, size_t i, MYSQL_RES *result);
/** Asks the server for the keys whose places are in @p open.
 * @return OK when each has its answer; else why the rest has none. */
dictum_status maria_ask_server(struct inquiry *inquiry, const size_t *open, size_t n);

#endif
