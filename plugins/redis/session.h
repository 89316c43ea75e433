/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - commands to a Redis server, and its replies.
 *
 * hiredis writes commands and takes replies apart; connections, deadlines and
 * what happens when one is lost are those of dialogue.h.
 */
#ifndef DICTUM_PLUGINS_REDIS_SESSION_H
#define DICTUM_PLUGINS_REDIS_SESSION_H

#include <dictum_plugin.h>
#include <hiredis/hiredis.h>
#include "dialogue.h"

struct session {
  const dictum_host *host;
  struct connpool *pool;
  char *user, *password; /**< "" for none */
  char *password_file;   /**< read for each new connection; NULL: none */
  char database[12];     /**< "0" needs no word */
  int64_t timeout_ns;    /**< of one exchange; 0: none */
  size_t reply_max;
};

/** Takes the settings about servers from @p args. Connects to none.
 * @param out  to be released with session_close(), also after a failure
 * @return OK; CONFIG; NOMEM. */
dictum_status redis_session_open(const dictum_host *host, const dictum_open_args *args,
                                 struct session *out, dictum_error *err);
void redis_session_close(struct session *session);
/** In the child of a fork(). */
void redis_session_forget(struct session *session);

struct command {
  int n;
  const char *words[8];
  size_t lens[8];
};
/** Appends a word to a command. */
void redis_command_add(struct command *command, const char *word, size_t len);

/** Commands that are put together, one reply each. */
struct script {
  const struct session *session;
  void *rock;
  void (*make)(void *rock, size_t i, struct command *out);
  void (*take)(void *rock, size_t i, const redisReply *reply);
  size_t n;
  bool once; /**< as in dialogue.h */
};
/** Runs a script.
 * @param done  receives how many commands have a reply
 * @return OK; else why those behind have none, with a text: RETRY; CONFIG; NOMEM. */
dictum_status redis_script_run(struct script *script, int64_t deadline_ns, size_t *done,
                               dictum_error *err);

/** The status of a reply that is an error, or that is not what was expected (RETRY), with a text
 * in @p err. */
dictum_status redis_reply_failed(const struct session *session, const redisReply *reply,
                                 dictum_error *err);

#endif
