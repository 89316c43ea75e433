/* SPDX-License-Identifier: BSD-2-Clause */
/* environment.h - the settings of the environment that main.cf asks for. */
#ifndef DICTUM_CLI_ENVIRONMENT_H
#define DICTUM_CLI_ENVIRONMENT_H

#include <dictum.h>

/** Sets the variables of @p list, a value of import_environment: words "NAME=VALUE" or
 * "{NAME = VALUE}", separated by white space and commas. Plain names have no effect here.
 * @return OK; CONFIG; NOMEM. */
dictum_status environment_import(const char *list, dictum_error *err);

#endif
