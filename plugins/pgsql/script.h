/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * script.h - some keys, asked over one connection in one go.
 *
 * In pipeline mode all questions are sent before the first answer is awaited.
 * JOINED: one statement for all keys, when the query compares for equality with
 * what the server takes for text, which a PROBE asks it first. Or TOGETHER: the statement is
 * prepared once, without a name, bound to each key, and one sync ends it all; one error undoes all,
 * as it is one transaction. Or APART: each key with a sync of its own, so that an error is that
 * key's. Everything that a transaction needs is sent with it, which is what a pooler that hands out
 * a server for each transaction asks for; so it is with the time limit, which is set for the
 * transaction only.
 *
 * Several statements in one text need the simple protocol, one key at a time.
 */
#ifndef DICTUM_PGSQL_SCRIPT_H
#define DICTUM_PGSQL_SCRIPT_H

#include "table.h"

enum script_outcome {
  SCRIPT_DONE,      /**< each key has its answer */
  SCRIPT_AGAIN,     /**< an error, and some keys have none: to be asked another way */
  SCRIPT_LOST,      /**< the connection is gone */
  SCRIPT_TIMED_OUT, /**< the server is silent */
  SCRIPT_FAILED     /**< no key has an answer; the connection may be in any state */
};

enum script_way { WAY_APART, WAY_TOGETHER, WAY_PROBE, WAY_JOINED };

struct script {
  struct inquiry *inquiry;
  struct hostpool_conn *conn;
  const size_t *open; /**< places of the keys */
  size_t n;
  enum script_way way;
  bool spelled;
  bool is_syntax;       /**< some error was about the statement, not the key */
  bool wants_host;      /**< some error said that another host would be better */
  dictum_status status; /**< FAILED: of all keys */
  char why[400];        /**< LOST: the server's or libpq's last words; FAILED: the text */
};

/** Asks, and answers keys through `inquiry`. */
enum script_outcome script_run(struct script *script);
/** The same by the simple protocol. */
enum script_outcome script_run_simple(struct script *script);

#endif
