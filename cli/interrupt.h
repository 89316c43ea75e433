/* SPDX-License-Identifier: BSD-2-Clause */
/* interrupt.h - ending tidily when a signal asks for it. */
#ifndef DICTUM_CLI_INTERRUPT_H
#define DICTUM_CLI_INTERRUPT_H

#include <stdbool.h>

/** From now on SIGINT, SIGTERM and SIGHUP end the input from @p fd, if it is one and not -1, and
 * are remembered, unless they were ignored. One watch at a time. */
void interrupt_watch(int fd);
/** True once a signal came. */
bool interrupt_came(void);
/** Ends the watch; the signal that came, if any, now takes its usual effect. */
void interrupt_finish(void);

#endif
