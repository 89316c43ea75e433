/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postmap_reindex.c - making the file of a table that has moved away from Berkeley DB.
 *
 * With non_bdb_migration_level = enable-reindex, Postfix's programs ask its
 * service nbdb_reindexd(8) for that. What they say to each other is documented
 * nowhere; so the command that the service would run is run here, under the
 * service's rules: as the owner of the old file, and only where nobody else
 * could have put it, its source or its folder.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "messages.h"
#include "postmap.h"

/* What is to be made. */
struct job {
  const struct postmap *run;
  const char *spec, *name;
  const char *command; /* "postmap" or "postalias" */
  uid_t uid;           /* of the old file */
  gid_t gid;
};

static bool refuse(const struct job *job, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool refuse(const struct job *job, const char *fmt, ...) {
  char why[PATH_MAX + 200];
  va_list args;
  va_start(args, fmt);
  vsnprintf(why, sizeof why, fmt, args);
  va_end(args);
  message("fatal", "could not execute command '%s %s': %s", job->command, job->spec, why);
  return false;
}

/* ---- the rules ------------------------------------------------------------------------------ */

static bool is_foreign(const struct job *job, const struct stat *st) {
  return (st->st_uid != 0 && st->st_uid != job->uid) || (st->st_mode & 022) != 0;
}

static bool check_file(const struct job *job, const char *what, const char *path, mode_t type) {
  struct stat st;
  if (stat(path, &st) != 0)
    return refuse(job, "%s %s: %s", what, path, strerror(errno));
  if ((st.st_mode & S_IFMT) != type)
    return refuse(job, "%s %s is of another kind", what, path);
  if (is_foreign(job, &st))
    return refuse(job, "%s %s is owned or writable by others than root and user %ld", what, path,
                  (long)job->uid);
  return true;
}

static bool is_below(const char *folder, const char *prefix) {
  char real[PATH_MAX];
  if (prefix[0] != '/' || !realpath(prefix, real))
    return false;
  size_t len = strcmp(real, "/") == 0 ? 0 : strlen(real);
  return strncmp(folder, real, len) == 0 && (folder[len] == '/' || folder[len] == '\0');
}

static bool check_prefix(const struct job *job, const char *folder) {
  const char *setting = job->uid == 0 ? "non_bdb_migration_allow_root_prefixes"
                                      : "non_bdb_migration_allow_user_prefixes";
  char *list = strdup(settings_get(job->run->settings, setting)), *place;
  if (!list)
    return refuse(job, "out of memory");
  bool allowed = false;
  for (char *word = strtok_r(list, ", \t\r\n", &place); word && !allowed;
       word = strtok_r(NULL, ", \t\r\n", &place))
    allowed = is_below(folder, word);
  free(list);
  return allowed || refuse(job, "%s does not allow the folder %s", setting, folder);
}

/* What counts is where the file really is. */
static bool check_folder(const struct job *job) {
  char folder[PATH_MAX], real[PATH_MAX];
  if (job->name[0] != '/' || snprintf(folder, sizeof folder, "%s", job->name) >= PATH_MAX)
    return refuse(job, "no absolute path");
  if (!realpath(dirname(folder), real))
    return refuse(job, "%s: %s", folder, strerror(errno));
  return check_file(job, "folder", real, S_IFDIR) && check_prefix(job, real);
}

/* ---- postmap or postalias? ------------------------------------------------------------------ */

static void count_event(void *rock, const dictum_event *event) {
  size_t *mistakes = rock;
  *mistakes += event->level >= DICTUM_LEVEL_WARNING;
}

/* Has the source entries, and all of them in this grammar? */
static bool has_grammar(const struct job *job, uint32_t grammar) {
  size_t mistakes = 0, entries = 0;
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.event = count_event;
  opts.event_rock = &mistakes;
  int fd = open(job->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  dictum_ctx *ctx = NULL;
  dictum_source *source = NULL;
  dictum_entry entry;
  dictum_status status = fd < 0 ? DICTUM_CONFIG : dictum_ctx_new(&ctx, &opts, NULL);
  if (status == DICTUM_OK)
    status = dictum_source_open(ctx, fd, job->name, grammar, &source, NULL);
  while (status == DICTUM_OK && (status = dictum_source_next(source, &entry, NULL)) == DICTUM_OK)
    entries++;
  dictum_source_close(source);
  dictum_ctx_free(ctx);
  if (fd >= 0)
    close(fd);
  return status == DICTUM_END && mistakes == 0 && entries > 0;
}

/* A table of aliases whose keys end in colons would lose mail: in doubt, nothing is made. */
static bool find_command(struct job *job) {
  bool map = has_grammar(job, 0), aliases = has_grammar(job, DICTUM_SOURCE_ALIASES);
  if (map == aliases)
    return refuse(job, "%s may be meant for postmap or for postalias: execute one of them by hand",
                  job->name);
  job->command = aliases ? "postalias" : "postmap";
  return true;
}

/* ---- the command ---------------------------------------------------------------------------- */

/* In a process of its own, which can never become root again. */
static _Noreturn void make(const struct job *job) {
  char *argv[] = {(char[]){"postalias"}, strdup(job->spec), NULL};
  snprintf(argv[0], sizeof "postalias", "%s", job->command);
  __fpurge(stdout);
  if (!argv[1] || (geteuid() == 0 && (setgroups(1, &job->gid) != 0 || setgid(job->gid) != 0 ||
                                      setuid(job->uid) != 0)))
    _exit(1);
  optind = 1;
  _exit((strcmp(job->command, "postmap") == 0 ? postmap_main : postalias_main)(2, argv));
}

static bool execute(const struct job *job) {
  int status = 0;
  pid_t child = fork();
  if (child == 0)
    make(job);
  while (child > 0 && waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      child = -1;
  if (child < 0)
    return refuse(job, "%s", strerror(errno));
  if (status != 0)
    return refuse(job, "it failed");
  message(NULL, "successfully executed '%s %s' as uid %ld", job->command, job->spec,
          (long)job->uid);
  return true;
}

/* ---- whether ------------------------------------------------------------------------------- */

/* Types whose files can be missing. */
static const char *suffix_of(const char *spec) {
  static const struct {
    const char *type, *suffix;
  } types[] = {{"cdb:", ".cdb"}, {"lmdb:", ".lmdb"}};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strncmp(spec, types[i].type, strlen(types[i].type)) == 0)
      return types[i].suffix;
  return NULL;
}

static bool is_there(const char *name, const char *suffix, struct stat *st) {
  char path[PATH_MAX];
  return snprintf(path, sizeof path, "%s%s", name, suffix) < PATH_MAX && lstat(path, st) == 0;
}

bool postmap_reindex(const struct postmap *run, const char *spec) {
  const char *suffix = suffix_of(spec);
  struct job job = {run, spec, strchr(spec, ':') + 1, "postmap", 0, 0};
  struct stat st;
  if (strcmp(settings_get(run->settings, "non_bdb_migration_level"), "enable-reindex") != 0 ||
      !suffix || is_there(job.name, suffix, &st) || !is_there(job.name, ".db", &st))
    return true;
  job.uid = st.st_uid;
  job.gid = st.st_gid;
  if (!S_ISREG(st.st_mode))
    return refuse(&job, "%s.db is no file", job.name);
  if (geteuid() != 0 && geteuid() != job.uid)
    return refuse(&job, "it is for user %ld to do", (long)job.uid);
  return check_folder(&job) && check_file(&job, "source", job.name, S_IFREG) &&
         find_command(&job) && execute(&job);
}
