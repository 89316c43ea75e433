/* SPDX-License-Identifier: BSD-2-Clause */
/* status.c - what an answer of libmemcached's means for a table. */
#include "status.h"

/* In doubt it is RETRY: that bounces no mail and loses no entry. */
dictum_status memcache_status(memcached_return_t code) {
  switch (code) {
  case MEMCACHED_SUCCESS:
  case MEMCACHED_STORED:
  case MEMCACHED_DELETED:
  case MEMCACHED_VALUE:
    return DICTUM_OK;

  /* The reply to a question is whole, and the key was not in it. */
  case MEMCACHED_NOTFOUND:
  case MEMCACHED_END:
  case MEMCACHED_DATA_DOES_NOT_EXIST:
    return DICTUM_NOTFOUND;

  case MEMCACHED_E2BIG:
  case MEMCACHED_KEY_TOO_BIG:
  case MEMCACHED_BAD_KEY_PROVIDED:
  case MEMCACHED_NO_KEY_PROVIDED:
    return DICTUM_INVALID;

  /* Nothing that waiting would mend. */
  case MEMCACHED_NO_SERVERS:
  case MEMCACHED_INVALID_HOST_PROTOCOL:
  case MEMCACHED_FAIL_UNIX_SOCKET:
  case MEMCACHED_NOT_SUPPORTED:
  case MEMCACHED_DEPRECATED:
  case MEMCACHED_PARSE_ERROR:
  case MEMCACHED_PARSE_USER_ERROR:
  case MEMCACHED_UNKNOWN_STAT_KEY:
  case MEMCACHED_AUTH_PROBLEM:
  case MEMCACHED_AUTH_FAILURE:
  case MEMCACHED_AUTH_CONTINUE:
    return DICTUM_CONFIG;

  /* No connection, or one that was lost. */
  case MEMCACHED_HOST_LOOKUP_FAILURE: /* a name server may be away */
  case MEMCACHED_CONNECTION_FAILURE:
  case MEMCACHED_CONNECTION_BIND_FAILURE:
  case MEMCACHED_WRITE_FAILURE:
  case MEMCACHED_READ_FAILURE:
  case MEMCACHED_TIMEOUT:
  case MEMCACHED_ERRNO:
  case MEMCACHED_INVALID_ARGUMENTS: /* EINVAL of a system call */
  case MEMCACHED_SERVER_MARKED_DEAD:
  case MEMCACHED_SERVER_TEMPORARILY_DISABLED:
    return DICTUM_RETRY;

  /* Replies that belong to no question of ours, or are cut short. */
  case MEMCACHED_UNKNOWN_READ_FAILURE:
  case MEMCACHED_PROTOCOL_ERROR:
  case MEMCACHED_CLIENT_ERROR:
  case MEMCACHED_SERVER_ERROR:
  case MEMCACHED_ERROR:
  case MEMCACHED_DATA_EXISTS:
  case MEMCACHED_NOTSTORED:
  case MEMCACHED_PARTIAL_READ:
  case MEMCACHED_STAT:
  case MEMCACHED_ITEM:
    return DICTUM_RETRY;

  /* Memory, here or there; and states in which a call should not end. */
  case MEMCACHED_MEMORY_ALLOCATION_FAILURE:
  case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
  case MEMCACHED_FAILURE:
  case MEMCACHED_SOME_ERRORS:
  case MEMCACHED_FETCH_NOTFINISHED:
  case MEMCACHED_BUFFERED:
  case MEMCACHED_IN_PROGRESS:
  case MEMCACHED_MAXIMUM_RETURN:
    return DICTUM_RETRY;
  }
  return DICTUM_RETRY;
}

bool memcache_is_odd_reply(memcached_return_t code) {
  switch (code) {
  case MEMCACHED_UNKNOWN_READ_FAILURE:
  case MEMCACHED_PROTOCOL_ERROR:
  case MEMCACHED_CLIENT_ERROR:
  case MEMCACHED_SERVER_ERROR:
  case MEMCACHED_ERROR:
  case MEMCACHED_DATA_EXISTS:
  case MEMCACHED_NOTSTORED:
  case MEMCACHED_PARTIAL_READ:
  case MEMCACHED_STAT:
  case MEMCACHED_ITEM:
  case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
    return true;
  default:
    return false;
  }
}
