/* SPDX-License-Identifier: BSD-2-Clause */
/* errors.h - what an error number of the server or of its library means. mysql_table(5) has the
 * table. */
#ifndef DICTUM_MYSQL_ERRORS_H
#define DICTUM_MYSQL_ERRORS_H

#include <dictum_plugin.h>
#include <stdbool.h>

/** @return RETRY; INVALID for a key that is no value of what is asked for; NOMEM; CONFIG: all else.
 */
dictum_status maria_error_status(unsigned number);
/** Has the connection ended with it? */
bool maria_error_is_end(unsigned number);
/** Is it a matter of the one server, so that another one may do better? */
bool maria_error_is_of_host(unsigned number);

#endif
