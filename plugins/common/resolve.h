/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.h - the addresses of a name, before a deadline.
 *
 * The C library's resolver cannot be told when to stop, and clients' libraries
 * call it in the middle of what is otherwise free of waiting. So a thread of its
 * own asks, and who waits for it may leave; the library is given addresses.
 */
#ifndef DICTUM_PLUGINS_RESOLVE_H
#define DICTUM_PLUGINS_RESOLVE_H

#include <dictum_plugin.h>

enum { most_addresses = 8, address_size = 64 };

struct addresses {
  unsigned n;
  char text[most_addresses][address_size];
};

/** Numeric addresses need no thread.
 * @return OK; RETRY, also when there is no such name; NOMEM. */
dictum_status resolve(const dictum_host *host, const char *name, int64_t deadline,
                      struct addresses *out, dictum_error *err);

#endif
