/* SPDX-License-Identifier: BSD-2-Clause */
/* dialogue.c - questions to a server and its answers, which come in the same order. */
#include "dialogue.h"

#include <errno.h>

#include "clock.h"

/* As Postfix's time limits for such servers are. */
static const int64_t longest_ns = 100 * (int64_t)1000000000;

/* Enough questions to fill a packet or many; more wait until these have left. */
enum { enough_out = 64 * 1024 };

static bool nomem(struct fault *fault) {
  return fault_set(fault, FAULT_NOMEM, ENOMEM, "out of memory");
}

/* Gives the next answer, waiting for it. It lives until the next step of the stream. */
static bool next_answer(struct dialogue *dialogue, struct stream *stream, const char **data,
                        size_t *size, struct fault *fault) {
  for (;;) {
    const char *why;
    size_t len = stream->in.len - stream->start;
    const char *text = len ? stream->in.data + stream->start : "";
    enum frame frame = len ? dialogue->dialect->frame(dialogue->rock, text, len, size, &why)
                           : FRAME_PART;
    if (frame == FRAME_BAD)
      return fault_set(fault, FAULT_REPLY, 0, why);
    if (frame == FRAME_WHOLE) {
      *data = text;
      stream->start += *size;
      return true;
    }
    if (!stream_step(stream, dialogue->deadline_ns, fault))
      return false;
  }
}

static bool greet(struct dialogue *dialogue, struct stream *stream, struct fault *fault) {
  const struct dialect *dialect = dialogue->dialect;
  size_t answers = 0, size;
  const char *data;
  if (!dialect->greet)
    return true;
  if (!dialect->greet(dialogue->rock, &stream->out, &answers, fault))
    return false;
  for (size_t i = 0; i < answers; i++)
    if (!next_answer(dialogue, stream, &data, &size, fault) ||
        !dialect->greeted(dialogue->rock, i, data, size, fault))
      return false;
  return true;
}

/* Puts the questions that may be under way, up to @p asked. */
static bool put_questions(struct dialogue *dialogue, struct stream *stream, size_t *asked,
                          struct fault *fault) {
  while (*asked < dialogue->n && *asked - dialogue->done < dialogue->depth &&
         (*asked == dialogue->done || stream->out.len - stream->sent < enough_out)) {
    if (!dialogue->dialect->ask(dialogue->rock, *asked, &stream->out))
      return nomem(fault);
    ++*asked;
  }
  return true;
}

/* Talks over one connection, as long as it lasts. @p sound: it can be used again. */
static bool talk(struct dialogue *dialogue, struct conn *conn, bool *sound, struct fault *fault) {
  struct stream *stream = &conn->stream;
  const size_t before = dialogue->done;
  size_t asked = before;
  const char *data;
  size_t size;
  *sound = false;
  if (conn->fresh && !greet(dialogue, stream, fault))
    return false;
  while (dialogue->done < dialogue->n) {
    /* What it says unasked would be taken for the next answer; on another connection it may not.
     * Of an idle connection, the pool has just seen that there is nothing. */
    if (asked == dialogue->done && (conn->fresh || asked > before) && stream_has_more(stream))
      return fault_set(fault, asked > before ? FAULT_NONE : FAULT_LOST, 0,
                       "it says more than it was asked");
    if (!put_questions(dialogue, stream, &asked, fault) ||
        !next_answer(dialogue, stream, &data, &size, fault))
      return false;
    bool useful = dialogue->dialect->answer(dialogue->rock, dialogue->done++, data, size);
    if (!useful)
      return dialogue->done == dialogue->n || fault_set(fault, FAULT_NONE, 0, "");
  }
  /* What is said beyond the last answer would be taken for the next one. */
  *sound = stream->start == stream->in.len;
  return true;
}

static bool may_try_again(const struct dialogue *dialogue, const struct fault *fault,
                          unsigned attempt) {
  if (fault->kind == FAULT_NONE)
    return true;
  return fault->kind == FAULT_LOST && attempt == 0 && !dialogue->once;
}

bool dialogue_run(struct dialogue *dialogue, struct fault *fault) {
  unsigned attempt = 0;
  bool fresh = false;
  dialogue->done = 0;
  if (dialogue->deadline_ns == 0)
    dialogue->deadline_ns = clock_now() + longest_ns;
  while (dialogue->done < dialogue->n) {
    struct conn *conn = connpool_take(dialogue->pool, fresh, dialogue->deadline_ns, fault);
    if (!conn)
      return false;
    bool sound;
    const size_t before = dialogue->done;
    bool over = talk(dialogue, conn, &sound, fault);
    connpool_give(dialogue->pool, conn, sound);
    if (over)
      return true;
    if (dialogue->done > before)
      attempt = 0;
    if (!may_try_again(dialogue, fault, attempt))
      return false;
    if (fault->kind == FAULT_LOST) {
      attempt++;
      fresh = true;
      if (dialogue->dialect->lost)
        dialogue->dialect->lost(dialogue->rock, fault);
    }
  }
  return true;
}
