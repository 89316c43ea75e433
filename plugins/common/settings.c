/* SPDX-License-Identifier: BSD-2-Clause */
/* settings.c - reads the settings of a table that is being opened, and says what is wrong. */
#include "settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *settings_text(const struct settings *settings, const char *name) {
  return settings->host->opt_str(settings->args->cfg, name);
}

int64_t settings_number(const struct settings *settings, const char *name) {
  return settings->host->opt_int(settings->args->cfg, name);
}

dictum_status settings_copy(const struct settings *settings, const struct settings_copy *list,
                            size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!(*list[i].to = strdup(settings_text(settings, list[i].name))))
      return settings_nomem(settings);
  return DICTUM_OK;
}

dictum_status settings_words(const struct settings *settings, const char *list,
                             dictum_status (*take)(const struct settings *settings, void *rock,
                                                   const char *word),
                             void *rock) {
  static const char separators[] = ", \t\r\n";
  char *copy = strdup(list), *place;
  if (!copy)
    return settings_nomem(settings);
  dictum_status status = DICTUM_OK;
  for (char *word = strtok_r(copy, separators, &place); word && status == DICTUM_OK;
       word = strtok_r(NULL, separators, &place))
    status = take(settings, rock, word);
  free(copy);
  return status;
}

dictum_status settings_template(const struct settings *settings, const char *name,
                                enum template_kind kind, struct template *out) {
  return template_parse(settings->host, settings_text(settings, name), kind, settings->args->name,
                        out, settings->err);
}

/* Settings may also be a group of main.cf's, or arguments. */
void settings_warn_of_password(const struct settings *settings) {
  struct stat st;
  const char *name = settings->args->name;
  if ((name[0] == '/' || name[0] == '.') && stat(name, &st) == 0 && (st.st_mode & S_IROTH))
    settings->host->log(settings->args->slot, DICTUM_LEVEL_INFO, DICTUM_CODE_FILE,
                        "%s holds a password, and everybody may read it", name);
}

/* How tables were described before there was "query". */
static dictum_status make_query(const struct settings *settings, char **out) {
  static const char *const needed[] = {"table", "select_field", "where_field"};
  const char *text[3];
  for (size_t i = 0; i < 3; i++) {
    text[i] = settings_text(settings, needed[i]);
    if (!*text[i])
      return settings_refuse(settings, "bad string length 0 < 1: %s =", needed[i]);
  }
  int len = asprintf(out, "SELECT %s FROM %s WHERE %s='%%s' %s", text[1], text[0], text[2],
                     settings_text(settings, "additional_conditions"));
  return len < 0 ? settings_nomem(settings) : DICTUM_OK;
}

dictum_status settings_query(const struct settings *settings, struct template *out) {
  if (*settings_text(settings, "query"))
    return settings_template(settings, "query", TEMPLATE_QUERY, out);
  char *made;
  dictum_status status = make_query(settings, &made);
  if (status != DICTUM_OK)
    return status;
  status = template_parse(settings->host, made, TEMPLATE_QUERY, settings->args->name, out,
                          settings->err);
  free(made);
  return status;
}

dictum_status settings_refuse(const struct settings *settings, const char *fmt, ...) {
  char text[512];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  return settings->host->fail(settings->err, DICTUM_CONFIG, 0, "%s: %s", settings->args->name,
                              text);
}

dictum_status settings_nomem(const struct settings *settings) {
  return settings->host->fail(settings->err, DICTUM_NOMEM, 0, "out of memory");
}
