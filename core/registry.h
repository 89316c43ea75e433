/* SPDX-License-Identifier: BSD-2-Clause */
/* registry.h - which plugin file holds which type: dynamicmaps.cf and dynamicmaps.cf.d/. */
#ifndef DICTUM_CORE_REGISTRY_H
#define DICTUM_CORE_REGISTRY_H

#include "event.h"
#include "include/dictum.h"

/** The registries of one context, in order. */
struct registry_set;

/** Copies @p registries; reads nothing. NULL when memory is out. */
struct registry_set *registry_set_new(const dictum_registry *registries, size_t n);
void registry_set_free(struct registry_set *set);

/** Reads all files afresh. Doubtful files and lines are events.
 * @return OK; CONFIG with code REGISTRY; NOMEM. */
dictum_status registry_read(struct registry_set *set, const struct event_sink *events,
                            dictum_error *err);
/** Finds the plugin file of a type; reads the files when not yet read, and once more when the
 * type is not among them, since a package may have been installed meanwhile.
 * @param path  lives until the registries are read again
 * @param flags  receives the DICTUM_REGISTRY_* of the registry that lists it
 * @return OK; NOTFOUND; CONFIG with code REGISTRY; NOMEM. */
dictum_status registry_find(struct registry_set *set, const struct event_sink *events,
                            const char *type, const char **path, uint32_t *flags,
                            dictum_error *err);
/** Gives one listed type after another, of registries that list plugins of ours.
 * @param cursor  starts as 0
 * @return NULL after the last. */
const char *registry_next_type(const struct registry_set *set, size_t *cursor);

#endif
