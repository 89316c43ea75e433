/* SPDX-License-Identifier: BSD-2-Clause */
/* test_options.c - the settings of one table: where they come from, and what is refused. */
#include "unit.h"

#include <string.h>

#include "ctx.h"
#include "heard.h"
#include "options.h"

static const dictum_opt opts[] = {
    {"host", DICTUM_OPT_STR, "localhost", 1, 0, "a text that is not empty"},
    {"port", DICTUM_OPT_INT, "25", 1, 65535, "a number"},
    {"wait", DICTUM_OPT_TIME, "5s", 0, 0, "a time"},
    {"tls", DICTUM_OPT_BOOL, "no", 0, 0, "yes or no"},
};

static dictum_type type = {.name = "test", .opts = opts, .nopts = 4};

struct fixture {
  dictum_ctx *ctx;
  dictum_cfg *cfg;
  struct heard heard;
};

/* As main.cf would have it. */
static const char *param(void *rock, const char *name) {
  (void)rock;
  static const char *const settings[][2] = {
      {"port", "26"}, {"group_port", "27"}, {"group_host", "there"}, {"empty_host", ""}};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
    if (strcmp(settings[i][0], name) == 0)
      return settings[i][1];
  return NULL;
}

static dictum_status resolve(struct fixture *f, uint32_t caps, const char *name,
                             dictum_error *err) {
  *f = (struct fixture){0};
  dictum_ctx_opts ctx_opts = DICTUM_CTX_OPTS_INIT;
  ctx_opts.param = param;
  ctx_opts.event = heard_event;
  ctx_opts.event_rock = &f->heard;
  assert_int_equal(dictum_ctx_new(&f->ctx, &ctx_opts, NULL), DICTUM_OK);
  type.caps = caps;
  return options_resolve(f->ctx, &type, name, &f->cfg, err);
}

static void release(struct fixture *f) {
  options_free(f->cfg);
  dictum_ctx_free(f->ctx);
}

static void test_main_cf(void **state) {
  (void)state;
  struct fixture f;
  assert_int_equal(resolve(&f, 0, "/some/name", NULL), DICTUM_OK);
  assert_int_equal(options_int(f.cfg, "port"), 26);
  assert_string_equal(options_str(f.cfg, "host"), "localhost");
  assert_int_equal(options_int(f.cfg, "wait"), 5000);
  release(&f);
}

static void test_group_in_main_cf(void **state) {
  (void)state;
  struct fixture f;
  assert_int_equal(resolve(&f, DICTUM_CAP_SETTINGS, "group", NULL), DICTUM_OK);
  assert_int_equal(options_int(f.cfg, "port"), 27);
  assert_string_equal(options_str(f.cfg, "host"), "there");
  release(&f);
}

static dictum_status resolve_file(struct fixture *f, const char *text, dictum_error *err) {
  assert_int_equal(write_file("./options.tmp", text), 0);
  dictum_status status = resolve(f, DICTUM_CAP_SETTINGS, "./options.tmp", err);
  remove("./options.tmp");
  return status;
}

static void test_file(void **state) {
  (void)state;
  struct fixture f;
  assert_int_equal(resolve_file(&f,
                                "# words\nport = 28\nhost = $x, not\n   expanded\ntls = YES\n"
                                "unknown = 1\nwait = 2m\nport = 29\n",
                                NULL),
                   DICTUM_OK);
  assert_int_equal(options_int(f.cfg, "port"), 29);
  assert_string_equal(options_str(f.cfg, "host"), "$x, not   expanded");
  assert_int_equal(options_int(f.cfg, "tls"), 1);
  assert_int_equal(options_int(f.cfg, "wait"), 120000);
  assert_non_null(strstr(f.heard.text, "overriding earlier entry: port=28"));
  release(&f);
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *text, *what;
  } cases[] = {
      {"port = x", "./options.tmp: bad numerical configuration: port = x"},
      {"port = 0", "./options.tmp: invalid port parameter value 0 < 1"},
      {"port = 70000", "./options.tmp: invalid port parameter value 70000 > 65535"},
      {"tls = maybe", "./options.tmp: bad boolean configuration: tls = maybe"},
      {"wait = 5x", "./options.tmp: bad time configuration: wait = 5x"},
      {"host =", "./options.tmp: bad string length 0 < 1: host = "},
      {"nothing", "missing '=' after attribute name"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct fixture f;
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(resolve_file(&f, cases[i].text, &err), DICTUM_CONFIG);
    assert_non_null(strstr(err.what, cases[i].what));
    assert_null(f.cfg);
    release(&f);
  }
}

static void test_refused_group(void **state) {
  (void)state;
  struct fixture f;
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(resolve(&f, DICTUM_CAP_SETTINGS, "empty", &err), DICTUM_CONFIG);
  assert_string_equal(err.what, "bad string length 0 < 1: empty_host = ");
  release(&f);
}

static void test_missing_file(void **state) {
  (void)state;
  struct fixture f;
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(resolve(&f, DICTUM_CAP_SETTINGS, "/nowhere/x.cf", &err), DICTUM_CONFIG);
  assert_non_null(strstr(err.what, "open /nowhere/x.cf: No such file or directory"));
  release(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_main_cf),       cmocka_unit_test(test_group_in_main_cf),
      cmocka_unit_test(test_file),          cmocka_unit_test(test_refused),
      cmocka_unit_test(test_refused_group), cmocka_unit_test(test_missing_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
