/* SPDX-License-Identifier: BSD-2-Clause */
/* secret.h - files that hold secrets: where they are, who may read them, what is in them. */
#ifndef DICTUM_PLUGINS_SECRET_H
#define DICTUM_PLUGINS_SECRET_H

#include "settings.h"

/** Finds the file that the setting @p option names: a name without a slash lies in
 * $CREDENTIALS_DIRECTORY, where systemd.exec(5) puts credentials.
 * @param out  receives the path, or NULL for an empty name; to be freed
 * @return OK; CONFIG without such a folder; NOMEM. */
dictum_status secret_locate(const struct settings *settings, const char *option, char **out);
/** Tells by one event when users other than the owner may read or change @p path, which the setting
 * @p option calls @p name. A group may have a credential of systemd's, which guards it otherwise.
 */
void secret_warn(const struct settings *settings, const char *option, const char *name,
                 const char *path);
/** Is @p path a plain file that nobody but its owner may touch? libpq wants that. */
bool secret_is_private(const char *path);
/** Reads the first line.
 * @return OK; CONFIG when it cannot be read, is empty or longer than 4096 bytes; NOMEM. */
dictum_status secret_read(const dictum_host *host, const char *option, const char *path,
                          struct text *out, dictum_error *err);
/** Overwrites and releases. */
void secret_free(struct text *secret);

#endif
