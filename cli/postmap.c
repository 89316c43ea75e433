/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postmap.c - the command line of postmap(1), and with other letters of
 * postalias(1): same words, same output, same exit status as Postfix's.
 */
#include "postmap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "environment.h"
#include "messages.h"

enum { FATAL = 1 };

/* As large as Postfix's: what it holds is lost with a fatal error. */
enum { output_bytes = 4096 };

static int usage(const struct postmap *run) {
  message("fatal", "usage: %s [-%s] [-c config_dir] [-d key] [-q key] [map_type:]file...",
          run->program, run->face->usage);
  return FATAL;
}

/* -d, -i, -q and -s exclude each other, and themselves. */
static bool has_action(const struct postmap *run) {
  return run->query || run->remove || run->dump || run->incremental;
}

static bool is_action(int letter) {
  return letter == 'd' || letter == 'i' || letter == 'q' || letter == 's';
}

static void apply_action(struct postmap *run, int letter, const char *argument) {
  run->remove = letter == 'd' ? argument : run->remove;
  run->query = letter == 'q' ? argument : run->query;
  run->incremental |= letter == 'i';
  run->dump |= letter == 's';
}

static void set_flags(struct postmap *run, uint32_t clear, uint32_t set) {
  run->open_flags = (run->open_flags & ~clear) | set;
}

/* Where two letters contradict each other, the last one counts. */
static void set_duplicates(struct postmap *run, dictum_dup dup, uint32_t flag) {
  run->dup = dup;
  set_flags(run, DICTUM_OPEN_DUP_REPLACE | DICTUM_OPEN_DUP_IGNORE, flag);
}

static bool apply_option(struct postmap *run, int letter, const char *argument) {
  switch (letter) {
  case 'b':
    return run->body = true;
  case 'c':
    run->config_dir = argument;
    return true;
  case 'f':
    run->open_flags |= DICTUM_OPEN_NOFOLD;
    return true;
  case 'F':
    run->open_flags |= DICTUM_OPEN_FILES;
    return true;
  case 'h':
    return run->header = true;
  case 'j':
    return run->json = true;
  case 'm':
    return run->mime = true;
  case 'n':
    set_flags(run, DICTUM_OPEN_NUL, DICTUM_OPEN_NO_NUL);
    return true;
  case 'N':
    set_flags(run, DICTUM_OPEN_NO_NUL, DICTUM_OPEN_NUL);
    return true;
  case 'o':
    return run->stay_root = true;
  case 'p':
    return run->plain_mode = true;
  case 'r':
    set_duplicates(run, DICTUM_DUP_REPLACE, DICTUM_OPEN_DUP_REPLACE);
    return true;
  case 'u':
    return run->no_utf8 = true;
  case 'U':
    return run->utf8_in_messages = true;
  case 'v':
    return run->verbose = true;
  case 'w':
    set_duplicates(run, DICTUM_DUP_IGNORE, DICTUM_OPEN_DUP_IGNORE);
    return true;
  default:
    return false;
  }
}

static int parse(struct postmap *run, int argc, char **argv) {
  for (int letter; (letter = getopt(argc, argv, run->face->options)) != -1;) {
    if (is_action(letter)) {
      if (has_action(run)) {
        message("fatal", "specify only one of -d -i -q or -s");
        return FATAL;
      }
      apply_action(run, letter, optarg);
    } else if (!apply_option(run, letter, optarg)) {
      return usage(run);
    }
  }
  run->operands = argv + optind;
  return 0;
}

static int check(struct postmap *run) {
  if (run->json && !run->query && !run->dump) {
    message("fatal", "option -j requires -q or -s");
    return FATAL;
  }
  bool from_input = run->query && strcmp(run->query, "-") == 0;
  if ((postmap_reads_message(run) || run->mime) && !from_input) {
    message("fatal", "specify -b -h or -m only with \"-q -\"");
    return FATAL;
  }
  if (run->mime && !postmap_reads_message(run))
    message("warning", "ignoring -m option without -b or -h");
  return 0;
}

/* ---- start -------------------------------------------------------------- */

static int fatal(const dictum_error *err) {
  message("fatal", "%s", err->what);
  return FATAL;
}

static int start(struct postmap *run) {
  dictum_error err = DICTUM_ERROR_INIT;
  if (run->config_dir && setenv("MAIL_CONFIG", run->config_dir, 1) != 0)
    return usage(run);
  if (settings_read(run->config_dir, true, postmap_event, NULL, &run->settings, &err) != DICTUM_OK)
    return fatal(&err);
  if (environment_import(settings_get(run->settings, "import_environment"), &err) != DICTUM_OK)
    return fatal(&err);
  bool utf8 = settings_bool(run->settings, "smtputf8_enable");
  messages_utf8(utf8);
  if (utf8 && !run->no_utf8 && (!postmap_reads_message(run) || run->utf8_in_messages))
    run->open_flags |= DICTUM_OPEN_UTF8;
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.event = postmap_event;
  opts.timeout_ms = DICTUM_NO_TIMEOUT;
  settings_context(run->settings, &opts);
  if (dictum_ctx_new(&run->ctx, &opts, &err) != DICTUM_OK)
    return fatal(&err);
  return 0;
}

static int act(struct postmap *run) {
  int status = check(run);
  if (status != 0)
    return status;
  if (!run->operands[0])
    return run->dump ? 1 : usage(run);
  if (run->dump)
    return postmap_dump(run);
  if (run->remove)
    return postmap_delete(run);
  if (!run->query)
    return postmap_build(run);
  if (postmap_reads_message(run))
    return postmap_query_message(run);
  return strcmp(run->query, "-") == 0 ? postmap_query_batch(run) : postmap_query(run);
}

static void stop(struct postmap *run) {
  dictum_ctx_free(run->ctx);
  settings_free(run->settings);
}

int postmap_run(const struct face *face, int argc, char **argv) {
  const char *slash = strrchr(argv[0], '/');
  if (slash)
    argv[0] += slash + 1 - argv[0]; /* getopt() puts it before its messages */
  struct postmap run = {.face = face, .program = argv[0]};
  umask(022);
  setvbuf(stdout, NULL, _IOFBF, output_bytes);
  run.verbose = getenv("MAIL_VERBOSE") != NULL;
  messages_program(run.program);
  int status = parse(&run, argc, argv);
  messages_verbose(run.verbose);
  if (run.verbose)
    message(NULL, "dictum %s", dictum_version());
  if (status == 0)
    status = start(&run);
  if (status == 0)
    status = act(&run);
  if (messages_had_fatal())
    __fpurge(stdout); /* Postfix ends at once and loses it, too */
  status = postmap_flush(status);
  stop(&run);
  return status;
}

int postmap_main(int argc, char **argv) {
  static const struct face postmap = {
      .options = "+bc:d:fFhijmnNopq:rsuUvw",
      .usage = "bfFhijmnNoprsuUvw",
      .after_key = "\t",
  };
  return postmap_run(&postmap, argc, argv);
}
