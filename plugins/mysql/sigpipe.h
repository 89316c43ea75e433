/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sigpipe.h - keeps SIGPIPE from the thread while a client's library writes, which may be to a
 * server that has gone. What the process does with the signal otherwise stays as it is.
 */
#ifndef DICTUM_MYSQL_SIGPIPE_H
#define DICTUM_MYSQL_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct sigpipe {
  sigset_t before;
  bool pending; /**< somebody else's */
};

/** From here to maria_sigpipe_restore() in the same thread, the signal does not reach it. */
void maria_sigpipe_block(struct sigpipe *saved);
/** Takes back what came meanwhile, and the mask as it was. */
void maria_sigpipe_restore(const struct sigpipe *saved);

#endif
