/* SPDX-License-Identifier: BSD-2-Clause */
/* errors.c - what an error number of the server or of its library means. */
#include "errors.h"

#include <stddef.h>

enum scope { KEY, HOST, END };

/* In the order of numbers. What is not listed is a mistake to be mended. */
static const struct {
  unsigned number;
  dictum_status status;
  enum scope scope;
} meanings[] = {
    {1020, DICTUM_RETRY, KEY},   /* record has changed since last read */
    {1021, DICTUM_RETRY, HOST},  /* disk full */
    {1030, DICTUM_RETRY, KEY},   /* error of a storage engine */
    {1037, DICTUM_RETRY, HOST},  /* out of memory */
    {1038, DICTUM_RETRY, HOST},  /* out of memory for sorting */
    {1040, DICTUM_RETRY, HOST},  /* too many connections */
    {1041, DICTUM_RETRY, HOST},  /* out of memory */
    {1047, DICTUM_RETRY, HOST},  /* a node of a cluster that is not ready */
    {1053, DICTUM_RETRY, END},   /* shutting down */
    {1077, DICTUM_RETRY, END},   /* the same */
    {1079, DICTUM_RETRY, END},   /* the same */
    {1105, DICTUM_RETRY, KEY},   /* unknown */
    {1135, DICTUM_RETRY, HOST},  /* no thread */
    {1139, DICTUM_INVALID, KEY}, /* no regular expression */
    {1152, DICTUM_RETRY, END},   /* aborted */
    {1153, DICTUM_INVALID, END}, /* the question is longer than max_allowed_packet */
    {1158, DICTUM_RETRY, END},   /* reading and writing packets */
    {1159, DICTUM_RETRY, END},   {1160, DICTUM_RETRY, END},
    {1161, DICTUM_RETRY, END},   {1180, DICTUM_RETRY, KEY}, /* error during commit */
    {1184, DICTUM_RETRY, END},                              /* aborted */
    {1203, DICTUM_RETRY, HOST},                             /* too many connections of this user */
    {1205, DICTUM_RETRY, KEY},                              /* waited too long for a lock */
    {1206, DICTUM_RETRY, KEY},                              /* too many locks */
    {1213, DICTUM_RETRY, KEY},                              /* deadlock */
    {1223, DICTUM_RETRY, HOST},                             /* a read lock on all */
    {1226, DICTUM_RETRY, HOST},                             /* the user has used up an allowance */
    {1264, DICTUM_INVALID, KEY},                            /* out of range */
    {1267, DICTUM_INVALID, KEY}, /* cannot be compared in this character set */
    {1290, DICTUM_RETRY, HOST},  /* read-only */
    {1292, DICTUM_INVALID, KEY}, /* no number, no date */
    {1297, DICTUM_RETRY, KEY},   /* temporary error */
    {1300, DICTUM_INVALID, KEY}, /* not in the character set */
    {1317, DICTUM_RETRY, KEY},   /* interrupted */
    {1366, DICTUM_INVALID, KEY}, /* not of the column's type */
    {1406, DICTUM_INVALID, KEY}, /* too long */
    {1412, DICTUM_RETRY, KEY},   /* the table has changed meanwhile */
    {1525, DICTUM_INVALID, KEY}, /* wrong value */
    {1615, DICTUM_RETRY, KEY},   /* to be prepared again */
    {1637, DICTUM_RETRY, HOST},  /* too many transactions */
    {1690, DICTUM_INVALID, KEY}, /* out of range in a calculation */
    {1792, DICTUM_RETRY, HOST},  /* a transaction that only reads */
    {1836, DICTUM_RETRY, HOST},  /* read-only */
    {1927, DICTUM_RETRY, END},   /* MariaDB: killed */
    {1969, DICTUM_RETRY, KEY},   /* MariaDB: ran for too long */
    {2002, DICTUM_RETRY, END},   /* nobody there */
    {2003, DICTUM_RETRY, END},   /* the same */
    {2005, DICTUM_RETRY, END},   /* unknown host */
    {2006, DICTUM_RETRY, END},   /* gone */
    {2008, DICTUM_NOMEM, END},   /* out of memory */
    {2012, DICTUM_RETRY, END},   /* error in the handshake */
    {2013, DICTUM_RETRY, END},   /* lost */
    {2014, DICTUM_RETRY, END},   /* out of step */
    {2020, DICTUM_INVALID, END}, /* a packet is too large */
    {2027, DICTUM_RETRY, END},   /* malformed packet */
    {2055, DICTUM_RETRY, END},   /* lost */
    {3024, DICTUM_RETRY, KEY},   /* ran for too long */
    {3032, DICTUM_RETRY, HOST},  /* offline mode */
    {3058, DICTUM_RETRY, KEY},   /* deadlock of user locks */
    {3100, DICTUM_RETRY, HOST},  /* a plugin of replication refuses */
    {3101, DICTUM_RETRY, KEY},   /* rolled back by it */
    {3168, DICTUM_RETRY, HOST},  /* not able to serve */
    {3169, DICTUM_RETRY, END},   /* killed */
    {3572, DICTUM_RETRY, KEY},   /* locked */
    {3685, DICTUM_INVALID, KEY}, /* no regular expression: 3685 to 3700 of ICU */
    {3692, DICTUM_INVALID, KEY}, {3696, DICTUM_INVALID, KEY},
    {3697, DICTUM_INVALID, KEY}, {3854, DICTUM_INVALID, KEY}, /* not in the character set */
    {4031, DICTUM_RETRY, END},                                /* idle for too long */
};

enum { nmeanings = sizeof meanings / sizeof *meanings };

/* @return nmeanings when it is not listed */
static size_t find(unsigned number) {
  size_t i = 0;
  while (i < nmeanings && meanings[i].number != number)
    i++;
  return i;
}

dictum_status maria_error_status(unsigned number) {
  size_t i = find(number);
  return i < nmeanings ? meanings[i].status : DICTUM_CONFIG;
}

bool maria_error_is_end(unsigned number) {
  size_t i = find(number);
  return i < nmeanings && meanings[i].scope == END;
}

bool maria_error_is_of_host(unsigned number) {
  size_t i = find(number);
  return i < nmeanings && meanings[i].scope == HOST;
}
