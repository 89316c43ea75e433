/* SPDX-License-Identifier: BSD-2-Clause */
/* unique.h - finds equal keys among records in memory, which stay in the order of their coming. */
#ifndef DICTUM_CORE_UNIQUE_H
#define DICTUM_CORE_UNIQUE_H

#include "sort.h"

struct unique;

/** @param n  how many records there are, 2^31 at most; no more memory is taken than a sort of
 *           them would take
 * @return NULL when memory is out. */
struct unique *unique_new(size_t n);
void unique_free(struct unique *unique);

/** Takes the next of @p refs: each once, from the first on.
 * @param refs  of struct record; from @p i on, the lower half of `order` is a hash of the key
 * @return the first with the same key, which may be @p i. */
size_t unique_first(struct unique *unique, const struct sort_ref *refs, size_t i);

#endif
