/* SPDX-License-Identifier: BSD-2-Clause */
/* sqlstate.c - which answer an error of the server's means. */
#include "sqlstate.h"

#include <string.h>

/* The first that the state begins with decides. What is not listed is a mistake to be mended. */
static const struct {
  const char *begin;
  dictum_status status;
} meanings[] = {
    {"08P01", DICTUM_CONFIG},  /* protocol violation: it would be one the next time, too */
    {"08", DICTUM_RETRY},      /* connection exceptions, also of a foreign server */
    {"22P02", DICTUM_INVALID}, /* the key is not of the type: 'abc' for a number */
    {"22P03", DICTUM_INVALID}, {"22P05", DICTUM_INVALID}, /* not in the database's encoding */
    {"22021", DICTUM_INVALID},                            /* not in the connection's encoding */
    {"22003", DICTUM_INVALID},                            /* too large a number */
    {"22007", DICTUM_INVALID}, {"22008", DICTUM_INVALID}, /* no date */
    {"2201B", DICTUM_INVALID},                            /* no regular expression */
    {"22019", DICTUM_INVALID}, {"22025", DICTUM_INVALID}, /* no pattern of LIKE */
    {"25006", DICTUM_RETRY},                              /* it is a standby, still */
    {"25P", DICTUM_RETRY},                                /* a session that was idle too long */
    {"40", DICTUM_RETRY},                                 /* rolled back in favour of another */
    {"53", DICTUM_RETRY},                                 /* out of resources */
    {"55000", DICTUM_RETRY},   {"55006", DICTUM_RETRY},
    {"55P03", DICTUM_RETRY},                             /* locked, in use */
    {"57", DICTUM_RETRY},                                /* shut down, starting, cancelled */
    {"58P01", DICTUM_CONFIG},                            /* a file that is not there */
    {"58", DICTUM_RETRY},                                /* input and output */
    {"72", DICTUM_RETRY},                                /* snapshot too old */
    {"HV00N", DICTUM_RETRY},                             /* foreign server cannot be reached */
    {"XX001", DICTUM_CONFIG},  {"XX002", DICTUM_CONFIG}, /* damaged data, damaged index */
    {"XX", DICTUM_RETRY},                                /* inner errors */
};

dictum_status sqlstate_status(const char *state) {
  if (!state || !*state)
    return DICTUM_RETRY;
  for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
    if (strncmp(state, meanings[i].begin, strlen(meanings[i].begin)) == 0)
      return meanings[i].status;
  return DICTUM_CONFIG;
}

bool sqlstate_is_syntax(const char *state) {
  return state && strncmp(state, "42", 2) == 0;
}

static bool is_state(const char *text) {
  for (size_t i = 0; i < 5; i++)
    if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z')))
      return false;
  return text[5] == ':';
}

const char *sqlstate_find(const char *message, char state[6]) {
  for (const char *at = message; (at = strstr(at, ":  ")); at++)
    if (is_state(at + 3)) {
      memcpy(state, at + 3, 5);
      state[5] = '\0';
      return at + 10;
    }
  state[0] = '\0';
  return message;
}
