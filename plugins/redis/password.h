/* SPDX-License-Identifier: BSD-2-Clause */
/* password.h - a password that lies in a file of its own. */
#ifndef DICTUM_PLUGINS_REDIS_PASSWORD_H
#define DICTUM_PLUGINS_REDIS_PASSWORD_H

#include <dictum_plugin.h>
#include "stream.h"

/** Finds the file: a name without a slash lies in $CREDENTIALS_DIRECTORY, where systemd.exec(5)
 * puts credentials. Tells by an event when others than its owner and group may use it.
 * @param out  receives the path, or NULL for an empty name; to be freed
 * @return OK; CONFIG without such a folder; NOMEM. */
dictum_status redis_password_locate(const dictum_host *host, const dictum_open_args *args,
                                    const char *name, char **out, dictum_error *err);
/** Reads the first line. False, and a fault: DENIED, NOMEM. */
bool redis_password_read(const char *path, struct text *out, struct fault *fault);
/** Overwrites and releases. */
void redis_password_free(struct text *password);

#endif
