/* SPDX-License-Identifier: BSD-2-Clause */
/* host.h - the services that a plugin is given, and where its answers go. */
#ifndef DICTUM_CORE_HOST_H
#define DICTUM_CORE_HOST_H

#include "include/dictum_plugin.h"

/** Where the answers of one call go: request i's value is appended to the arena. */
struct dictum_sink {
  dictum_req *reqs;
  size_t n;
  dictum_buf *arena;
  size_t current; /**< which request emit() answers */
};

/** What every plugin is given. Constant. */
extern const dictum_host host_services;

#endif
