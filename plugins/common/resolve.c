/* SPDX-License-Identifier: BSD-2-Clause */
/* resolve.c - the addresses of a name, before a deadline. */
#include "resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "aside.h"

struct request {
  int error; /* of getaddrinfo() */
  struct addresses found;
  char name[];
};

static int find(const char *name, int flags, struct addresses *out) {
  const struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM};
  struct addrinfo *list;
  out->n = 0;
  int error = getaddrinfo(name, NULL, &hints, &list);
  if (error)
    return error;
  for (const struct addrinfo *info = list; info && out->n < most_addresses; info = info->ai_next)
    if (getnameinfo(info->ai_addr, info->ai_addrlen, out->text[out->n], address_size, NULL, 0,
                    NI_NUMERICHOST) == 0)
      out->n++;
  freeaddrinfo(list);
  return out->n > 0 ? 0 : EAI_NONAME;
}

static void work(void *job) {
  struct request *request = job;
  request->error = find(request->name, 0, &request->found);
}

static const char *failed(const char *why, int code, int *sys_errno) {
  *sys_errno = code;
  return why;
}

const char *resolve(const char *name, int64_t deadline, struct addresses *out, int *sys_errno) {
  if (find(name, AI_NUMERICHOST, out) == 0)
    return NULL;
  const size_t size = strlen(name) + 1;
  struct request *request = malloc(sizeof *request + size);
  if (!request)
    return failed("out of memory", ENOMEM, sys_errno);
  memcpy(request->name, name, size);
  enum aside_answer answer = aside_run(work, free, request, deadline);
  if (answer == ASIDE_LATE)
    return failed("looking up the host name timed out", ETIMEDOUT, sys_errno);
  if (answer != ASIDE_DONE)
    return failed(aside_why(answer), answer == ASIDE_NOMEM ? ENOMEM : 0, sys_errno);
  int error = request->error;
  *out = request->found;
  free(request);
  return error ? failed(gai_strerror(error), 0, sys_errno) : NULL;
}
