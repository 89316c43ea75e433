/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - plugin files: checked, opened through libltdl, and never unloaded.
 *
 * libltdl says "file not found" for whatever goes wrong, binds lazily (a missing
 * symbol would end the host at the first call) and knows no threads. So a file
 * is tried with dlopen(3) first, which binds at once and says what is wrong;
 * libltdl then only adds its reference, under one lock for the process.
 *
 * A plugin runs with all rights of its host. Its file and every folder above
 * must therefore belong to root or to us and be closed to others' writing. Only
 * in the folder that is compiled in, the folders above go unchecked: the
 * library was loaded from there itself.
 */
#include "load.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <ltdl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "forklock.h"

/* Of the first generation, as the counter of forks begins with. */
static struct forklock loader_lock = {PTHREAD_MUTEX_INITIALIZER, 1};

/* What is refused, and for which type. */
struct attempt {
  const char *path;
  const char *type;
  dictum_error *err;
};

/* "unsupported dictionary type: T (FILE: REASON): CURE", or without the type. */
static dictum_status refuse(const struct attempt *a, dictum_code code, int sys_errno,
                            const char *reason, const char *cure) {
  if (!a->type)
    return error_code(a->err, DICTUM_CONFIG, code, sys_errno, "plugin %s: %s: %s", a->path, reason,
                      cure);
  return error_code(a->err, DICTUM_CONFIG, code, sys_errno,
                    "unsupported dictionary type: %s (%s: %s): %s", a->type, a->path, reason, cure);
}

static dictum_status refuse_missing(const struct attempt *a) {
  return refuse(a, DICTUM_CODE_PLUGIN_MISSING, errno, ERRNO_TEXT(errno),
                "install the package that brings this file, or correct dynamicmaps.cf");
}

