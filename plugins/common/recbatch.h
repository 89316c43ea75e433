/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recbatch.h - some records of a table, copied while it is locked and handed out when it is not.
 *
 * A walk fills a batch, drops the lock, hands the records out, and goes on
 * behind the last of them.
 */
#ifndef DICTUM_PLUGINS_RECBATCH_H
#define DICTUM_PLUGINS_RECBATCH_H

#include <dictum_plugin.h>
#include <stdbool.h>

struct recbatch;

/** NULL when memory is out. */
struct recbatch *recbatch_new(void);
void recbatch_free(struct recbatch *batch);

/** Copies a record. @return 0; ENOMEM. */
int recbatch_add(struct recbatch *batch, const dictum_key *key, const dictum_key *value);
/** True when enough has been copied for one turn. */
bool recbatch_is_full(const struct recbatch *batch);
/** The key that was added last, before recbatch_clear() too; its p is NULL when there is none. */
dictum_key recbatch_last(const struct recbatch *batch);

/** Hands out the next record, without the NUL bytes at its ends. It lives until recbatch_clear().
 * False: there are no more. */
bool recbatch_take(struct recbatch *batch, dictum_rec *rec);
/** Makes room for the next turn. @return 0; ENOMEM. */
int recbatch_clear(struct recbatch *batch);

#endif
