/* SPDX-License-Identifier: BSD-2-Clause */
/* status.h - what an answer of libmemcached's means for a table. */
#ifndef DICTUM_PLUGINS_MEMCACHE_STATUS_H
#define DICTUM_PLUGINS_MEMCACHE_STATUS_H

#include <dictum_plugin.h>
#include <libmemcached/memcached.h>
#include <stdbool.h>

/** Maps a return code, also one that this library does not have yet; memcache_table(5) has the
 * table and its reasons. (memcached_return_t of libmemcached-1.0/types/return.h)
 * @return OK: found, or done; NOTFOUND; RETRY; CONFIG; INVALID. Any thread. */
dictum_status memcache_status(memcached_return_t code);

/** Did the server answer, but in a way that makes no sense here? Any thread. */
bool memcache_is_odd_reply(memcached_return_t code);

#endif