static bool safe_owner(const struct stat *st) {
  return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool closed_to_others(const struct stat *st) {
  return (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* In a sticky folder such as /tmp others can add, but not replace what is not theirs. */
static bool safe_folder(const struct stat *st) {
  return safe_owner(st) && (closed_to_others(st) || (st->st_mode & S_ISVTX));
}

static bool is_compiled_in(const struct stat *folder) {
  struct stat st;
  return stat(PACKAGE_PLUGIN_DIR, &st) == 0 && st.st_dev == folder->st_dev &&
         st.st_ino == folder->st_ino;
}

/* Checks each folder above the file @p path, from the nearest, cutting @p path down to the first
 * that is not safe. */
static bool folders_are_safe(char *path) {
  struct stat st;
  for (bool nearest = true;; nearest = false) {
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    if (stat(path, &st) != 0 || !safe_folder(&st))
      return false;
    if (slash == path || (nearest && is_compiled_in(&st)))
      return true;
  }
}

/* @p real is the file without symbolic links; it is used up. */
static dictum_status check_real_file(const struct attempt *a, char *real) {
  struct stat st;
  if (stat(real, &st) != 0)
    return refuse_missing(a);
  if (!S_ISREG(st.st_mode))
    return refuse(a, DICTUM_CODE_PLUGIN_UNSAFE, 0, "not a regular file", "put the plugin there");
  if (!safe_owner(&st) || !closed_to_others(&st))
    return refuse(a, DICTUM_CODE_PLUGIN_UNSAFE, 0, "file is owned or writable by other users",
                  "let it belong to root with mode 0644");
  if (folders_are_safe(real))
    return DICTUM_OK;
  char reason[320];
  text_format(reason, sizeof reason, "folder %.256s is owned or writable by other users", real);
  return refuse(a, DICTUM_CODE_PLUGIN_UNSAFE, 0, reason, "close that folder to others");
}

/* @param file  receives where symbolic links lead to, in malloc()ed memory: what is opened must be
 *   what was checked */
static dictum_status check_safety(const struct attempt *a, char **file) {
  *file = realpath(a->path, NULL);
  if (!*file)
    return errno == ENOMEM ? error_nomem(a->err) : refuse_missing(a);
  char *used_up = strdup(*file);
  dictum_status status = used_up ? check_real_file(a, used_up) : error_nomem(a->err);
  free(used_up);
  if (status == DICTUM_OK)
    return DICTUM_OK;
  free(*file);
  *file = NULL;
  return status;
}

/* The symbol that libltdl would look for: "dir/dictum-x.so" -> "dictum_x_LTX_dictum_plugin". */
static char *descriptor_symbol(const char *path) {
  static const char suffix[] = "_LTX_dictum_plugin";
  const char *base = strrchr(path, '/') + 1;
  size_t len = strcspn(base, ".");
  char *symbol = malloc(len + sizeof suffix);
  if (!symbol)
    return NULL;
  for (size_t i = 0; i < len; i++)
    symbol[i] = isalnum((unsigned char)base[i]) ? base[i] : '_';
  memcpy(symbol + len, suffix, sizeof suffix);
  return symbol;
}

/* The least that a type must have: everything up to lookup(). */
static const size_t smallest_type = offsetof(dictum_type, lookup) + sizeof(void (*)(void));

static dictum_status check_abi(const struct attempt *a, const dictum_plugin *plugin) {
  char reason[128];
  if (plugin->abi != DICTUM_ABI) {
    snprintf(reason, sizeof reason, "made for plugin interface %u, this is interface %u",
             plugin->abi, DICTUM_ABI);
    return refuse(a, DICTUM_CODE_PLUGIN_ABI, 0, reason,
                  "install the plugin that belongs to Dictum " PACKAGE_VERSION);
  }
  if (plugin->size < sizeof(dictum_plugin) || plugin->type_size < smallest_type ||
      plugin->type_size % _Alignof(dictum_type) != 0 || plugin->ntypes == 0 || !plugin->types ||
      !plugin->package || !plugin->version)
    return refuse(a, DICTUM_CODE_PLUGIN_ABI, 0, "its descriptor is malformed",
                  "report this to those who made the plugin");
  return DICTUM_OK;
}

/* Opens eagerly and finds the descriptor. On failure nothing stays loaded, so that a file that is
 * put in its place is seen. */
static dictum_status probe(const struct attempt *a, const char *file, const char *symbol,
                           void **handle) {
  char reason[400];
  *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (!*handle) {
    const char *said = dlerror();
    snprintf(reason, sizeof reason, "dlopen failure loading: %s", said ? said : "unknown");
    return refuse(a, DICTUM_CODE_PLUGIN_BROKEN, 0, reason, "install it, and what it needs, anew");
  }
  const dictum_plugin *plugin = dlsym(*handle, symbol);
  dictum_status status;
  if (plugin) {
    status = check_abi(a, plugin);
  } else {
    snprintf(reason, sizeof reason, "dlsym failure looking up %s", symbol);
    status = refuse(a, DICTUM_CODE_PLUGIN_BROKEN, 0, reason, "this file is no plugin of Dictum");
  }
  if (status == DICTUM_OK)
    return DICTUM_OK;
  dlclose(*handle);
  *handle = NULL;
  return status;
}

/* For good: a client library that is unloaded leaves thread keys and exit handlers behind. */
static lt_dlhandle open_resident(const char *path) {
  lt_dladvise advise;
  if (lt_dlinit() != 0 || lt_dladvise_init(&advise) != 0)
    return NULL;
  lt_dlhandle module = NULL;
  if (lt_dladvise_local(&advise) == 0 && lt_dladvise_resident(&advise) == 0)
    module = lt_dlopenadvise(path, advise);
  lt_dladvise_destroy(&advise);
  return module;
}

static dictum_status open_module(const struct attempt *a, const char *file, const char *symbol,
                                 const dictum_plugin **out) {
  void *probed;
  dictum_status status = probe(a, file, symbol, &probed);
  if (status != DICTUM_OK)
    return status;
  lt_dlhandle module = open_resident(file);
  *out = module ? lt_dlsym(module, symbol) : NULL;
  if (!*out) {
    const char *said = lt_dlerror();
    status = refuse(a, DICTUM_CODE_PLUGIN_BROKEN, 0, said ? said : "libltdl refuses it",
                    "install it anew");
  }
  dlclose(probed);
  return status;
}

dictum_status load_module(const char *path, const char *type, const dictum_plugin **out,
                          dictum_error *err) {
  *out = NULL;
  const struct attempt attempt = {path, type, err};
  if (path[0] != '/')
    return refuse(&attempt, DICTUM_CODE_PLUGIN_UNSAFE, 0, "not an absolute path", "name it whole");
  char *file;
  dictum_status status = check_safety(&attempt, &file);
  if (status != DICTUM_OK)
    return status;
  char *symbol = descriptor_symbol(path); /* what a link is called counts */
  if (symbol) {
    forklock_acquire(&loader_lock);
    status = open_module(&attempt, file, symbol, out);
    forklock_release(&loader_lock);
  } else {
    status = error_nomem(err);
  }
  free(symbol);
  free(file);
  return status;
}

dictum_status load_refuse_postfix(const char *path, const char *type, dictum_error *err) {
  const struct attempt attempt = {path, type, err};
  char *file;
  dictum_status status = check_safety(&attempt, &file);
  if (status != DICTUM_OK)
    return status;
  free(file);
  return refuse(&attempt, DICTUM_CODE_PLUGIN_ABI, 0,
                "a plugin of Postfix, which serves its own programs only",
                "install Dictum's plugin of this type");
}

/* libltdl's callback has no argument of the caller's; guarded by loader_lock. */
static struct {
  void (*each)(void *rock, const dictum_plugin *plugin);
  void *rock;
} preopened;

static int visit_preopened(lt_dlhandle module) {
  const lt_dlinfo *info = lt_dlgetinfo(module);
  const dictum_plugin *plugin = lt_dlsym(module, "dictum_plugin");
  const struct attempt attempt = {info && info->name ? info->name : "preopened", NULL, NULL};
  lt_dlmakeresident(module);
  if (plugin && check_abi(&attempt, plugin) == DICTUM_OK)
    preopened.each(preopened.rock, plugin);
  return 0;
}

void load_preopened(void (*each)(void *rock, const dictum_plugin *plugin), void *rock) {
  forklock_acquire(&loader_lock);
  preopened.each = each;
  preopened.rock = rock;
  if (lt_dlinit() == 0)
    lt_dlpreload_open("@PROGRAM@", visit_preopened);
  forklock_release(&loader_lock);
}
