/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dialogue.h - questions to a server and its answers, which come in the same order.
 *
 * A connection that turns out to be lost is replaced by a new one, once for each question, and the
 * questions without an answer are put again. Nothing else is tried twice, and nothing pauses.
 */
#ifndef DICTUM_PLUGINS_DIALOGUE_H
#define DICTUM_PLUGINS_DIALOGUE_H

#include "connpool.h"

enum frame { FRAME_WHOLE, FRAME_PART, FRAME_BAD };

/** A protocol. @p rock is the dialogue's. */
struct dialect {
  /** Appends question @p i to @p out. False: memory is out. */
  bool (*ask)(void *rock, size_t i, struct text *out);
  /** Does @p data begin with a whole answer? WHOLE: @p size bytes. BAD: @p why tells; it is to be
   * said of an answer that is too long, too, since nothing else bounds it. */
  enum frame (*frame)(void *rock, const char *data, size_t len, size_t *size, const char **why);
  /** Takes the answer to question @p i. False: the connection is of no more use. */
  bool (*answer)(void *rock, size_t i, const char *data, size_t len);
  /** On a new connection, before the first question: appends what is to be said and tells how many
   * answers then come. NULL: nothing. False, and a fault: it cannot be said. */
  bool (*greet)(void *rock, struct text *out, size_t *answers, struct fault *fault);
  /** Takes answer @p i to that. False, and a fault: we are not welcome. */
  bool (*greeted)(void *rock, size_t i, const char *data, size_t len, struct fault *fault);
  /** A connection was lost, and another one is tried. May be NULL. */
  void (*lost)(void *rock, const struct fault *fault);
};

struct dialogue {
  struct connpool *pool;
  const struct dialect *dialect;
  void *rock;
  size_t n;            /**< questions */
  size_t depth;        /**< most questions under way at once, at least 1 */
  bool once;           /**< no question is put twice: it changes something */
  int64_t deadline_ns; /**< 0: a hundred seconds from now */
  size_t done;         /**< out: questions that have their answer */
};

/** Puts all questions.
 * @return true when each has its answer; else @p fault tells why those from `done` on have none.
 * Any thread; a dialogue belongs to one. */
bool dialogue_run(struct dialogue *dialogue, struct fault *fault);

#endif
