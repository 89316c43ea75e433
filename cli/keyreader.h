/* SPDX-License-Identifier: BSD-2-Clause */
/* keyreader.h - keys from a file descriptor, as many at a time as have arrived. */
#ifndef DICTUM_CLI_KEYREADER_H
#define DICTUM_CLI_KEYREADER_H

#include <dictum.h>
#include <stdbool.h>

struct keyreader;

/** Reads keys that end in @p separator ('\n' or '\0'); the last may lack it.
 * @return NULL when memory is out. */
struct keyreader *keyreader_open(int fd, char separator);
/** NULL is fine. */
void keyreader_close(struct keyreader *reader);

/** Sets key and keylen of up to @p max requests; waits only while there is no key at all.
 * Keys live until the next call.
 * @param n  0 at the end of the input
 * @return OK; CONFIG when reading fails, or a key is longer than 256 MiB; NOMEM. */
dictum_status keyreader_next(struct keyreader *reader, dictum_req *reqs, size_t max, size_t *n,
                             dictum_error *err);
/** False when the next keyreader_next() may have to wait: time to flush what was answered. */
bool keyreader_ready(struct keyreader *reader);

#endif
