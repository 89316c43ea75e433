/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - an open table, and one call that asks it. */
#ifndef DICTUM_PGSQL_TABLE_H
#define DICTUM_PGSQL_TABLE_H

#include <stdatomic.h>

#include "domains.h"
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

/** One call: its keys, and where their answers go. */
struct asking {
  struct table *table;
  const dictum_call *call;
  const dictum_key *keys;
  size_t n;
  dictum_sink *sink;
  bool batch;
  dictum_error *err;
  dictum_status only;  /**< of the one key, without a batch */
  bool told;           /**< `err` has the text of the first failure */
  size_t nfailed;      /**< keys that the server failed to answer, other than for what they are */
  dictum_status worst; /**< the status of the last of these */
  struct text value;   /**< the answer being put together */
};

/** Answers key @p i. @p value counts only with OK. */
void asking_answer(struct asking *asking, size_t i, dictum_status status, const char *value,
                   size_t len);
/** Answers key @p i with a failure, whose text is kept if it is the first. @p this_key: others may
 * well be answered. */
void asking_fail(struct asking *asking, size_t i, bool this_key, dictum_status status,
                 const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 5, 6)))
#endif
    ;

/** Answers key @p i by rows [from, to) of @p result, but for columns before @p column. */
void answer_rows(struct asking *asking, size_t i, const PGresult *result, int from, int to,
                 int column);
/** Asks the server for the keys whose places are in @p open.
 * @return OK when each has its answer; else why the rest has none. */
dictum_status ask_server(struct asking *asking, const size_t *open, size_t n);

#endif
