/* SPDX-License-Identifier: BSD-2-Clause */
/* test_redis_reply.c - where a reply of Redis ends, and the status of each of its errors. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply.h"

enum { most = 1000 };

static enum frame frame_of(const char *data, size_t len, size_t *size) {
  const char *why;
  /* In a block of its own, so that a look beyond the end is noticed. */
  char *copy = malloc(len ? len : 1);
  assert_non_null(copy);
  memcpy(copy, data, len);
  enum frame frame = redis_reply_frame(copy, len, most, size, &why);
  free(copy);
  return frame;
}

static void each_beginning_of_a_reply_is_a_part(void **state) {
  (void)state;
  static const char *const whole[] = {
      "+OK\r\n",    "-ERR no\r\n",       ":17\r\n",
      "$-1\r\n",    "*-1\r\n",           "*0\r\n",
      "$0\r\n\r\n", "$5\r\na\r\nbc\r\n", "*2\r\n$1\r\n0\r\n*3\r\n$1\r\na\r\n:1\r\n$-1\r\n"};
  for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
    const size_t len = strlen(whole[i]);
    char more[200];
    size_t size;
    for (size_t part = 1; part < len; part++)
      assert_int_equal(frame_of(whole[i], part, &size), FRAME_PART);
    assert_int_equal(frame_of(whole[i], len, &size), FRAME_WHOLE);
    assert_int_equal(size, len);
    snprintf(more, sizeof more, "%s+more\r\n", whole[i]);
    assert_int_equal(frame_of(more, strlen(more), &size), FRAME_WHOLE);
    assert_int_equal(size, len);
  }
}

static void nonsense_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"hello\r\n",
                                    "+OK\n",
                                    "\r\n",
                                    "$1001\r\n",
                                    "$99999999999999999999999999\r\n",
                                    "$-2\r\n",
                                    "$\r\n",
                                    "$1x\r\n",
                                    "$1\r\nabc",
                                    "*251\r\n",
                                    "*1000000000\r\n",
                                    ":\r\n",
                                    "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
                                    "*1\r\nhello\r\n"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    size_t size;
    assert_int_equal(frame_of(bad[i], strlen(bad[i]), &size), FRAME_BAD);
  }
  char endless[most];
  size_t size;
  memset(endless, '+', sizeof endless);
  assert_int_equal(frame_of(endless, sizeof endless - 1, &size), FRAME_PART);
  assert_int_equal(frame_of(endless, sizeof endless, &size), FRAME_BAD);
}

static void errors_have_their_status(void **state) {
  (void)state;
  static const struct {
    const char *text;
    dictum_status status;
  } cases[] = {
      {"LOADING Redis is loading the dataset in memory", DICTUM_RETRY},
      {"BUSY Redis is busy running a script", DICTUM_RETRY},
      {"CLUSTERDOWN The cluster is down", DICTUM_RETRY},
      {"MASTERDOWN Link with MASTER is down", DICTUM_RETRY},
      {"TRYAGAIN Multiple keys request during rehashing of slot", DICTUM_RETRY},
      {"READONLY You can't write against a read only replica.", DICTUM_RETRY},
      {"OOM command not allowed when used memory > 'maxmemory'.", DICTUM_RETRY},
      {"MISCONF Redis is configured to save RDB snapshots", DICTUM_RETRY},
      {"NOREPLICAS Not enough good replicas to write.", DICTUM_RETRY},
      {"ASK 3999 127.0.0.1:6381", DICTUM_RETRY},
      {"WRONGTYPE Operation against a key", DICTUM_RETRY},
      {"ERR max number of clients reached", DICTUM_RETRY},
      {"NOAUTH Authentication required.", DICTUM_CONFIG},
      {"WRONGPASS invalid username-password pair", DICTUM_CONFIG},
      {"NOPERM this user has no permissions", DICTUM_CONFIG},
      {"MOVED 3999 127.0.0.1:6381", DICTUM_CONFIG},
      {"CROSSSLOT Keys in request don't hash to the same slot", DICTUM_CONFIG},
      {"DENIED Redis is running in protected mode", DICTUM_CONFIG},
      {"NOPROTO unsupported protocol version", DICTUM_CONFIG},
      {"ERR unknown command", DICTUM_CONFIG},
      {"ERR", DICTUM_CONFIG},
      {"ERRATIC", DICTUM_RETRY},
      {"SOMETHING new", DICTUM_RETRY},
      {"", DICTUM_RETRY},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(redis_error_status(cases[i].text, strlen(cases[i].text)), cases[i].status);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_beginning_of_a_reply_is_a_part),
      cmocka_unit_test(nonsense_is_refused),
      cmocka_unit_test(errors_have_their_status),
  };
  return cmocka_run_group_tests_name("redis_reply", tests, NULL, NULL);
}
