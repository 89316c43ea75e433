/* SPDX-License-Identifier: BSD-2-Clause */
/* reply.h - where a reply of Redis ends, and what its errors mean. */
#ifndef DICTUM_PLUGINS_REDIS_REPLY_H
#define DICTUM_PLUGINS_REDIS_REPLY_H

#include <dictum_plugin.h>
#include "dialogue.h"

/** Does @p data begin with a whole reply? hiredis takes it apart afterwards; that it has an end,
 * and counts no more parts than were sent, is seen here, since hiredis reserves memory for what a
 * server only announces. @p most bounds its length. */
enum frame redis_reply_frame(const char *data, size_t len, size_t most, size_t *size,
                             const char **why);

/** The status of an error reply, by its first word. What is not known is RETRY. */
dictum_status redis_error_status(const char *text, size_t len);
/** Is it a matter of the key that was asked for, alone? */
bool redis_error_is_of_key(const char *text, size_t len);

#endif
