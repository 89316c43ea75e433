/* SPDX-License-Identifier: BSD-2-Clause */
/* connect.h - one connection to one host, made before a deadline, and waiting for what it says. */
#ifndef DICTUM_MYSQL_CONNECT_H
#define DICTUM_MYSQL_CONNECT_H

#include <mysql.h>

#include "server.h"

/** Starts the library, once. A table does so when it is opened, and not when it is asked: a process
 * that forks meanwhile, beside threads that ask, would have half of it in the child. */
void maria_connect_prepare(void);

/** Connects. Each address of the host gets its part of the time.
 * @return OK; RETRY "connect to mysql server NAME: ..."; CONFIG, also for a file that cannot be
 *   read; NOMEM. */
dictum_status maria_connect_to(const dictum_host *services, const struct server *server,
                               const struct server_host *host, int64_t deadline, MYSQL **out,
                               dictum_error *err);
/** Says good-bye if the connection is @p sound, and releases it. NULL is fine. */
void maria_connect_end(MYSQL *my, bool sound);

/** Waits for what a function of the library that ends in _start or _cont has returned. After the
 * deadline the socket is shut down: then the library comes to an end by itself, and so releases
 * what it holds.
 * @param late  becomes true after the deadline
 * @return the events that the function in _cont is to be told */
int maria_connect_wait(MYSQL *my, int events, int64_t deadline, bool *late);

#endif
