/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - one program, three commands: the name that it is called by decides. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "postmap.h"

#ifdef PREOPEN_PLUGINS
#include <ltdl.h>
#endif

/* Else the first table opened could get the number of standard error, and a message could end up
 * in it. Each is opened for what it is not for: reading a standard input that was closed must fail,
 * not give an empty table. */
static void open_standard_files(void) {
  for (;;) {
    int fd = open("/dev/null", O_WRONLY);
    if (fd == STDOUT_FILENO || fd == STDERR_FILENO) {
      close(fd);
      fd = open("/dev/null", O_RDONLY);
    }
    if (fd < 0 || fd > STDERR_FILENO) {
      close(fd);
      return;
    }
  }
}

/* A package that puts a program aside names it "postmap.distrib" or the like. */
static bool is_called(const char *name, const char *command) {
  const size_t len = strlen(command);
  return strncmp(name, command, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

int main(int argc, char **argv) {
#ifdef PREOPEN_PLUGINS
  LTDL_SET_PRELOADED_SYMBOLS();
#endif
  open_standard_files();
  signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error, like a full disk */
  static char dictum[] = "dictum";
  static char *nameless[] = {dictum, NULL};
  if (argc < 1) { /* execve() allows it */
    argc = 1;
    argv = nameless;
  }
  const char *slash = strrchr(argv[0], '/');
  const char *name = slash ? slash + 1 : argv[0];
  if (is_called(name, "postmap"))
    return postmap_main(argc, argv);
  if (is_called(name, "postalias"))
    return postalias_main(argc, argv);
  return dictum_main(argc, argv);
}
