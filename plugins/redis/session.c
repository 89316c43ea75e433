/* SPDX-License-Identifier: BSD-2-Clause */
/* session.c - commands to a Redis server, and its replies. */
#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "password.h"
#include "reply.h"

/* Questions under way: Redis reads as much as comes, and answers in order. */
enum { pipeline_depth = 1000 };

/* ---- settings ------------------------------------------------------------------------------- */

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

static enum endpoint_answer read_endpoint(const char *text, struct endpoint *out) {
  if (*text == '/')
    return endpoint_unix(text, out);
  if (strncmp(text, "unix:", 5) == 0)
    return endpoint_unix(text + 5, out);
  return endpoint_inet(strncmp(text, "inet:", 5) == 0 ? text + 5 : text, "6379", out);
}

static void free_endpoints(struct endpoint *list, size_t n) {
  for (size_t i = 0; i < n; i++)
    endpoint_free(&list[i]);
  free(list);
}

/* @p text is taken apart. A list of n bytes has at most n/2+1 words. */
static dictum_status read_endpoints(const dictum_host *host, const char *name, char *text,
                                    struct endpoint **out, size_t *n, dictum_error *err) {
  char *place;
  *n = 0;
  *out = calloc(strlen(text) / 2 + 1, sizeof **out);
  if (!*out)
    return nomem(host, err);
  for (char *word = strtok_r(text, ", \t\r\n", &place); word;
       word = strtok_r(NULL, ", \t\r\n", &place)) {
    enum endpoint_answer answer = read_endpoint(word, &(*out)[*n]);
    if (answer == ENDPOINT_NOMEM)
      return nomem(host, err);
    if (answer == ENDPOINT_MALFORMED)
      return host->fail(err, DICTUM_CONFIG, 0, "%s: hosts: malformed \"%s\"", name, word);
    ++*n;
  }
  return *n > 0 ? DICTUM_OK : host->fail(err, DICTUM_CONFIG, 0, "%s: hosts: there is none", name);
}

static dictum_status open_pool(struct session *session, const dictum_open_args *args,
                               dictum_error *err) {
  const dictum_host *host = session->host;
  char *text = strdup(host->opt_str(args->cfg, "hosts"));
  struct endpoint *list = NULL;
  size_t n = 0;
  dictum_status status = text ? read_endpoints(host, args->name, text, &list, &n, err)
                              : nomem(host, err);
  free(text);
  if (status != DICTUM_OK) {
    free_endpoints(list, n);
    return status;
  }
  int64_t idle_ns = host->opt_int(args->cfg, "idle_interval") * 1000000;
  session->pool = connpool_new(list, n, idle_ns, INT64_MAX);
  return session->pool ? DICTUM_OK : nomem(host, err);
}

dictum_status redis_session_open(const dictum_host *host, const dictum_open_args *args,
                                 struct session *out, dictum_error *err) {
  *out = (struct session){.host = host};
  out->user = strdup(host->opt_str(args->cfg, "user"));
  out->password = strdup(host->opt_str(args->cfg, "password"));
  out->timeout_ns = host->opt_int(args->cfg, "timeout") * 1000000;
  out->reply_max = (size_t)host->opt_int(args->cfg, "reply_size_limit");
  snprintf(out->database, sizeof out->database, "%d", (int)host->opt_int(args->cfg, "database"));
  if (!out->user || !out->password)
    return nomem(host, err);
  dictum_status status = redis_password_locate(
      host, args, host->opt_str(args->cfg, "password_file"), &out->password_file, err);
  return status == DICTUM_OK ? open_pool(out, args, err) : status;
}

void redis_session_close(struct session *session) {
  connpool_free(session->pool);
  if (session->password)
    explicit_bzero(session->password, strlen(session->password));
  free(session->user);
  free(session->password);
  free(session->password_file);
}

void redis_session_forget(struct session *session) {
  connpool_forget(session->pool);
  session->pool = NULL;
  redis_session_close(session);
}

/* ---- commands ------------------------------------------------------------------------------- */

void redis_command_add(struct command *command, const char *word, size_t len) {
  command->words[command->n] = word;
  command->lens[command->n] = len;
  command->n++;
}

static bool append_command(const struct command *command, struct text *out) {
  const char **words = (const char **)(uintptr_t)command->words;
  char *wire;
  int len = redisFormatCommandArgv(&wire, command->n, words, command->lens);
  if (len < 0)
    return false;
  bool done = text_append(out, wire, (size_t)len);
  redisFreeCommand(wire);
  return done;
}

/* One run of a script. */
struct run {
  struct script *script;
  redisReader *reader;
};

static bool ask(void *rock, size_t i, struct text *out) {
  const struct run *run = rock;
  struct command command = {0};
  run->script->make(run->script->rock, i, &command);
  return append_command(&command, out);
}

static enum frame find_reply(void *rock, const char *data, size_t len, size_t *size,
                             const char **why) {
  const struct run *run = rock;
  return redis_reply_frame(data, len, run->script->session->reply_max, size, why);
}

