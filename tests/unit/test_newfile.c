/* SPDX-License-Identifier: BSD-2-Clause */
/* test_newfile.c - building a table's file aside and putting it in place at once. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../plugins/common/newfile.h"

/* ---- a host that keeps what it is told, in a folder of its own ------------------------------ */

static char folder[] = "/tmp/test_newfile.XXXXXX";
static char said[512];

__attribute__((format(printf, 4, 5))) static dictum_status
refuse(dictum_error *err, dictum_status status, int sys_errno, const char *fmt, ...) {
  (void)err;
  (void)sys_errno;
  va_list args;
  va_start(args, fmt);
  vsnprintf(said, sizeof said, fmt, args);
  va_end(args);
  return status;
}

static const dictum_host host = {.size = sizeof host, .fail = refuse};
static const int64_t at_once = 1; /* long past */

static int begin_test(void **state) {
  (void)state;
  strcpy(folder + strlen(folder) - 6, "XXXXXX");
  said[0] = '\0';
  return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int end_test(void **state) {
  (void)state;
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
}

static void assert_file(const char *path, const char *text) {
  char found[64] = "";
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t n = fread(found, 1, sizeof found - 1, file);
  fclose(file);
  found[n] = '\0';
  assert_string_equal(found, text);
}

static void assert_missing(const char *path) {
  struct stat st;
  assert_int_equal(lstat(path, &st), -1);
  assert_int_equal(errno, ENOENT);
}

static mode_t mode_of(const char *path) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return st.st_mode & 07777;
}

static struct newfile *begin(const char *path) {
  struct newfile *file = NULL;
  assert_int_equal(newfile_begin(&host, path, 0640, at_once, &file, NULL), DICTUM_OK);
  return file;
}

static void fill(struct newfile *file, const char *text) {
  assert_int_equal(write(newfile_fd(file), text, strlen(text)), (ssize_t)strlen(text));
}

static void replace(struct newfile *file) {
  assert_int_equal(newfile_replace(file, FILELOCK_FLOCK, false, NULL), DICTUM_OK);
}

/* ---- what is put in place ------------------------------------------------------------------- */

static void a_new_file_has_the_mode_asked_for(void **state) {
  (void)state;
  mode_t mask = umask(077);
  struct newfile *file = begin("t");
  assert_null(newfile_old(file));
  fill(file, "new");
  assert_missing("t");
  replace(file);
  umask(mask);
  assert_file("t", "new");
  assert_int_equal(mode_of("t"), 0640);
  assert_missing("t.tmp");
}

static void an_old_one_keeps_its_mode(void **state) {
  (void)state;
  write_file("t", "old");
  assert_int_equal(chmod("t", 0604), 0);
  struct newfile *file = begin("t");
  assert_int_equal(newfile_old(file)->st_size, 3);
  fill(file, "new");
  assert_file("t", "old");
  replace(file);
  assert_file("t", "new");
  assert_int_equal(mode_of("t"), 0604);
}

static void links_stay_links(void **state) {
  (void)state;
  assert_int_equal(mkdir("d", 0755), 0);
  assert_int_equal(symlink("d/real", "link"), 0);
  assert_int_equal(symlink("link", "t"), 0);
  for (int i = 0; i < 2; i++) { /* the first time it leads nowhere yet */
    struct newfile *file = begin("t");
    fill(file, i ? "two" : "one");
    replace(file);
    assert_file("d/real", i ? "two" : "one");
  }
  char to[16] = "";
  assert_int_equal(readlink("t", to, sizeof to - 1), 4);
  assert_string_equal(to, "link");
  assert_missing("d/real.tmp");
}

static void nothing_is_left_of_an_abort(void **state) {
  (void)state;
  write_file("t", "old");
  struct newfile *file = begin("t");
  fill(file, "half");
  newfile_abort(file);
  assert_file("t", "old");
  assert_missing("t.tmp");
}

static void create_leaves_another_file_alone(void **state) {
  (void)state;
  struct newfile *file = begin("t");
  fill(file, "empty");
  write_file("t", "theirs");
  assert_int_equal(newfile_create(file, NULL), DICTUM_OK);
  assert_file("t", "theirs");
  assert_missing("t.tmp");
  file = begin("u");
  fill(file, "empty");
  assert_int_equal(newfile_create(file, NULL), DICTUM_OK);
  assert_file("u", "empty");
  assert_int_equal(mode_of("u"), 0640);
  assert_missing("u.tmp");
}

static void a_copy_begins_as_the_original(void **state) {
  (void)state;
  write_file("t", "original");
  int fd = open("t", O_RDONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  struct newfile *file = begin("t");
  assert_int_equal(newfile_copy(file, fd, NULL), DICTUM_OK);
  assert_int_equal(pwrite(newfile_fd(file), "O", 1, 0), 1);
  assert_int_equal(newfile_replace(file, FILELOCK_FLOCK, true, NULL), DICTUM_OK);
  close(fd);
  assert_file("t", "Original");
}

/* ---- other builders, and what they leave ---------------------------------------------------- */

static void builders_take_turns(void **state) {
  (void)state;
  struct newfile *first = begin("t"), *second = NULL;
  assert_int_equal(newfile_begin(&host, "t", 0640, at_once, &second, NULL), DICTUM_RETRY);
  assert_null(second);
  assert_non_null(strstr(said, "t.tmp"));
  fill(first, "first");
  replace(first);
  second = begin("t");
  fill(second, "second");
  replace(second);
  assert_file("t", "second");
}

/* Like all that is written for a table, it has a NUL byte at its beginning. */
static void write_leftover(const char *path) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite("\0kept", 1, 5, file), 5);
  assert_int_equal(fclose(file), 0);
}

