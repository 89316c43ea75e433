/* SPDX-License-Identifier: BSD-2-Clause */
/* test_mongodb.c - what MongoDB is asked: whatever a key is, it stays where it is put; which of its
 * messages its library gets to see; what the errors of that library mean, and where its log goes.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../plugins/mongodb/errors.h"
#include "../../plugins/mongodb/filter.h"
#include "../../plugins/mongodb/guard.h"
#include "../../plugins/mongodb/link.h"
#include "host.h"

/* ---- filters -------------------------------------------------------------------------------- */

static void test_filters(void **state) {
  (void)state;
  static const struct {
    const char *filter, *key, *wanted; /* wanted NULL: there is nothing to ask */
  } cases[] = {
      {"{\"a\":\"%s\"}", "it's \"x\"\\", "{\"a\":\"it's \\\"x\\\"\\\\\"}"},
      {"{\"a\":\"%s\"}", "{\"$gt\":\"\"}", "{\"a\":\"{\\\"$gt\\\":\\\"\\\"}\"}"},
      {"{\"a\":\"<%u> at %d\"}", "x@y", "{\"a\":\"<x> at y\"}"},
      {"{\"a\":\"%u\",\"b\":[\"%d\",{\"c\":\"%1\"}]}", "x@y.z",
       "{\"a\":\"x\",\"b\":[\"y.z\",{\"c\":\"z\"}]}"},
      {"{\"a\":\"%d\"}", "x", NULL},
      {"{\"a\":\"%s\"}", "\xff", NULL},
      {"{\"a\":\"100%%\",\"n\":1,\"b\":\"%s\"}", "%s", "{\"a\":\"100%\",\"n\":1,\"b\":\"%s\"}"},
      {"{\"$expr\":{\"$eq\":[\"$a\",\"%s\"]}}", "$b",
       "{\"$expr\":{\"$eq\":[\"$a\",{\"$literal\":\"$b\"}]}}"},
      {"{\"$expr\":{\"$eq\":[\"$a\",{\"$literal\":\"%s\"}]}}", "$b",
       "{\"$expr\":{\"$eq\":[\"$a\",{\"$literal\":\"$b\"}]}}"},
      {"{\"a\":{\"$regex\":\"^%s$\",\"$options\":\"i\"}}", "a.b",
       "{\"a\":{\"$regex\":\"^a\\\\.b$\",\"$options\":\"i\"}}"},
      {"{\"$expr\":{\"$in\":[\"$a\",[{\"$regex\":\"%s\"}]]}}", "$.",
       "{\"$expr\":{\"$in\":[\"$a\",[{\"$regex\":\"\\\\$\\\\.\"}]]}}"},
      {"{\"a\":{\"$not\":{\"$regex\":\"\\\\\\\\%s\"}}}", "\\d",
       "{\"a\":{\"$not\":{\"$regex\":\"\\\\\\\\\\\\\\\\d\"}}}"},
      {"{\"a\":{\"$in\":[\"%s\",\"\"]},\"t\":true}", "\x01",
       "{\"a\":{\"$in\":[\"\\u0001\",\"\"]},"
       "\"t\":true}"},
      {"{\"a\":\"%s\"}",
       "\x01"
       "1\x01",
       "{\"a\":\"\\u00011\\u0001\"}"},
      {"{}", "x", "{}"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct filter *filter = NULL;
    bson_t filled, *wanted;
    const struct address key = address_of(cases[i].key, strlen(cases[i].key));
    assert_int_equal(mongo_filter_parse(&host_services, cases[i].filter, "x.cf", &filter, NULL),
                     DICTUM_OK);
    enum filter_answer answer = mongo_filter_fill(filter, &key, &filled);
    assert_int_equal(answer, cases[i].wanted ? FILTER_DONE : FILTER_SUPPRESSED);
    if (cases[i].wanted) {
      wanted = bson_new_from_json((const uint8_t *)cases[i].wanted, -1, NULL);
      assert_non_null(wanted);
      assert_true(bson_equal(&filled, wanted));
      bson_destroy(wanted);
    }
    bson_destroy(&filled);
    mongo_filter_free(filter);
  }
}

static void test_refused(void **state) {
  (void)state;
  static const char *const filters[] = {
      "",
      "%s",
      "[\"%s\"]",
      "{\"a\":%s}",
      "{\"a\":\"%s\"",
      "{\"a\":\"%s\"} {}",
      "{\"%s\":1}",
      "{\"a\":{\"%s\":1}}",
      "{\"$where\":\"%s\"}",
      "{\"a\":{\"$where\":[{\"b\":\"%s\"}]}}",
      "{\"$expr\":{\"$function\":{\"body\":\"%s\"}}}",
      "{\"$expr\":{\"$eq\":[\"$%u\",1]}}",
      "{\"$literal\":\"%s\"}",
      "{\"$text\":{\"$search\":\"%s\"}}",
      "{\"a\":{\"$regex\":\"\\\\Q%s\"}}",
      "{\"a\":{\"$regex\":\"\\\\%s\"}}",
      "{\"a\":{\"$regex\":\"x\",\"$options\":\"%s\"}}",
      "{\"a\":{\"$code\":\"%s\"}}",
      "{\"a\":{\"$symbol\":\"%s\"}}",
      "{\"a\":{\"$oid\":\"%s\"}}",
      "{\"a\":{\"$date\":\"%s\"}}",
      "{\"a\":{\"$numberLong\":\"%s\"}}",
      "{\"a\":{\"$binary\":{\"base64\":\"%s\",\"subType\":\"00\"}}}",
      "{\"a\":\"\\u0001%s\"}",
      "{\"a\":\"\\u00010\\u0001\"}",
      "{\"a\":\"\\u0000%s\"}",
      "{\"a\":\"%x\"}",
      "{\"a\":\"%\"}",
  };
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
    struct filter *filter = NULL;
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(mongo_filter_parse(&host_services, filters[i], "x.cf", &filter, &err),
                     DICTUM_CONFIG);
    assert_null(filter);
    assert_non_null(strstr(err.what, "x.cf: "));
  }
}

