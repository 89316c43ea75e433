/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail.c - tables that never answer, for tests of what a program does then.
 *
 * Opening works, for reading and for writing; everything else is RETRY. Keys
 * are not folded, as there is nothing to find. Threads: any number.
 */
#include "builtin.h"

#include <stdint.h>

#include "error.h"

static dictum_status refuse(dictum_error *err) {
  return error_set(err, DICTUM_RETRY, 0, "tables of type fail never answer");
}

static dictum_status fail_open(const dictum_host *host, const dictum_open_args *args, void **self,
                               dictum_error *err) {
  static const char handle[] = "";
  (void)host;
  (void)args;
  (void)err;
  *self = (void *)(uintptr_t)handle;
  return DICTUM_OK;
}

static void fail_close(void *self) {
  (void)self;
}

static dictum_status fail_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                 dictum_sink *sink, dictum_error *err) {
  (void)self;
  (void)call;
  (void)key;
  (void)len;
  (void)sink;
  return refuse(err);
}

static dictum_status fail_iter_open(void *self, const dictum_call *call, void **iter,
                                    dictum_error *err) {
  (void)self;
  (void)call;
  (void)iter;
  return refuse(err);
}

static dictum_status fail_txn_begin(void *self, const dictum_txn_args *args, void **txn,
                                    dictum_error *err) {
  (void)self;
  (void)args;
  (void)txn;
  return refuse(err);
}

/* What follows is never reached, as nothing can be begun. Without it the type could not claim to
 * have what it then refuses. */

static dictum_status fail_iter_next(void *iter, dictum_rec *rec, dictum_error *err) {
  (void)iter;
  (void)rec;
  return refuse(err);
}

static dictum_status fail_put(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err) {
  (void)txn;
  (void)rec;
  (void)dup;
  return refuse(err);
}

static dictum_status fail_del(void *txn, const char *key, size_t len, dictum_error *err) {
  (void)txn;
  (void)key;
  (void)len;
  return refuse(err);
}

static dictum_status fail_commit(void *txn, dictum_error *err) {
  (void)txn;
  return refuse(err);
}

static void fail_end(void *session) {
  (void)session;
}

const dictum_type fail_type = {
    .name = "fail",
    .summary = "never an answer: each call is to be tried again later",
    .caps = DICTUM_CAP_ITERATE | DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE |
            DICTUM_CAP_PATTERN,
    .threads = DICTUM_THREADS_PARALLEL,
    .open = fail_open,
    .close = fail_close,
    .forget = fail_close,
    .lookup = fail_lookup,
    .iter_open = fail_iter_open,
    .iter_next = fail_iter_next,
    .iter_close = fail_end,
    .txn_begin = fail_txn_begin,
    .put = fail_put,
    .del = fail_del,
    .commit = fail_commit,
    .abort = fail_end,
};
