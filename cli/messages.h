/* SPDX-License-Identifier: BSD-2-Clause */
/* messages.h - "PROG: warning: TEXT" on standard error, and the library's events among it. */
#ifndef DICTUM_CLI_MESSAGES_H
#define DICTUM_CLI_MESSAGES_H

#include <dictum.h>
#include <stdbool.h>

/** Sets the name that stands before each message; the text must stay. */
void messages_program(const char *name);
/** Keeps UTF-8 text readable; else each byte above 127 becomes '?' too. */
void messages_utf8(bool utf8);
/** Prints information events, and those for debugging, as well. */
void messages_verbose(bool verbose);
/** True once there was a message of the level "fatal". */
bool messages_had_fatal(void);

/** @p level is "warning", "fatal" ... or NULL for information. Unprintable bytes become '?'. */
void message(const char *level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** For dictum_ctx_opts.event. */
void messages_event(void *rock, const dictum_event *event);
/** From now on keep back events about lines, as those about duplicates come late. */
void messages_hold(void);
/** Print what was kept back, by line, and keep back no more. */
void messages_release(void);

#endif