/* ---- messages ------------------------------------------------------------------------------- */

struct message {
  uint8_t bytes[400];
  size_t len;
};

static void put_number(uint8_t *to, uint32_t number) {
  number = BSON_UINT32_TO_LE(number);
  memcpy(to, &number, sizeof number);
}

static struct message make_message(uint32_t op, const char *json) {
  struct message message = {.len = op == 1 ? 36 : 21};
  bson_t *document = bson_new_from_json((const uint8_t *)json, -1, NULL);
  assert_non_null(document);
  memcpy(message.bytes + message.len, bson_get_data(document), document->len);
  message.len += document->len;
  put_number(message.bytes, (uint32_t)message.len);
  put_number(message.bytes + 12, op);
  if (op == 1)
    put_number(message.bytes + 32, 1);
  bson_destroy(document);
  return message;
}

/* Of exactly so many bytes, for the sake of sanitizers. */
static bool is_sound(const struct message *message) {
  uint8_t *copy = malloc(message->len ? message->len : 1);
  assert_non_null(copy);
  memcpy(copy, message->bytes, message->len);
  bool sound = mongo_guard_is_sound(copy, message->len);
  free(copy);
  return sound;
}

static void test_messages(void **state) {
  (void)state;
  static const char json[] = "{\"cursor\":{\"firstBatch\":[{\"a\":\"b\",\"c\":[1,{\"$numberLong\":"
                             "\"2\"},{\"$regex\":\"x\"}]}"
                             "],\"id\":{\"$numberLong\":\"0\"},\"ns\":\"m.u\"},\"ok\":1.0}";
  static const uint32_t kinds[] = {1, 2013};
  for (size_t i = 0; i < 2; i++) {
    const struct message good = make_message(kinds[i], json);
    assert_true(is_sound(&good));
    for (size_t len = 0; len < good.len; len++) {
      struct message cut = good;
      cut.len = len;
      assert_false(is_sound(&cut));
      if (len < 16)
        continue;
      put_number(cut.bytes, (uint32_t)len); /* and it says so */
      assert_false(is_sound(&cut));
    }
    struct message bad = good;
    put_number(bad.bytes + 12, 2012); /* compressed */
    assert_false(is_sound(&bad));
    bad = good;
    put_number(bad.bytes, UINT32_MAX);
    assert_false(is_sound(&bad));
    bad = good;
    bad.bytes[bad.len++] = 0; /* there is more */
    put_number(bad.bytes, (uint32_t)bad.len);
    assert_false(is_sound(&bad));
  }
}

/* As libmongoc does, which ends the process when there is none. */
static void enter(const uint8_t *bytes, size_t len) {
  bson_t document;
  bson_iter_t iter;
  assert_true(bson_init_static(&document, bytes, len));
  assert_true(bson_iter_init(&iter, &document));
  while (bson_iter_next(&iter)) {
    uint32_t inner = 0;
    if (BSON_ITER_HOLDS_DOCUMENT(&iter))
      bson_iter_document(&iter, &inner, &bytes);
    else if (BSON_ITER_HOLDS_ARRAY(&iter))
      bson_iter_array(&iter, &inner, &bytes);
    if (inner > 0)
      enter(bytes, inner);
  }
}

