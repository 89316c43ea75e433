/* SPDX-License-Identifier: BSD-2-Clause */
/* params.c - settings in the format of postconf(5): "name = value". */
#include "params.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "error.h"
#include "event.h"
#include "lines.h"

/* How much of a line its message shows. */
enum { shown_size = 200 };

struct dictum_params {
  void *tree; /* of struct param, by name: see tsearch(3) */
  char *path; /* NULL without a file */
};

/* One file while it is read. */
struct reading {
  dictum_params *params;
  struct event_sink events;
  dictum_error *err;
};

static int by_name(const void *one, const void *other) {
  const struct param *a = one, *b = other;
  int order = memcmp(a->name, b->name, a->name_len < b->name_len ? a->name_len : b->name_len);
  if (order != 0)
    return order;
  return (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

static struct param *find(const dictum_params *params, const char *name, size_t len) {
  const struct param wanted = {.name = name, .name_len = len};
  void *node = tfind(&wanted, &params->tree, by_name);
  return node ? *(struct param **)node : NULL;
}

const struct param *params_find(const dictum_params *params, const char *name, size_t len) {
  return find(params, name, len);
}

/* The name is stored behind the struct. */
static struct param *param_new(const char *name, size_t len) {
  struct param *param = malloc(sizeof *param + len);
  if (!param)
    return NULL;
  char *copy = (char *)(param + 1);
  memcpy(copy, name, len);
  *param = (struct param){.name = copy, .name_len = len};
  return param;
}

static void param_free(struct param *param) {
  if (!param)
    return;
  free(param->value);
  free(param);
}

static bool add(dictum_params *params, const char *name, size_t len, const char *value,
                uint64_t line) {
  struct param *param = param_new(name, len);
  if (!param)
    return false;
  param->line = line;
  param->value = strdup(value);
  if (param->value && tsearch(param, &params->tree, by_name))
    return true;
  param_free(param);
  return false;
}

static bool change(struct param *param, const char *value, uint64_t line) {
  char *copy = strdup(value);
  if (!copy)
    return false;
  free(param->value);
  param->value = copy;
  param->line = line;
  return true;
}

/* ---- the file ----------------------------------------------------------------------------- */

/* Names the line that an error is about. */
static void error_line(dictum_error *err, uint64_t line) {
  if (err && err->size >= sizeof *err)
    err->line = line;
}

static dictum_status refuse(const struct reading *r, const struct line *line, const char *what) {
  error_code(r->err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "%s, line %" PRIu64 ": %s: \"%.*s\"",
             r->params->path, line->number, what, shown_size, line->text);
  error_line(r->err, line->number);
  return DICTUM_CONFIG;
}

static dictum_status set(const struct reading *r, const struct line *line, size_t name_len,
                         const char *value) {
  struct param *earlier = find(r->params, line->text, name_len);
  if (!earlier)
    return add(r->params, line->text, name_len, value, line->number) ? DICTUM_OK
                                                                     : error_nomem(r->err);
  if (strcmp(earlier->value, value) == 0)
    return DICTUM_OK;
  event_send_line(&r->events, DICTUM_LEVEL_WARNING, DICTUM_CODE_PARAM, "", line->number, 0,
                  "%s, line %" PRIu64 ": overriding earlier entry: %.*s=%s", r->params->path,
                  line->number, (int)(name_len < shown_size ? name_len : shown_size), line->text,
                  earlier->value);
  return change(earlier, value, line->number) ? DICTUM_OK : error_nomem(r->err);
}

static dictum_status read_line(const struct reading *r, struct line *line) {
  line_trim(line);
  size_t name_len = 0;
  while (name_len < line->len && line->text[name_len] != '=' && !is_space(line->text[name_len]))
    name_len++;
  const char *rest = line->text + name_len;
  while (is_space(*rest))
    rest++;
  if (name_len == 0)
    return refuse(r, line, "missing attribute name");
  if (*rest != '=')
    return refuse(r, line, "missing '=' after attribute name");
  do
    rest++;
  while (is_space(*rest));
  return set(r, line, name_len, rest);
}

static dictum_status read_file(const struct reading *r, const char *path) {
  r->params->path = strdup(path);
  if (!r->params->path)
    return error_nomem(r->err);
  dictum_lines *lines;
  const struct lines_owner owner = {&r->events, ""};
  dictum_status status = lines_open_file(path, &owner, &lines, r->err);
  if (status != DICTUM_OK)
    return error_where(r->err, status, path);
  struct line line;
  while ((status = lines_next(lines, &line, r->err)) == DICTUM_OK &&
         (status = read_line(r, &line)) == DICTUM_OK)
    continue;
  lines_close(lines);
  return status == DICTUM_END ? DICTUM_OK : error_where(r->err, status, path);
}

dictum_status dictum_params_read(const char *path, const dictum_ctx_opts *opts, dictum_params **out,
                                 dictum_error *err) {
  *out = NULL;
  dictum_params *params = calloc(1, sizeof *params);
  if (!params)
    return error_nomem(err);
  struct reading r = {.params = params, .err = err};
  if (opts)
    r.events = (struct event_sink){opts->event, opts->event_rock};
  dictum_status status = path ? read_file(&r, path) : DICTUM_OK;
  if (status != DICTUM_OK) {
    dictum_params_free(params);
    return status;
  }
  *out = params;
  return DICTUM_OK;
}

dictum_status dictum_params_default(dictum_params *params, const char *name, const char *value,
                                    dictum_error *err) {
  struct param *param = find(params, name, strlen(name));
  if (param && param->line != 0)
    return DICTUM_OK;
  bool done = param ? change(param, value, 0) : add(params, name, strlen(name), value, 0);
  return done ? DICTUM_OK : error_nomem(err);
}

void dictum_params_free(dictum_params *params) {
  if (!params)
    return;
  while (params->tree) {
    struct param *param = *(struct param **)params->tree;
    tdelete(param, &params->tree, by_name);
    param_free(param);
  }
  free(params->path);
  free(params);
}

/* ---- evaluation --------------------------------------------------------------------------- */

static dictum_status evaluate(const dictum_params *params, const char *text, uint64_t line,
                              dictum_buf *value, dictum_error *err) {
  buf_clear(value);
  dictum_status status = params_expand(params, text, strlen(text), value, err);
  if (status == DICTUM_OK)
    return DICTUM_OK;
  buf_clear(value);
  if (line != 0)
    error_line(err, line);
  return params->path ? error_where(err, status, params->path) : status;
}

dictum_status dictum_params_get(const dictum_params *params, const char *name, dictum_buf *value,
                                dictum_error *err) {
  const struct param *param = find(params, name, strlen(name));
  if (param)
    return evaluate(params, param->value, param->line, value, err);
  buf_clear(value);
  return DICTUM_NOTFOUND;
}

dictum_status dictum_params_expand(const dictum_params *params, const char *text, dictum_buf *value,
                                   dictum_error *err) {
  return evaluate(params, text, 0, value, err);
}
