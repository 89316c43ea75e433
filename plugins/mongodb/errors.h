/* SPDX-License-Identifier: BSD-2-Clause */
/* errors.h - what an error of the server or of its library means. mongodb_table(5) has the table.
 */
#ifndef DICTUM_MONGODB_ERRORS_H
#define DICTUM_MONGODB_ERRORS_H

#include <dictum_plugin.h>
#include <mongoc/mongoc.h>
#include <stdbool.h>

/** What came of a call of the library's, of version 2 of its errors.
 * @return RETRY; INVALID for a key that the question cannot hold; CONFIG: all else */
dictum_status mongo_error_status(const bson_error_t *error);
/** May the connection still be of use? */
bool mongo_error_leaves_link(const bson_error_t *error);

#endif