/* @return NULL when memory is out or hiredis will not have it. */
static redisReply *parse(struct run *run, const char *data, size_t len) {
  void *reply = NULL;
  if (!run->reader || redisReaderFeed(run->reader, data, len) != REDIS_OK ||
      redisReaderGetReply(run->reader, &reply) != REDIS_OK)
    return NULL;
  return reply;
}

static bool take(void *rock, size_t i, const char *data, size_t len) {
  struct run *run = rock;
  static char no_sense[] = "a reply cannot be read";
  const redisReply broken = {
      .type = REDIS_REPLY_ERROR, .str = no_sense, .len = sizeof no_sense - 1};
  redisReply *reply = parse(run, data, len);
  run->script->take(run->script->rock, i, reply ? reply : &broken);
  if (reply) {
    freeReplyObject(reply);
    return true;
  }
  /* One that has failed reads no more. */
  redisReaderFree(run->reader);
  run->reader = redisReaderCreate();
  return false;
}

/* ---- the greeting: who we are, and which database we mean -------------------------------------
 */

static bool greet(void *rock, struct text *out, size_t *answers, struct fault *fault) {
  const struct run *run = rock;
  const struct session *session = run->script->session;
  struct text secret = {0};
  *answers = 0;
  if (session->password_file && !redis_password_read(session->password_file, &secret, fault)) {
    redis_password_free(&secret);
    return false;
  }
  const char *password = secret.data ? secret.data : session->password;
  struct command auth = {0}, choice = {0};
  redis_command_add(&auth, "AUTH", 4);
  if (*session->user)
    redis_command_add(&auth, session->user, strlen(session->user));
  redis_command_add(&auth, password, strlen(password));
  redis_command_add(&choice, "SELECT", 6);
  redis_command_add(&choice, session->database, strlen(session->database));
  bool done = true;
  if (*password) {
    done = append_command(&auth, out);
    ++*answers;
  }
  if (strcmp(session->database, "0") != 0) {
    done = done && append_command(&choice, out);
    ++*answers;
  }
  redis_password_free(&secret);
  return done || fault_set(fault, FAULT_NOMEM, ENOMEM, "out of memory");
}

static bool greeted(void *rock, size_t i, const char *data, size_t len, struct fault *fault) {
  (void)rock;
  (void)i;
  if (*data == '+')
    return true;
  char text[160];
  int shown = (int)(len < 150 ? len : 150) - 3;
  /* A server that does not know AUTH repeats what came with it: the password. */
  const char *repeated = memmem(data, len, ", with args", strlen(", with args"));
  if (repeated && repeated - data - 1 < shown)
    shown = (int)(repeated - data - 1);
  snprintf(text, sizeof text, "%.*s", shown > 0 ? shown : 0, data + 1);
  bool for_good = redis_error_status(data + 1, len - 3) == DICTUM_CONFIG;
  return fault_set(fault, for_good ? FAULT_DENIED : FAULT_REFUSED, 0, text);
}

static const struct dialect resp = {
    .ask = ask, .frame = find_reply, .answer = take, .greet = greet, .greeted = greeted};

/* ---- scripts -------------------------------------------------------------------------------- */

static int64_t limit(const struct session *session, int64_t deadline_ns) {
  if (session->timeout_ns == 0)
    return deadline_ns;
  int64_t own = clock_now() + session->timeout_ns;
  return deadline_ns && deadline_ns < own ? deadline_ns : own;
}

static dictum_status tell(const struct session *session, const struct fault *fault,
                          dictum_error *err) {
  dictum_status status = fault->kind == FAULT_NOMEM    ? DICTUM_NOMEM
                         : fault->kind == FAULT_DENIED ? DICTUM_CONFIG
                                                       : DICTUM_RETRY;
  return session->host->fail(err, status, fault->sys_errno, "%s redis server %s: %s",
                             fault->kind == FAULT_CONNECT ? "connect to" : "no answer from",
                             connpool_label(session->pool), fault->text);
}

dictum_status redis_script_run(struct script *script, int64_t deadline_ns, size_t *done,
                               dictum_error *err) {
  const struct session *session = script->session;
  struct run run = {script, redisReaderCreate()};
  *done = 0;
  if (!run.reader)
    return nomem(session->host, err);
  struct dialogue dialogue = {.pool = session->pool,
                              .dialect = &resp,
                              .rock = &run,
                              .n = script->n,
                              .depth = pipeline_depth,
                              .once = script->once,
                              .deadline_ns = limit(session, deadline_ns)};
  struct fault fault;
  bool all = dialogue_run(&dialogue, &fault);
  redisReaderFree(run.reader);
  *done = dialogue.done;
  return all ? DICTUM_OK : tell(session, &fault, err);
}

dictum_status redis_reply_failed(const struct session *session, const redisReply *reply,
                                 dictum_error *err) {
  const char *server = connpool_label(session->pool);
  if (reply->type != REDIS_REPLY_ERROR)
    return session->host->fail(err, DICTUM_RETRY, 0, "redis server %s: unexpected reply", server);
  return session->host->fail(err, redis_error_status(reply->str, reply->len), 0,
                             "redis server %s: %.*s", server,
                             (int)(reply->len < 200 ? reply->len : 200), reply->str);
}
