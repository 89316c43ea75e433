/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard.h - reads a server's messages before libmongoc does, which trusts their lengths: it reads
 * outside of one that is too short for what it says of itself.
 *
 * What gets through is one document, whole and no deeper than MongoDB has them.
 */
#ifndef DICTUM_MONGODB_GUARD_H
#define DICTUM_MONGODB_GUARD_H

#include <mongoc/mongoc.h>
#include <stdbool.h>

/** Puts a stream before @p lower, which it takes over.
 * @param garbled  becomes true when a message is refused */
mongoc_stream_t *mongo_guard_new(mongoc_stream_t *lower, bool *garbled);

/** Is a message of @p len bytes, with its header, as it has to be? */
bool mongo_guard_is_sound(const uint8_t *message, size_t len);

#endif
