/* SPDX-License-Identifier: BSD-2-Clause */
/* identity.c - working as the owner of a file for a while, when started by root. */
#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static dictum_status fail(dictum_error *err, dictum_status status, int sys_errno) {
  if (!err)
    return status;
  *err = (dictum_error)DICTUM_ERROR_INIT;
  err->status = status;
  err->sys_errno = sys_errno;
  snprintf(err->what, sizeof err->what, "become the owner of the source: %s", strerror(sys_errno));
  return status;
}

static bool remember(struct identity *saved) {
  saved->uid = geteuid();
  saved->gid = getegid();
  saved->ngroups = getgroups(0, NULL);
  if (saved->ngroups < 0)
    return false;
  saved->groups = calloc((size_t)saved->ngroups + 1, sizeof *saved->groups);
  if (!saved->groups)
    return false;
  saved->ngroups = getgroups(saved->ngroups, saved->groups);
  return saved->ngroups >= 0;
}

dictum_status identity_become(struct identity *saved, uid_t uid, gid_t gid, dictum_error *err) {
  *saved = (struct identity){0};
  if (geteuid() != 0 || (uid == 0 && gid == getegid()))
    return DICTUM_OK;
  if (!remember(saved))
    return fail(err, errno == ENOMEM ? DICTUM_NOMEM : DICTUM_CONFIG, errno);
  saved->changed = true;
  if (setegid(gid) != 0 || setgroups(1, &gid) != 0 || seteuid(uid) != 0)
    return fail(err, DICTUM_CONFIG, errno);
  return DICTUM_OK;
}

void identity_restore(struct identity *saved) {
  if (saved->changed && (seteuid(saved->uid) != 0 || setegid(saved->gid) != 0 ||
                         setgroups((size_t)saved->ngroups, saved->groups) != 0)) {
    perror("cannot become root again");
    _exit(1);
  }
  free(saved->groups);
  *saved = (struct identity){0};
}
