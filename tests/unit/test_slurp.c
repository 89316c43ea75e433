/* SPDX-License-Identifier: BSD-2-Clause */
/* test_slurp.c - whole files, of whatever size the system tells. */
#include "unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "slurp.h"

static char path[] = "/tmp/dictum-slurp.XXXXXX";

static int set_up(void **state) {
  (void)state;
  int fd = mkstemp(path);
  return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state) {
  (void)state;
  return unlink(path);
}

static void put(size_t size) {
  FILE *file = fopen(path, "w");
  for (size_t i = 0; i < size; i++)
    putc('a' + (int)(i % 23), file);
  assert_int_equal(fclose(file), 0);
}

static void assert_content(const dictum_buf *buf, size_t from, size_t size) {
  assert_int_equal(buf->len, from + size);
  for (size_t i = 0; i < size; i++)
    if (buf->data[from + i] != 'a' + (int)(i % 23))
      fail_msg("byte %zu of %zu is wrong", i, size);
  assert_int_equal(buf->data[buf->len], '\0');
}

static void every_size(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 2, 63, 64, 4095, 4096, 4097, 65535, 65536, 65537, 1000000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    dictum_buf buf = {0};
    put(sizes[i]);
    assert_int_equal(slurp_file(path, &buf, NULL), DICTUM_OK);
    assert_content(&buf, 0, sizes[i]);
    assert_int_equal(slurp_file(path, &buf, NULL), DICTUM_OK); /* is added */
    assert_content(&buf, sizes[i], sizes[i]);
    assert_int_equal(slurp_settled_file(path, &buf, NULL), DICTUM_OK); /* is put in its place */
    assert_content(&buf, 0, sizes[i]);
    dictum_buf_free(&buf);
  }
}

/* A file of the kernel's has a size of 0 and still has content. */
static void size_that_is_not_told(void **state) {
  (void)state;
  dictum_buf buf = {0};
  assert_int_equal(slurp_file("/proc/self/status", &buf, NULL), DICTUM_OK);
  assert_non_null(strstr(buf.data, "Threads:"));
  dictum_buf_free(&buf);
}

/* It has grown, or become shorter, since its size was asked for. */
static void size_that_is_wrong(void **state) {
  (void)state;
  static const size_t told[] = {1, 4999, 5001, 100000};
  put(5000);
  for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
    dictum_buf buf = {0};
    int fd = open(path, O_RDONLY);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    st.st_size = (off_t)told[i];
    assert_int_equal(slurp_fd(fd, &st, path, &buf, NULL), DICTUM_OK);
    assert_content(&buf, 0, 5000);
    dictum_buf_free(&buf);
    close(fd);
  }
}

static void what_cannot_be_read(void **state) {
  (void)state;
  dictum_buf buf = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(slurp_file("/nonexistent/file", &buf, &err), DICTUM_CONFIG);
  assert_string_equal(err.what, "open /nonexistent/file: No such file or directory");
  assert_int_equal(slurp_file("/tmp", &buf, &err), DICTUM_CONFIG);
  assert_string_equal(err.what, "read /tmp: Is a directory");
  dictum_buf_free(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_size),
      cmocka_unit_test(size_that_is_not_told),
      cmocka_unit_test(size_that_is_wrong),
      cmocka_unit_test(what_cannot_be_read),
  };
  return cmocka_run_group_tests_name("slurp", tests, set_up, tear_down);
}
