/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolve.h - the addresses of a name, before a deadline.
 *
 * The C library's resolver cannot be told when to stop. So it is asked aside
 * (aside.h), and clients' libraries are given addresses.
 */
#ifndef DICTUM_PLUGINS_RESOLVE_H
#define DICTUM_PLUGINS_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

enum { most_addresses = 8, address_size = 64 };

struct addresses {
  unsigned n; /**< at least 1 */
  char text[most_addresses][address_size];
};

/** Finds the addresses of @p name. Those of a number need no thread.
 * @param deadline   on CLOCK_MONOTONIC; 0: none
 * @param sys_errno  receives what goes with the reason, or 0
 * @return NULL; or why there are none, in words that live for ever: it may be better later. */
const char *resolve(const char *name, int64_t deadline, struct addresses *out, int *sys_errno);

#endif
