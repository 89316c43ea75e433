/* SPDX-License-Identifier: BSD-2-Clause */
/* get.c - dictum get: one key, many keys, or the keys on standard input. */
#include "command.h"

#include <string.h>
#include <unistd.h>

#include "keyreader.h"

/* Enough to be one round trip to a server, few enough to keep memory flat. */
enum { batch_size = 1024 };

struct getting {
  struct app *app;
  dictum_table *table;
  dictum_buf arena; /**< values of a batch */
  dictum_buf value;
  dictum_req reqs[batch_size];
  int status;
};

static void tell(struct getting *get, const char *key, size_t keylen, dictum_status status,
                 const dictum_error *err) {
  if (status == DICTUM_NOTFOUND)
    output_status(&get->app->out, key, keylen, status);
  else
    output_error(&get->app->out, key, keylen, err);
  get->status = exit_worse(get->status, exit_of_key(status));
}

static void get_one(struct getting *get, const char *key, size_t keylen) {
  dictum_error err = DICTUM_ERROR_INIT;
  uint32_t flags = 0;
  dictum_status status = dictum_lookup(get->table, key, keylen, &get->value, &flags, &err);
  if (status == DICTUM_OK)
    output_found(&get->app->out, key, keylen, get->value.data, get->value.len, flags);
  else
    tell(get, key, keylen, status, &err);
}

/* Answers in the order of the questions. */
static void get_batch(struct getting *get, size_t n) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status = dictum_lookup_many(get->table, get->reqs, n, &get->arena, &err);
  for (size_t i = 0; i < n; i++) {
    const dictum_req *req = &get->reqs[i];
    if (status != DICTUM_OK)
      tell(get, req->key, req->keylen, status, &err);
    else if (req->status == DICTUM_OK)
      output_found(&get->app->out, req->key, req->keylen, get->arena.data + req->off, req->len,
                   req->flags);
    else if (req->status == DICTUM_NOTFOUND || req->status == err.status)
      tell(get, req->key, req->keylen, req->status, &err);
    else
      get_one(get, req->key, req->keylen); /* the batch has no text for this failure */
  }
}

static void get_operands(struct getting *get, char **keys, size_t n) {
  for (size_t done = 0; done < n && output_ok(&get->app->out);) {
    size_t count = n - done < batch_size ? n - done : batch_size;
    for (size_t i = 0; i < count; i++)
      get->reqs[i] = (dictum_req){.key = keys[done + i], .keylen = strlen(keys[done + i])};
    get_batch(get, count);
    done += count;
  }
}

static void get_input(struct getting *get) {
  struct output *out = &get->app->out;
  struct keyreader *reader = keyreader_open(STDIN_FILENO, get->app->zero ? '\0' : '\n');
  if (!reader) {
    get->status = app_nomem(get->app);
    return;
  }
  dictum_error err = DICTUM_ERROR_INIT;
  size_t n = 0;
  while (output_ok(out)) {
    if (!keyreader_ready(reader))
      output_flush(out);
    dictum_status status = keyreader_next(reader, get->reqs, batch_size, &n, &err);
    if (status != DICTUM_OK) {
      app_fail(get->app, &err);
      get->status = exit_worse(get->status, status == DICTUM_CONFIG ? EX_IOERR : EX_SOFTWARE);
      break;
    }
    if (n == 0)
      break;
    get_batch(get, n);
  }
  keyreader_close(reader);
}

static int get(struct app *app, int argc, char **argv) {
  struct getting work = {.app = app};
  int status;
  if (!app_options(app, &argc, &argv, NULL, NULL, &status))
    return status;
  if (argc < 2)
    return app_usage(app, argc == 0 ? "which table?" : "which key?");
  status = app_start(app);
  if (status == EXIT_DONE)
    status = app_open(app, argv[0], 0, &work.table);
  if (status != EXIT_DONE)
    return status;
  if (argc == 2 && strcmp(argv[1], "-") == 0) {
    get_input(&work);
  } else if (argc == 2) {
    app->out.value_only = true;
    get_one(&work, argv[1], strlen(argv[1]));
  } else {
    get_operands(&work, argv + 1, (size_t)argc - 1);
  }
  dictum_buf_free(&work.arena);
  dictum_buf_free(&work.value);
  dictum_close(work.table);
  return work.status;
}

const struct command get_command = {
    "get",
    "usage: dictum get [OPTION...] TABLE KEY...\n"
    "       dictum get [OPTION...] TABLE -\n"
    "\n"
    "Looks keys up in TABLE, or each line of standard input. Prints the value of a\n"
    "single KEY, and KEY<TAB>VALUE for several keys and for standard input. TABLE\n"
    "is TYPE:NAME; without a type it is of main.cf's default_database_type.\n"
    "\n"
    "Exit status: 0 all found, 1 some not found, 65 a key that is not UTF-8,\n"
    "75 try later, 78 the table cannot be used.\n",
    TAKES_TABLE | TAKES_JSON | TAKES_ZERO, NULL, get};
