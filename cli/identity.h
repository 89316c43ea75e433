/* SPDX-License-Identifier: BSD-2-Clause */
/* identity.h - working as the owner of a file for a while, when started by root. */
#ifndef DICTUM_CLI_IDENTITY_H
#define DICTUM_CLI_IDENTITY_H

#include <dictum.h>
#include <stdbool.h>
#include <sys/types.h>

/** Who this process was. */
struct identity {
  bool changed;
  uid_t uid;
  gid_t gid;
  int ngroups;
  gid_t *groups;
};

/** Becomes @p uid and @p gid, without any other group. Does nothing unless this is root.
 * @param saved  to be handed to identity_restore(), also after a failure
 * @return OK; CONFIG; NOMEM. */
dictum_status identity_become(struct identity *saved, uid_t uid, gid_t gid, dictum_error *err);
/** Becomes root again. Ends the process if that is refused: it must not go on as somebody else. */
void identity_restore(struct identity *saved);

#endif
