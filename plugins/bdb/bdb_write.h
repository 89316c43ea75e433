/* SPDX-License-Identifier: BSD-2-Clause */
/* bdb_write.h - writes a whole new Berkeley DB file without the library. */
#ifndef DICTUM_PLUGINS_BDB_WRITE_H
#define DICTUM_PLUGINS_BDB_WRITE_H

#include <dictum_plugin.h>
#include <stdbool.h>

/** How large a hash becomes. */
struct bdb_hash_size {
  uint32_t buckets; /**< a power of two */
  uint32_t each;    /**< how many records in a bucket are enough to make another one */
};
struct bdb_hash_size bdb_hash_size(uint64_t nrecs, uint64_t nbytes);

/** Fills an empty file with @p bulk, each key and value with a NUL byte behind it if @p nul.
 * @param error  receives an error of the system, or 0
 * @return OK; what @p bulk answered. */
dictum_status bdb_write_hash(int fd, bool nul, dictum_bulk *bulk, int *error, dictum_error *err);
dictum_status bdb_write_btree(int fd, bool nul, dictum_bulk *bulk, int *error, dictum_error *err);

#endif