static void a_leftover_is_taken_over(void **state) {
  (void)state;
  write_leftover("t.tmp");
  struct newfile *file = begin("t");
  fill(file, "new");
  replace(file);
  assert_file("t", "new");
}

static void a_leftover_with_another_name_is_not_written_to(void **state) {
  (void)state;
  struct stat st;
  write_leftover("precious");
  assert_int_equal(link("precious", "t.tmp"), 0);
  struct newfile *file = begin("t");
  fill(file, "new");
  replace(file);
  assert_int_equal(stat("precious", &st), 0);
  assert_int_equal(st.st_size, 5);
  assert_file("t", "new");
}

/* A source may have any name. */
static void a_text_in_the_way_is_left_alone(void **state) {
  (void)state;
  struct newfile *file = NULL;
  write_file("t", "old");
  write_file("t.tmp", "key value\n");
  assert_int_equal(newfile_begin(&host, "t", 0640, at_once, &file, NULL), DICTUM_CONFIG);
  assert_non_null(strstr(said, "t.tmp is in the way"));
  assert_file("t.tmp", "key value\n");
  assert_file("t", "old");
}

static void a_link_in_the_way_is_not_followed(void **state) {
  (void)state;
  write_file("precious", "kept");
  assert_int_equal(symlink("precious", "t.tmp"), 0);
  struct newfile *file = NULL;
  assert_int_equal(newfile_begin(&host, "t", 0640, at_once, &file, NULL), DICTUM_CONFIG);
  assert_file("precious", "kept");
}

/* Replaces a file that somebody else holds a flock(2) on. */
static dictum_status replace_locked(int operation, enum filelock_kind kind) {
  write_file("t", "old");
  int fd = open("t", O_RDWR | O_CLOEXEC);
  assert_int_equal(flock(fd, operation), 0);
  struct newfile *file = begin("t");
  fill(file, "new");
  dictum_status status = newfile_replace(file, kind, false, NULL);
  assert_file("t", status == DICTUM_OK ? "new" : "old");
  assert_missing("t.tmp");
  close(fd);
  return status;
}

static void writers_of_the_old_file_are_waited_for(void **state) {
  (void)state;
  assert_int_equal(replace_locked(LOCK_EX, FILELOCK_FLOCK), DICTUM_RETRY);
  assert_int_equal(replace_locked(LOCK_EX, FILELOCK_OFD), DICTUM_RETRY);
}

static void readers_of_the_old_file_are_not(void **state) {
  (void)state;
  assert_int_equal(replace_locked(LOCK_SH, FILELOCK_FLOCK), DICTUM_OK);
}

/* ---- what cannot be replaced ---------------------------------------------------------------- */

static void only_files_are_replaced(void **state) {
  (void)state;
  struct newfile *file = NULL;
  assert_int_equal(mkdir("t", 0755), 0);
  assert_int_equal(newfile_begin(&host, "t", 0640, at_once, &file, NULL), DICTUM_CONFIG);
  assert_int_equal(mkfifo("fifo", 0644), 0);
  assert_int_equal(newfile_begin(&host, "fifo", 0640, at_once, &file, NULL), DICTUM_CONFIG);
  assert_int_equal(newfile_begin(&host, "no/t", 0640, at_once, &file, NULL), DICTUM_CONFIG);
  assert_string_equal(said, "open database no/t: create no/t.tmp: No such file or directory");
  assert_int_equal(symlink("loop", "loop"), 0);
  assert_int_equal(newfile_begin(&host, "loop", 0640, at_once, &file, NULL), DICTUM_CONFIG);
  assert_missing("t.tmp");
  assert_missing("fifo.tmp");
}

static void who_loses_the_file_aside_changes_nothing(void **state) {
  (void)state;
  write_file("t", "old");
  struct newfile *file = begin("t");
  assert_int_equal(unlink("t.tmp"), 0);
  write_file("t.tmp", "somebody else's");
  assert_int_equal(newfile_replace(file, FILELOCK_FLOCK, false, NULL), DICTUM_CONFIG);
  assert_file("t", "old");
  assert_file("t.tmp", "somebody else's");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_new_file_has_the_mode_asked_for),
      TEST(an_old_one_keeps_its_mode),
      TEST(links_stay_links),
      TEST(nothing_is_left_of_an_abort),
      TEST(create_leaves_another_file_alone),
      TEST(a_copy_begins_as_the_original),
      TEST(builders_take_turns),
      TEST(a_leftover_is_taken_over),
      TEST(a_leftover_with_another_name_is_not_written_to),
      TEST(a_text_in_the_way_is_left_alone),
      TEST(a_link_in_the_way_is_not_followed),
      TEST(writers_of_the_old_file_are_waited_for),
      TEST(readers_of_the_old_file_are_not),
      TEST(only_files_are_replaced),
      TEST(who_loses_the_file_aside_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
