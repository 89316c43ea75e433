/* SPDX-License-Identifier: BSD-2-Clause */
/* slot.h - one table as the host services see it; what hides behind dictum_slot. */
#ifndef DICTUM_CORE_SLOT_H
#define DICTUM_CORE_SLOT_H

#include <stdatomic.h>
#include "include/dictum_plugin.h"

/** That a table's capabilities are its own: no DICTUM_CAP_* has this bit. */
#define SLOT_CAPS_NOTED 0x80000000u

struct dictum_slot {
  dictum_ctx *ctx;
  const char *spec;     /**< "type:name"; lives as long as the table */
  uint32_t flags;       /**< DICTUM_OPEN_* */
  _Atomic(char *) file; /**< as noted by the first open() that succeeds, or NULL */
  atomic_uint caps;     /**< as noted by open(), with SLOT_CAPS_NOTED; 0: those of the type */
};

static inline dictum_ctx *slot_ctx(const dictum_slot *slot) {
  return slot->ctx;
}

#endif
