/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - an open table, and one call that asks it. */
#ifndef DICTUM_MONGODB_TABLE_H
#define DICTUM_MONGODB_TABLE_H

#include "asking.h"
#include "domains.h"
#include "filter.h"
#include "link.h"
#include "turns.h"

enum { links_most = 32 };

/** Unchanging once it is open, but for the links. */
struct table {
  const dictum_host *host;
  dictum_slot *slot;
  char *label; /**< "mongodb:/etc/mail/users.cf" */
  struct filter *filter;
  bson_t *options; /**< of each question: what of a document is wanted */
  struct template result;
  struct domains *domains;  /**< or NULL */
  uint64_t expansion_limit; /**< 0: none */
  struct server server;
  struct turns turns; /**< of the links */
  struct link links[links_most];
};

/** One call. */
struct inquiry {
  struct table *table;
  struct asking asking;
  struct text value; /**< what is being put together */
};

/** Asks the server for the keys whose places are in @p open.
 * @return OK when each has its answer; else why the rest has none. */
dictum_status mongo_ask_server(struct inquiry *inquiry, const size_t *open, size_t n);

#endif
