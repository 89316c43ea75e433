/* SPDX-License-Identifier: BSD-2-Clause */
/* ask.c - asks the server for some keys, one after the other: a link, the filter, its documents,
 * one new try when the link is stale. */
#include <errno.h>
#include <stdio.h>

#include "answer.h"
#include "clock.h"
#include "cursor.h"
#include "errors.h"
#include "table.h"

/* What is left after a key was asked for. */
enum outcome {
  ANSWERED,      /* it has its answer */
  ANSWERED_LAST, /* so it has, and the link is of no more use */
  LOST           /* the link ended before */
};

/* One key being asked for. */
struct question {
  struct inquiry *inquiry;
  struct link *link;
  size_t key;
  struct values values;
};

static bool is_late(const struct inquiry *inquiry) {
  return clock_left_ms(inquiry->asking.call->deadline_ns) == 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* @param number  the server's, or 0 */
static void fail(struct question *question, dictum_status status, const char *why,
                 unsigned number) {
  struct asking *asking = &question->inquiry->asking;
  const char *label = question->link->server->label;
  char behind[16] = "";
  if (number > 0)
    snprintf(behind, sizeof behind, " (%u)", number);
  if (status == DICTUM_INVALID)
    asking_failed_key(asking, question->key, status, "mongodb query failed: server %s: %s%s", label,
                      why, behind);
  else
    asking_failed(asking, question->key, status, 0, "mongodb query failed: server %s: %s%s", label,
                  why, behind);
}

static enum outcome fail_long_key(struct question *question) {
  asking_failed_key(&question->inquiry->asking, question->key, DICTUM_INVALID,
                    "%s: a key that is too long", question->inquiry->table->label);
  return ANSWERED;
}

/* @param status  OK: there are no more values; else why none was added */
static enum outcome answer_values(struct question *question, dictum_status status) {
  asking_answered(&question->inquiry->asking, question->key, &question->values, status);
  return ANSWERED;
}

/* ---- one key -------------------------------------------------------------------------------- */

static enum outcome fail_garbled(struct question *question) {
  fail(question, DICTUM_RETRY, "an answer that cannot be read", 0);
  return ANSWERED_LAST;
}

/* The library's own are less plain. */
static const char *words_for(const struct link *link, const bson_error_t *error) {
  return link->why[0] ? link->why : error->message;
}

static enum outcome take_server_error(struct question *question, const bson_error_t *error) {
  fail(question, mongo_error_status(error), error->message, error->code);
  return mongo_error_leaves_link(error) ? ANSWERED : ANSWERED_LAST;
}

/* The library has no words for a server whose first ones made no sense. */
static enum outcome take_error(struct question *question, const bson_error_t *error) {
  struct link *link = question->link;
  if (error->domain == MONGOC_ERROR_SERVER)
    return take_server_error(question, error);
  if (link->garbled || (error->domain == 0 && !link->lost))
    return fail_garbled(question);
  if (link->lost || is_late(question->inquiry))
    return LOST;
  fail(question, link->refused ? DICTUM_CONFIG : mongo_error_status(error), words_for(link, error),
       0);
  return ANSWERED_LAST;
}

/* Takes all documents of a cursor. */
static enum outcome take_documents(struct question *question, struct cursor *cursor,
                                   enum cursor_step step, bson_error_t *error) {
  bson_t document;
  text_clear(&question->inquiry->value);
  while (step == CURSOR_DOCUMENT) {
    step = mongo_cursor_next(cursor, &document, error);
    if (step != CURSOR_DOCUMENT)
      break;
    switch (mongo_answer_add(&question->values, &document)) {
    case ANSWER_OK:
      break;
    case ANSWER_TOO_MANY:
      return answer_values(question, DICTUM_RETRY);
    case ANSWER_NOMEM:
      return answer_values(question, DICTUM_NOMEM);
    case ANSWER_MALFORMED:
      return fail_garbled(question);
    }
  }
  if (step == CURSOR_FAILED)
    return take_error(question, error);
  return step == CURSOR_END ? answer_values(question, DICTUM_OK) : fail_garbled(question);
}

/* The server is told of the time limit, too. */
static enum outcome run_query(struct question *question, const bson_t *filter,
                              bson_error_t *error) {
  const int left = clock_left_ms(question->link->deadline);
  struct cursor cursor;
  bson_t options;
  bson_copy_to(question->inquiry->table->options, &options);
  if (left >= 0)
    BSON_APPEND_INT64(&options, "maxTimeMS", left > 0 ? left : 1);
  enum cursor_step step = mongo_cursor_open(&cursor, question->link, filter, &options, error);
  enum outcome outcome = take_documents(question, &cursor, step, error);
  if (outcome != ANSWERED)
    mongo_link_silence(question->link);
  mongo_cursor_close(&cursor);
  bson_destroy(&options);
  return outcome;
}

static enum outcome ask_key(struct inquiry *inquiry, struct link *link, size_t key,
                            bson_error_t *error) {
  const struct table *table = inquiry->table;
  const dictum_key *whole = &inquiry->asking.keys[key];
  const struct address address = address_of(whole->p, whole->n);
  struct question question = {.inquiry = inquiry,
                              .link = link,
                              .key = key,
                              .values = {.host = table->host,
                                         .slot = table->slot,
                                         .label = table->label,
                                         .format = &table->result,
                                         .limit = table->expansion_limit,
                                         .key = &address,
                                         .out = &inquiry->value}};
  enum outcome outcome = ANSWERED;
  bson_t filter;
  switch (mongo_filter_fill(table->filter, &address, &filter)) {
  case FILTER_DONE:
    outcome = run_query(&question, &filter, error);
    break;
  case FILTER_SUPPRESSED:
    asking_absent(&inquiry->asking, key);
    break;
  case FILTER_TOO_LONG:
    outcome = fail_long_key(&question);
    break;
  case FILTER_NOMEM:
    outcome = answer_values(&question, DICTUM_NOMEM);
    break;
  }
  bson_destroy(&filter);
  return outcome;
}

/* ---- all keys ------------------------------------------------------------------------------- */

static dictum_status tell_lost(const struct inquiry *inquiry, const struct link *link,
                               const bson_error_t *error) {
  const bool late = is_late(inquiry);
  return inquiry->table->host->fail(inquiry->asking.err, DICTUM_RETRY, late ? ETIMEDOUT : 0,
                                    "mongodb query failed: server %s: %s",
                                    inquiry->table->server.label,
                                    late ? "no answer in time" : words_for(link, error));
}

/* What is left of the link after a key. @return OK: go on; else why not */
static dictum_status settle(const struct inquiry *inquiry, struct link *link, enum outcome outcome,
                            bool *renewed, const bson_error_t *error) {
  if (outcome == ANSWERED) {
    link->proven = true;
    return DICTUM_OK;
  }
  const bool stale = outcome == LOST && link->proven && !*renewed && !is_late(inquiry);
  *renewed |= stale;
  mongo_link_end(link);
  return outcome == LOST && !stale ? tell_lost(inquiry, link, error) : DICTUM_OK;
}

static dictum_status ask_over(struct inquiry *inquiry, struct link *link, const size_t *open,
                              size_t n) {
  struct asking *asking = &inquiry->asking;
  bool renewed = false;
  dictum_status status = DICTUM_OK;
  for (size_t done = 0; done < n && status == DICTUM_OK;) {
    bson_error_t error = {0};
    status = mongo_link_begin(link, asking->call->deadline_ns, asking->err);
    if (status != DICTUM_OK)
      break;
    enum outcome outcome = ask_key(inquiry, link, open[done], &error);
    done += outcome != LOST;
    status = settle(inquiry, link, outcome, &renewed, &error);
  }
  return status;
}

dictum_status mongo_ask_server(struct inquiry *inquiry, const size_t *open, size_t n) {
  struct table *table = inquiry->table;
  int number = turns_take(&table->turns, inquiry->asking.call->deadline_ns);
  if (number < 0)
    return table->host->fail(inquiry->asking.err, DICTUM_RETRY, ETIMEDOUT,
                             "all %u connections to mongodb server %s are busy", table->turns.n,
                             table->server.label);
  mongo_library_hush();
  dictum_status status = ask_over(inquiry, &table->links[number], open, n);
  mongo_library_unhush();
  turns_give_back(&table->turns, number);
  return status;
}
