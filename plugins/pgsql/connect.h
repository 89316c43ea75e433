/* SPDX-License-Identifier: BSD-2-Clause */
/* connect.h - one connection to one host, made before a deadline, and waiting for what it says. */
#ifndef DICTUM_PGSQL_CONNECT_H
#define DICTUM_PGSQL_CONNECT_H

#include "server.h"

/** Connects, and enters pipeline mode. Each address of the host gets its part of the time.
 * @return OK; RETRY "connect to pgsql server NAME: ..."; CONFIG, also for a file of a secret or of
 *   TLS that cannot be read; NOMEM. */
dictum_status connect_to(const dictum_host *services, const struct server *server,
                         const struct server_host *host, int64_t deadline, PGconn **out,
                         dictum_error *err);

/** Waits until the connection can be read, or written to if @p to_write.
 * @return the events of poll(2); 0 when the deadline has passed */
short connect_wait(PGconn *conn, bool to_write, int64_t deadline);

#endif
