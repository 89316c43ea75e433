/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postmap_redirect.c - main.cf may say that tables of Berkeley DB's types have moved to other
 * types.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "messages.h"
#include "postmap.h"

static bool is_legacy(const char *type) {
  return strcmp(type, "hash") == 0 || strcmp(type, "btree") == 0;
}

static char *nomem(void) {
  message("fatal", "out of memory");
  return NULL;
}

static char *joined(const char *type, const char *name) {
  char *spec;
  return asprintf(&spec, "%s:%s", type, name) < 0 ? nomem() : spec;
}

/* ---- the mapping ---------------------------------------------------------------------------- */

/* One table of Berkeley DB's, and where it has gone. */
struct move {
  const struct postmap *run;
  const char *type, *name;
  dictum_buf target; /* the new type */
};

static dictum_status refuse(const struct move *move, dictum_status status, const char *why) {
  message("fatal", "%s:%s: type mapping lookup error: %s", move->type, move->name, why);
  return status;
}

static dictum_status ask_table(struct move *move, const char *spec, const char *key) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_table *table = NULL;
  dictum_status status = dictum_open(move->run->ctx, spec, move->run->open_flags & DICTUM_OPEN_UTF8,
                                     &table, &err);
  if (status == DICTUM_OK)
    status = dictum_lookup(table, key, strlen(key), &move->target, NULL, &err);
  dictum_close(table);
  if (status == DICTUM_OK || status == DICTUM_NOTFOUND)
    return status;
  return refuse(move, status, err.what);
}

/* Cuts off the next word of a list of tables; braces hold together. NULL: there is none. */
static char *next_word(char **rest) {
  static const char separators[] = ", \t\r\n";
  char *word = *rest + strspn(*rest, separators), *end = word;
  for (int depth = 0; *end && (depth > 0 || !strchr(separators, *end)); end++)
    depth += (*end == '{') - (*end == '}');
  *rest = *end ? end + 1 : end;
  *end = '\0';
  return *word ? word : NULL;
}

/* As in Postfix's other lists, each table is asked for one key before the next key is tried. */
static dictum_status ask_tables(struct move *move, const char *key) {
  char *list = strdup(settings_get(move->run->settings, "non_bdb_custom_mapping"));
  if (!list) {
    nomem();
    return DICTUM_NOMEM;
  }
  dictum_status status = DICTUM_NOTFOUND;
  char *rest = list;
  for (char *word; status == DICTUM_NOTFOUND && (word = next_word(&rest));)
    status = ask_table(move, word, key);
  free(list);
  return status;
}

/* The longer key is the one that is meant for this table. */
static dictum_status ask_custom(struct move *move) {
  char *key = joined(move->type, move->name);
  dictum_status status = key ? ask_tables(move, key) : DICTUM_NOMEM;
  free(key);
  return status == DICTUM_NOTFOUND ? ask_tables(move, move->type) : status;
}

/* @return OK; what else a table of the mapping answered, after a fatal message. */
static dictum_status find_target(struct move *move, const char **target) {
  dictum_status status = ask_custom(move);
  *target = move->target.data;
  if (status == DICTUM_NOTFOUND) {
    status = DICTUM_OK;
    *target = settings_get(move->run->settings, strcmp(move->type, "hash") == 0
                                                    ? "default_database_type"
                                                    : "default_cache_db_type");
  }
  if (status != DICTUM_OK)
    return status;
  char why[300];
  snprintf(why, sizeof why, "%s would become \"%.200s\"", move->type, *target);
  if (is_legacy(*target) || **target == '\0' || strpbrk(*target, ": \t\r\n{}"))
    return refuse(move, DICTUM_CONFIG, why);
  return DICTUM_OK;
}

/* ---- specs ---------------------------------------------------------------------------------- */

static char *redirected(const struct postmap *run, const char *type, const char *name) {
  struct move move = {run, type, name, {0}};
  const char *target;
  char *spec = NULL;
  if (find_target(&move, &target) == DICTUM_OK) {
    spec = joined(target, name);
    if (spec && settings_bool(run->settings, "non_bdb_migration_log_redirect"))
      message(NULL, "redirecting %s:%s to %s", type, name, spec);
  }
  dictum_buf_free(&move.target);
  return spec;
}

char *postmap_spec(const struct postmap *run, const char *operand, bool *moved) {
  const char *colon = strchr(operand, ':');
  const char *name = colon ? colon + 1 : operand;
  char *type = colon ? strndup(operand, (size_t)(colon - operand))
                     : strdup(settings_get(run->settings, "default_database_type"));
  if (!type)
    return nomem();
  if (strchr(type, ':')) { /* of main.cf: it would take a part of the name's place */
    message("fatal", "unsupported dictionary type: %s", type);
    free(type);
    return NULL;
  }
  *moved = is_legacy(type) &&
           strcmp(settings_get(run->settings, "non_bdb_migration_level"), "disable") != 0;
  char *spec = *moved ? redirected(run, type, name) : joined(type, name);
  free(type);
  return spec;
}
