/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix.c - "unix:passwd.byname" and "unix:group.byname": users and groups of the system.
 *
 * Values are lines as in passwd(5) and group(5), without the password proper,
 * which the system does not show. Threads: any number.
 */
#include "builtin.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "error.h"

/* What one record may take, with all members of a group. */
enum { first_room = 4096, most_room = 16 * 1024 * 1024 };

struct accounts {
  const dictum_host *host;
  bool groups;
};

static dictum_status unix_open(const dictum_host *host, const dictum_open_args *args, void **self,
                               dictum_error *err) {
  bool groups = strcmp(args->name, "group.byname") == 0;
  if (!groups && strcmp(args->name, "passwd.byname") != 0)
    return error_set(err, DICTUM_CONFIG, 0, "unknown table: unix:%s", args->name);
  struct accounts *accounts = calloc(1, sizeof *accounts);
  if (!accounts)
    return error_nomem(err);
  accounts->host = host;
  accounts->groups = groups;
  *self = accounts;
  return DICTUM_OK;
}

static void unix_close(void *self) {
  free(self);
}

static bool write_user(const struct passwd *user, dictum_buf *out) {
  char numbers[64];
  snprintf(numbers, sizeof numbers, ":%ld:%ld:", (long)user->pw_uid, (long)user->pw_gid);
  return buf_append_str(out, user->pw_name) && buf_append_char(out, ':') &&
         buf_append_str(out, user->pw_passwd) && buf_append_str(out, numbers) &&
         buf_append_str(out, user->pw_gecos) && buf_append_char(out, ':') &&
         buf_append_str(out, user->pw_dir) && buf_append_char(out, ':') &&
         buf_append_str(out, user->pw_shell);
}

static bool write_group(const struct group *group, dictum_buf *out) {
  char number[32];
  snprintf(number, sizeof number, ":%ld:", (long)group->gr_gid);
  bool good = buf_append_str(out, group->gr_name) && buf_append_char(out, ':') &&
              buf_append_str(out, group->gr_passwd) && buf_append_str(out, number);
  for (char **member = group->gr_mem; good && *member; member++)
    good = (member == group->gr_mem || buf_append_char(out, ',')) && buf_append_str(out, *member);
  return good;
}

/* One attempt with @p room bytes. @return an errno; ENOENT: there is none; ERANGE: more room. */
static int find(bool groups, const char *name, char *text, size_t room, dictum_buf *out) {
  struct passwd user, *the_user = NULL;
  struct group group, *the_group = NULL;
  int error = groups ? getgrnam_r(name, &group, text, room, &the_group)
                     : getpwnam_r(name, &user, text, room, &the_user);
  /* Some of these say that there is none by way of an error. */
  if (error == ENOENT || error == ESRCH || (error == 0 && !the_user && !the_group))
    return ENOENT;
  if (error)
    return error;
  return (groups ? write_group(the_group, out) : write_user(the_user, out)) ? 0 : ENOMEM;
}

static dictum_status answer(const struct accounts *accounts, int error, const dictum_buf *value,
                            dictum_sink *sink, dictum_error *err) {
  if (error == 0)
    return accounts->host->emit(sink, value->data, value->len);
  if (error == ENOENT)
    return DICTUM_NOTFOUND;
  if (error == ENOMEM)
    return error_nomem(err);
  return error_set(err, DICTUM_RETRY, error, "cannot look %s up: %s",
                   accounts->groups ? "the group" : "the user", ERRNO_TEXT(error));
}

static dictum_status unix_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                 dictum_sink *sink, dictum_error *err) {
  (void)call;
  const struct accounts *accounts = self;
  if (len == 0 || memchr(key, '\0', len))
    return DICTUM_NOTFOUND;
  char *name = strndup(key, len), *text = NULL;
  dictum_buf value = {0};
  int error = name ? ERANGE : ENOMEM;
  for (size_t room = first_room; error == ERANGE && room <= most_room; room *= 4) {
    free(text);
    text = malloc(room);
    buf_clear(&value);
    error = text ? find(accounts->groups, name, text, room, &value) : ENOMEM;
  }
  dictum_status status = answer(accounts, error, &value, sink, err);
  dictum_buf_free(&value);
  free(text);
  free(name);
  return status;
}

const dictum_type unix_type = {
    .name = "unix",
    .summary = "users and groups of the system: passwd.byname, group.byname",
    .caps = DICTUM_CAP_MAY_WAIT,
    .threads = DICTUM_THREADS_PARALLEL,
    .open = unix_open,
    .close = unix_close,
    .forget = unix_close,
    .lookup = unix_lookup,
};