/* Whatever the bytes are, nothing is read outside of them, and what gets through can be walked. */
static void test_any_bytes(void **state) {
  (void)state;
  const struct message good = make_message(2013,
                                           "{\"a\":[{\"b\":\"c\"},[1,2]],\"d\":{\"e\":null}}");
  for (size_t place = 16; place < good.len; place++)
    for (unsigned byte = 0; byte < 256; byte++) {
      struct message changed = good;
      changed.bytes[place] = (uint8_t)byte;
      if (is_sound(&changed))
        enter(changed.bytes + 21, changed.len - 21);
    }
}

static void test_depth(void **state) {
  (void)state;
  static const struct {
    unsigned depth;
    bool sound;
  } cases[] = {{1, true}, {100, true}, {199, true}, {300, false}, {1000000, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const size_t n = cases[i].depth, len = 21 + n * 8 + 5;
    uint8_t *bytes = calloc(1, len), *at = bytes + 21;
    assert_non_null(bytes);
    put_number(bytes, (uint32_t)len);
    put_number(bytes + 12, 2013);
    for (size_t j = 0; j < n; j++, at += 7) {
      put_number(at, (uint32_t)((n - j) * 8 + 5));
      memcpy(at + 4,
             "\x04"
             "0",
             3);
    }
    put_number(at, 5);
    assert_int_equal(mongo_guard_is_sound(bytes, len), cases[i].sound);
    free(bytes);
  }
}

/* ---- errors --------------------------------------------------------------------------------- */

/* Those of the server are raised one by one in servers/test_mongodb.py. */
static void test_errors(void **state) {
  (void)state;
  static const struct {
    uint32_t domain, code;
    dictum_status status;
    bool stays;
  } cases[] = {
      {MONGOC_ERROR_SERVER, 50, DICTUM_RETRY, true},
      {MONGOC_ERROR_SERVER, 91, DICTUM_RETRY, false},
      {MONGOC_ERROR_SERVER, 13, DICTUM_CONFIG, true},
      {MONGOC_ERROR_SERVER, 51091, DICTUM_INVALID, true},
      {MONGOC_ERROR_SERVER, 0, DICTUM_CONFIG, true},
      {MONGOC_ERROR_SERVER_SELECTION, 13053, DICTUM_RETRY, false},
      {MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, DICTUM_RETRY, false},
      {MONGOC_ERROR_PROTOCOL, MONGOC_ERROR_PROTOCOL_INVALID_REPLY, DICTUM_RETRY, false},
      {MONGOC_ERROR_CURSOR, MONGOC_ERROR_CURSOR_INVALID_CURSOR, DICTUM_RETRY, false},
      {MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, DICTUM_CONFIG, false},
      {MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_TOO_BIG, DICTUM_INVALID, false},
      {MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_NOT_READY, DICTUM_RETRY, false},
      {MONGOC_ERROR_SCRAM, MONGOC_ERROR_SCRAM_PROTOCOL_ERROR, DICTUM_CONFIG, false},
      {MONGOC_ERROR_COMMAND, MONGOC_ERROR_COMMAND_INVALID_ARG, DICTUM_CONFIG, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const bson_error_t error = {.domain = cases[i].domain, .code = cases[i].code};
    assert_int_equal(mongo_error_status(&error), cases[i].status);
    assert_int_equal(mongo_error_leaves_link(&error), cases[i].stays);
  }
}

/* ---- what the library logs ------------------------------------------------------------------ */

/* @return how many bytes go to standard error when the library logs something */
static long logged(void) {
  FILE *file = tmpfile();
  assert_non_null(file);
  fflush(stderr);
  const int before = dup(STDERR_FILENO);
  assert_true(before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
  mongoc_log(MONGOC_LOG_LEVEL_WARNING, "test", "%s", "something is wrong");
  fflush(stderr);
  dup2(before, STDERR_FILENO);
  close(before);
  fseek(file, 0, SEEK_END);
  const long size = ftell(file);
  fclose(file);
  return size;
}

static void test_log(void **state) {
  (void)state;
  mongo_library_start();
  mongo_library_hush();
  assert_int_equal(logged(), 0);
  mongo_library_hush();
  mongo_library_unhush();
  assert_int_equal(logged(), 0);
  mongo_library_unhush();
  assert_true(logged() > 0); /* in calls of others it is as by default */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_filters),  cmocka_unit_test(test_refused),
      cmocka_unit_test(test_messages), cmocka_unit_test(test_any_bytes),
      cmocka_unit_test(test_depth),    cmocka_unit_test(test_errors),
      cmocka_unit_test(test_log),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
