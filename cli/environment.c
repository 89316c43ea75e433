/* SPDX-License-Identifier: BSD-2-Clause */
/* environment.c - the settings of the environment that main.cf asks for. */
#include "environment.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS ", \t\r\n"
#define SPACES " \t\r\n"

static dictum_status fail(dictum_error *err, dictum_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static dictum_status fail(dictum_error *err, dictum_status status, const char *fmt, ...) {
  if (!err)
    return status;
  *err = (dictum_error)DICTUM_ERROR_INIT;
  err->status = status;
  err->code = DICTUM_CODE_PARAM;
  va_list args;
  va_start(args, fmt);
  vsnprintf(err->what, sizeof err->what, fmt, args);
  va_end(args);
  return status;
}

/* Cuts the next word off *rest; separators between braces belong to the word. */
static char *next_word(char **rest) {
  char *word = *rest + strspn(*rest, SEPARATORS);
  if (*word == '\0')
    return NULL;
  int depth = 0;
  char *end = word;
  for (; *end && (depth > 0 || !strchr(SEPARATORS, *end)); end++)
    depth += *end == '{' ? 1 : *end == '}' ? -1 : 0;
  *rest = *end ? end + 1 : end;
  *end = '\0';
  return word;
}

static char *trim(char *text) {
  text += strspn(text, SPACES);
  char *end = text + strlen(text);
  while (end > text && strchr(SPACES, end[-1]))
    end--;
  *end = '\0';
  return text;
}

/* Takes the braces off a word that starts with one. */
static dictum_status unbrace(char **word, dictum_error *err) {
  if (**word != '{')
    return DICTUM_OK;
  int depth = 0;
  char *s = *word;
  do
    depth += *s == '{' ? 1 : *s == '}' ? -1 : 0;
  while (*s++ && depth > 0);
  if (depth > 0)
    return fail(err, DICTUM_CONFIG, "import_environment: missing '}' in \"%s\"", *word);
  if (*s != '\0')
    return fail(err, DICTUM_CONFIG, "import_environment: syntax error after '}' in \"%s\"", *word);
  s[-1] = '\0';
  ++*word;
  return DICTUM_OK;
}

static dictum_status import_word(char *word, dictum_error *err) {
  dictum_status status = unbrace(&word, err);
  if (status != DICTUM_OK)
    return status;
  char *equals = strchr(word, '=');
  if (!equals)
    return DICTUM_OK;
  if (*(word + strspn(word, SPACES)) == '=')
    return fail(err, DICTUM_CONFIG, "import_environment: missing attribute name in: %s", word);
  *equals = '\0';
  char *name = trim(word);
  if (strpbrk(name, SPACES))
    return fail(err, DICTUM_CONFIG, "import_environment: missing '=' after attribute name in: %s",
                name);
  if (setenv(name, trim(equals + 1), 1) != 0)
    return fail(err, DICTUM_NOMEM, "out of memory");
  return DICTUM_OK;
}

dictum_status environment_import(const char *list, dictum_error *err) {
  char *copy = list ? strdup(list) : NULL;
  if (list && !copy)
    return fail(err, DICTUM_NOMEM, "out of memory");
  dictum_status status = DICTUM_OK;
  char *rest = copy;
  for (char *word; rest && status == DICTUM_OK && (word = next_word(&rest)) != NULL;)
    status = import_word(word, err);
  free(copy);
  return status;
}
