/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settings.h - reads the settings of a table that is being opened, and says what is wrong with
 * them.
 */
#ifndef DICTUM_PLUGINS_SETTINGS_H
#define DICTUM_PLUGINS_SETTINGS_H

#include "template.h"

struct settings {
  const dictum_host *host;
  const dictum_open_args *args;
  dictum_error *err; /**< where failures are told */
};

/** The text of a setting; it lives no longer than the opening of the table. */
const char *settings_text(const struct settings *settings, const char *name);
/** The number of a setting; of a boolean 0 or 1. */
int64_t settings_number(const struct settings *settings, const char *name);

/** Where the text of a setting is to go. */
struct settings_copy {
  char **to;
  const char *name;
};
/** Copies the texts of @p n settings.
 * @return OK; NOMEM, and what has been copied by then is to be freed, too. */
dictum_status settings_copy(const struct settings *settings, const struct settings_copy *list,
                            size_t n);

/** Hands the words of @p list, which has commas or white space between them, to @p take, one after
 * the other.
 * @return OK; what @p take answered other than that, by which it ends; NOMEM. */
dictum_status settings_words(const struct settings *settings, const char *list,
                             dictum_status (*take)(const struct settings *settings, void *rock,
                                                   const char *word),
                             void *rock);

/** Tells by one event when the settings, which hold a password, are a file that everybody may read.
 */
void settings_warn_of_password(const struct settings *settings);

/** Takes the text of a setting apart. @return OK; CONFIG; NOMEM. */
dictum_status settings_template(const struct settings *settings, const char *name,
                                enum template_kind kind, struct template *out);
/** The same of the setting "query". Without it there must be those of the time before: "table",
 * "select_field", "where_field" and "additional_conditions".
 * @return OK; CONFIG; NOMEM. */
dictum_status settings_query(const struct settings *settings, struct template *out);

/** @return CONFIG, with the name of the settings before the text. */
dictum_status settings_refuse(const struct settings *settings, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
/** @return NOMEM */
dictum_status settings_nomem(const struct settings *settings);

#endif
