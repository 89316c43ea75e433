/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cidr_index.h - finds the networks that an address is in without trying each.
 *
 * Two networks are either one in the other or have no address in common. So the
 * borders of all networks cut the addresses into stretches, and each stretch
 * has one innermost network, which knows the next one around it: the path of a
 * trie, found with one binary search. Negated rules hold for nearly all
 * addresses and are always tried. What is tried is tried in the order of the
 * table; a table without IF and "!" needs no trial, as the stretch knows its answer.
 */
#ifndef DICTUM_CIDR_INDEX_H
#define DICTUM_CIDR_INDEX_H

#include "network.h"
#include "rules.h"

struct cidr_index;

/** Makes the index of a list whose rules are `struct rule`, and which must outlive it.
 * @return NULL when memory is out. */
struct cidr_index *cidr_index_new(const struct rules *rules);
/** NULL is fine. */
void cidr_index_free(struct cidr_index *index);

/** The same answer as rules_find(). Any thread. */
dictum_status cidr_index_find(const struct cidr_index *index, const struct rules *rules,
                              rules_match *match, struct address *address, const void **rule);

#endif
