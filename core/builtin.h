/* SPDX-License-Identifier: BSD-2-Clause */
/* builtin.h - the table types that live inside the library. */
#ifndef DICTUM_CORE_BUILTIN_H
#define DICTUM_CORE_BUILTIN_H

#include "include/dictum_plugin.h"

extern const dictum_type static_type;   /**< one value for every key */
extern const dictum_type inline_type;   /**< entries in the name itself */
extern const dictum_type texthash_type; /**< a text file, read at open */
extern const dictum_type environ_type;  /**< the environment of the process */
extern const dictum_type fail_type;     /**< never an answer */
extern const dictum_type randmap_type;  /**< one of several values, by chance */
extern const dictum_type unix_type;     /**< users and groups of the system */
extern const dictum_type internal_type; /**< entries in memory, that can be changed */

#endif
