/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slow_names.c - a resolver that hangs, for LD_PRELOAD.
 *
 * Names that end in ".slow.test" are looked up for a minute; "both.test" has the
 * addresses ::1 and 127.0.0.1, in this order. All others are the system's.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static bool ends_with(const char *name, const char *end) {
  size_t len = strlen(name), end_len = strlen(end);
  return len >= end_len && strcmp(name + len - end_len, end) == 0;
}

static int find_both(lookup *real, const char *service, const struct addrinfo *hints,
                     struct addrinfo **list) {
  struct addrinfo *last;
  int error = real("::1", service, hints, list);
  if (error)
    return error;
  for (last = *list; last->ai_next; last = last->ai_next)
    ;
  return real("127.0.0.1", service, hints, &last->ai_next);
}

__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **list) {
  lookup *real = NULL;
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  bool is_name = name && !(hints && hints->ai_flags & AI_NUMERICHOST);
  if (is_name && ends_with(name, ".slow.test")) {
    sleep(60);
    return EAI_AGAIN;
  }
  if (is_name && strcmp(name, "both.test") == 0)
    return find_both(real, service, hints, list);
  return real(name, service, hints, list);
}
