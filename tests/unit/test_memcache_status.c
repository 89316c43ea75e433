/* SPDX-License-Identifier: BSD-2-Clause */
/* test_memcache_status.c - what each answer of libmemcached's means: all of them, one by one. */
#include "unit.h"

#include "../../plugins/memcache/status.h"

/* The table of memcache_table(5), written down a second time. */
static const struct {
  memcached_return_t code;
  dictum_status status;
  bool odd_reply;
} codes[] = {
    {MEMCACHED_SUCCESS, DICTUM_OK, false},
    {MEMCACHED_FAILURE, DICTUM_RETRY, false},
    {MEMCACHED_HOST_LOOKUP_FAILURE, DICTUM_RETRY, false},
    {MEMCACHED_CONNECTION_FAILURE, DICTUM_RETRY, false},
    {MEMCACHED_CONNECTION_BIND_FAILURE, DICTUM_RETRY, false},
    {MEMCACHED_WRITE_FAILURE, DICTUM_RETRY, false},
    {MEMCACHED_READ_FAILURE, DICTUM_RETRY, false},
    {MEMCACHED_UNKNOWN_READ_FAILURE, DICTUM_RETRY, true},
    {MEMCACHED_PROTOCOL_ERROR, DICTUM_RETRY, true},
    {MEMCACHED_CLIENT_ERROR, DICTUM_RETRY, true},
    {MEMCACHED_SERVER_ERROR, DICTUM_RETRY, true},
    {MEMCACHED_ERROR, DICTUM_RETRY, true},
    {MEMCACHED_DATA_EXISTS, DICTUM_RETRY, true},
    {MEMCACHED_DATA_DOES_NOT_EXIST, DICTUM_NOTFOUND, false},
    {MEMCACHED_NOTSTORED, DICTUM_RETRY, true},
    {MEMCACHED_STORED, DICTUM_OK, false},
    {MEMCACHED_NOTFOUND, DICTUM_NOTFOUND, false},
    {MEMCACHED_MEMORY_ALLOCATION_FAILURE, DICTUM_RETRY, false},
    {MEMCACHED_PARTIAL_READ, DICTUM_RETRY, true},
    {MEMCACHED_SOME_ERRORS, DICTUM_RETRY, false},
    {MEMCACHED_NO_SERVERS, DICTUM_CONFIG, false},
    {MEMCACHED_END, DICTUM_NOTFOUND, false},
    {MEMCACHED_DELETED, DICTUM_OK, false},
    {MEMCACHED_VALUE, DICTUM_OK, false},
    {MEMCACHED_STAT, DICTUM_RETRY, true},
    {MEMCACHED_ITEM, DICTUM_RETRY, true},
    {MEMCACHED_ERRNO, DICTUM_RETRY, false},
    {MEMCACHED_FAIL_UNIX_SOCKET, DICTUM_CONFIG, false},
    {MEMCACHED_NOT_SUPPORTED, DICTUM_CONFIG, false},
    {MEMCACHED_NO_KEY_PROVIDED, DICTUM_INVALID, false},
    {MEMCACHED_FETCH_NOTFINISHED, DICTUM_RETRY, false},
    {MEMCACHED_TIMEOUT, DICTUM_RETRY, false},
    {MEMCACHED_BUFFERED, DICTUM_RETRY, false},
    {MEMCACHED_BAD_KEY_PROVIDED, DICTUM_INVALID, false},
    {MEMCACHED_INVALID_HOST_PROTOCOL, DICTUM_CONFIG, false},
    {MEMCACHED_SERVER_MARKED_DEAD, DICTUM_RETRY, false},
    {MEMCACHED_UNKNOWN_STAT_KEY, DICTUM_CONFIG, false},
    {MEMCACHED_E2BIG, DICTUM_INVALID, false},
    {MEMCACHED_INVALID_ARGUMENTS, DICTUM_RETRY, false},
    {MEMCACHED_KEY_TOO_BIG, DICTUM_INVALID, false},
    {MEMCACHED_AUTH_PROBLEM, DICTUM_CONFIG, false},
    {MEMCACHED_AUTH_FAILURE, DICTUM_CONFIG, false},
    {MEMCACHED_AUTH_CONTINUE, DICTUM_CONFIG, false},
    {MEMCACHED_PARSE_ERROR, DICTUM_CONFIG, false},
    {MEMCACHED_PARSE_USER_ERROR, DICTUM_CONFIG, false},
    {MEMCACHED_DEPRECATED, DICTUM_CONFIG, false},
    {MEMCACHED_IN_PROGRESS, DICTUM_RETRY, false},
    {MEMCACHED_SERVER_TEMPORARILY_DISABLED, DICTUM_RETRY, false},
    {MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE, DICTUM_RETRY, true},
    {MEMCACHED_MAXIMUM_RETURN, DICTUM_RETRY, false},
};

static void test_every_code(void **state) {
  (void)state;
  assert_int_equal(sizeof codes / sizeof *codes, MEMCACHED_MAXIMUM_RETURN + 1);
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    assert_int_equal(codes[i].code, i);
    assert_int_equal(memcache_status(codes[i].code), codes[i].status);
    assert_int_equal(memcache_is_odd_reply(codes[i].code), codes[i].odd_reply);
  }
}

/* What a later library may add is in doubt. */
static void test_unknown_codes(void **state) {
  (void)state;
  assert_int_equal(memcache_status((memcached_return_t)(MEMCACHED_MAXIMUM_RETURN + 1)),
                   DICTUM_RETRY);
  assert_int_equal(memcache_status((memcached_return_t)12345), DICTUM_RETRY);
  assert_false(memcache_is_odd_reply((memcached_return_t)12345));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_code),
      cmocka_unit_test(test_unknown_codes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
