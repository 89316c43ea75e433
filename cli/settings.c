/* SPDX-License-Identifier: BSD-2-Clause */
/* settings.c - what main.cf says, for all commands: values, defaults, and the context they make. */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "failure.h"

#ifndef POSTFIX_CONFIG_DIR
#define POSTFIX_CONFIG_DIR "/etc/postfix"
#endif

enum kind { TEXT, NONEMPTY, NUMBER, LONG_NUMBER, BOOLEAN, PERIOD, LEVEL, MIGRATION };

/* What reaches our tables or decides how the commands work, with Postfix's defaults. */
static const struct known {
  const char *name;
  enum kind kind;
  const char *fallback;
  long min; /* NUMBER, LONG_NUMBER */
} known[] = {
    {"compatibility_level", LEVEL, "0", 0},
    {"meta_directory", NONEMPTY, "/etc/postfix", 0},
    {"shlib_directory", NONEMPTY, "/usr/lib/postfix", 0},
    {"queue_directory", NONEMPTY, "/var/spool/postfix", 0},
    {"data_directory", NONEMPTY, "/var/lib/postfix", 0},
    {"default_database_type", NONEMPTY, "hash", 0},
    {"default_cache_db_type", NONEMPTY, "btree", 0},
    {"alias_database", TEXT, "$default_database_type:/etc/aliases", 0},
    {"alias_maps", TEXT, "$default_database_type:/etc/aliases", 0},
    {"berkeley_db_create_buffer_size", NUMBER, "16777216", 1},
    {"berkeley_db_read_buffer_size", NUMBER, "131072", 1},
    {"lmdb_map_size", LONG_NUMBER, "16777216", 1},
    {"header_size_limit", NUMBER, "102400", 1},
    {"mime_boundary_length_limit", NUMBER, "2048", 1},
    {"mime_nesting_limit", NUMBER, "100", 1},
    {"smtputf8_enable", BOOLEAN, "${{$compatibility_level} <level {1} ? {no} : {yes}}", 0},
    {"import_environment", TEXT,
     "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ XAUTHORITY DISPLAY LANG=C POSTLOG_SERVICE "
     "POSTLOG_HOSTNAME XDG_RUNTIME_DIR",
     0},
    {"export_environment", TEXT, "TZ MAIL_CONFIG LANG", 0},
    {"proxymap_service_name", NONEMPTY, "proxymap", 0},
    {"proxywrite_service_name", NONEMPTY, "proxywrite", 0},
    {"socketmap_max_reply_size", NUMBER, "100000", 1},
    {"socketmap_max_query_size", NUMBER, "10000", 1},
    {"recipient_delimiter", TEXT, "", 0},
    {"owner_request_special", BOOLEAN, "yes", 0},
    {"parent_domain_matches_subdomains", TEXT,
     "debug_peer_list,fast_flush_domains,mynetworks,permit_mx_backup_networks,"
     "qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
     0},
    {"propagate_unmatched_extensions", TEXT, "canonical, virtual", 0},
    {"ipc_idle", PERIOD, "5s", 0},
    {"ipc_ttl", PERIOD, "1000s", 0},
    {"ipc_timeout", PERIOD, "3600s", 0},
    {"texthash_utf8", BOOLEAN, "yes", 0},
    {"non_bdb_migration_level", MIGRATION, "disable", 0},
    {"non_bdb_migration_log_redirect", BOOLEAN, "yes", 0},
    {"non_bdb_custom_mapping", TEXT, "", 0},
    {"non_bdb_migration_allow_root_prefixes", TEXT, "/etc /usr/local/etc", 0},
    {"non_bdb_migration_allow_user_prefixes", TEXT,
     "$data_directory /var/lib/mailman /var/lib/mailman3", 0},
};
enum { NKNOWN = sizeof known / sizeof *known };

/* What the settings of tables may refer to: Postfix's defaults, of which only the text matters
 * here. "myhostname" and "mydomain" are this machine's. */
static const struct other {
  const char *name, *text;
} others[] = {
    {"command_directory", "/usr/sbin"},
    {"daemon_directory", "/usr/lib/postfix/sbin"},
    {"default_privs", "nobody"},
    {"inet_interfaces", "all"},
    {"inet_protocols", "all"},
    {"mail_name", "Postfix"},
    {"mail_owner", "postfix"},
    {"mail_version", "3.12.0"},
    {"max_idle", "100s"},
    {"message_size_limit", "10240000"},
    {"mydestination", "$myhostname, localhost.$mydomain, localhost"},
    {"myorigin", "$myhostname"},
    {"process_id_directory", "pid"},
    {"setgid_group", "postdrop"},
    {"syslog_name", "${multi_instance_name?{$multi_instance_name}:{postfix}}"},
};
enum { NOTHERS = sizeof others / sizeof *others };

/* A setting once evaluated. */
struct cached {
  struct cached *next;
  char *name;
  bool defined;
  dictum_buf text;
};

struct settings {
  dictum_params *params;
  bool have_file;
  struct cached *cache;
  void (*event)(void *rock, const dictum_event *event);
  void *rock;
  char *postfix_registry;
  dictum_registry registries[2];
  uint64_t build_memory; /* 0: the library's own limit */
};

static dictum_status nomem(dictum_error *err) {
  return failure(err, DICTUM_NOMEM, DICTUM_CODE_PARAM, 0, "out of memory");
}

/* ---- values ------------------------------------------------------------- */

static void free_cached(struct cached *entry) {
  free(entry->name);
  dictum_buf_free(&entry->text);
  free(entry);
}

static struct cached *find_cached(const struct settings *settings, const char *name) {
  for (struct cached *c = settings->cache; c; c = c->next)
    if (strcmp(c->name, name) == 0)
      return c;
  return NULL;
}

/* As in Postfix, what is wrong is a warning, and that the value is of no use is the failure. */
static dictum_status tell_mistake(const struct settings *settings, const char *name,
                                  dictum_error *err) {
  if (settings->event && err)
    settings->event(settings->rock, &(dictum_event){sizeof(dictum_event), DICTUM_LEVEL_WARNING,
                                                    DICTUM_CODE_PARAM, "", err->what, 0, 0});
  return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "parameter %s: macro processing error",
                 name);
}

static dictum_status evaluate(struct settings *settings, const char *name, const char **value,
                              dictum_error *err) {
  *value = NULL;
  struct cached *entry = find_cached(settings, name);
  if (!entry) {
    entry = calloc(1, sizeof *entry);
    if (!entry || !(entry->name = strdup(name))) {
      free(entry);
      return nomem(err);
    }
    dictum_status status = dictum_params_get(settings->params, name, &entry->text, err);
    if (status != DICTUM_OK && status != DICTUM_NOTFOUND) {
      free_cached(entry);
      return status == DICTUM_CONFIG ? tell_mistake(settings, name, err) : status;
    }
    entry->defined = status == DICTUM_OK;
    entry->next = settings->cache;
    settings->cache = entry;
  }
  *value = entry->defined ? entry->text.data : NULL;
  return DICTUM_OK;
}

bool settings_have_file(const struct settings *settings) {
  return settings->have_file;
}

const char *settings_get(struct settings *settings, const char *name) {
  dictum_error err = DICTUM_ERROR_INIT;
  const char *value;
  return evaluate(settings, name, &value, &err) == DICTUM_OK ? value : NULL;
}

bool settings_bool(struct settings *settings, const char *name) {
  const char *value = settings_get(settings, name);
  return value && strcasecmp(value, "yes") == 0;
}

/* ---- checks ------------------------------------------------------------- */

static dictum_status check_number(const struct known *k, const char *value, dictum_error *err) {
  char *end;
  errno = 0;
  long number = strtol(value, &end, 10);
  bool fits = k->kind == LONG_NUMBER || (number <= INT_MAX && number >= INT_MIN);
  if (end == value || *end != '\0' || errno != 0 || !fits)
    return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "bad numerical configuration: %s = %s",
                   k->name, value);
  if (number < k->min)
    return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "invalid %s parameter value %ld < %ld",
                   k->name, number, k->min);
  return DICTUM_OK;
}

static dictum_status check_boolean(const struct known *k, const char *value, dictum_error *err) {
  if (strcasecmp(value, "yes") == 0 || strcasecmp(value, "no") == 0)
    return DICTUM_OK;
  return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0, "bad boolean configuration: %s = %s",
                 k->name, value);
}

static dictum_status check_period(const struct known *k, const char *value, dictum_error *err) {
  size_t digits = strspn(value, "0123456789");
  const char *unit = value + digits;
  if (digits > 0 && digits < 10 && (*unit == '\0' || (strchr("smhdw", *unit) && unit[1] == '\0')))
    return DICTUM_OK;
  return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                 "parameter %s: bad time value or unit: %s", k->name, value);
}

/* One to three numbers with dots between them. */
static dictum_status check_level(const char *value, dictum_error *err) {
  const char *s = value;
  for (int part = 0; part < 3; part++) {
    size_t digits = strspn(s, "0123456789");
    if (digits == 0)
      break;
    s += digits;
    if (*s == '\0')
      return DICTUM_OK;
    if (*s++ != '.')
      break;
  }
  return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                 "malformed compatibility level syntax: \"%s\"", value);
}

static dictum_status check_migration(const char *value, dictum_error *err) {
  static const char *const levels[] = {"disable", "enable-redirect", "enable-reindex"};
  for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
    if (strcmp(value, levels[i]) == 0)
      return DICTUM_OK;
  return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                 "invalid non-Berkeley-DB migration level: '%s'", value);
}

static dictum_status check(const struct known *k, const char *value, dictum_error *err) {
  switch (k->kind) {
  case NUMBER:
  case LONG_NUMBER:
    return check_number(k, value, err);
  case BOOLEAN:
    return check_boolean(k, value, err);
  case PERIOD:
    return check_period(k, value, err);
  case LEVEL:
    return check_level(value, err);
  case MIGRATION:
    return check_migration(value, err);
  case NONEMPTY:
    if (*value == '\0')
      return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                     "bad string length 0 < 1: %s = ", k->name);
    break;
  case TEXT:
    break;
  }
  return DICTUM_OK;
}

static dictum_status check_all(struct settings *settings, dictum_error *err) {
  for (const struct known *k = known; k < known + NKNOWN; k++) {
    const char *value;
    dictum_status status = evaluate(settings, k->name, &value, err);
    if (status == DICTUM_OK)
      status = check(k, value ? value : "", err);
    if (status != DICTUM_OK)
      return status;
  }
  return DICTUM_OK;
}

/* ---- reading ------------------------------------------------------------ */

/* Makes the absolute path of DIR/main.cf. */
static dictum_status find_file(const char *dir, char **path, dictum_error *err) {
  char *file;
  *path = NULL;
  if (asprintf(&file, "%s/main.cf", dir) < 0)
    return nomem(err);
  if (file[0] == '/') {
    *path = file;
    return DICTUM_OK;
  }
  *path = realpath(file, NULL);
  dictum_status status = *path ? DICTUM_OK
                               : failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, errno,
                                         "open %s: %s", file, strerror(errno));
  free(file);
  return status;
}

/* As in Postfix: the domain is what stands behind the first dot, and a name without one gets it. */
static dictum_status set_machine(struct settings *settings, dictum_error *err) {
  char name[HOST_NAME_MAX + 1] = "";
  gethostname(name, sizeof name - 1);
  const char *dot = strchr(name, '.');
  dictum_status status = dictum_params_default(
      settings->params, "mydomain", dot && dot[1] != '\0' ? dot + 1 : "localdomain", err);
  char full[HOST_NAME_MAX + sizeof ".$mydomain"];
  snprintf(full, sizeof full, "%s%s", *name != '\0' ? name : "localhost", dot ? "" : ".$mydomain");
  /* Whoever may name the machine may not write macros. */
  if (status == DICTUM_OK && !strpbrk(name, "$ \t\r\n"))
    status = dictum_params_default(settings->params, "myhostname", full, err);
  return status;
}

static dictum_status set_defaults(struct settings *settings, const char *dir, bool postfix,
                                  dictum_error *err) {
  dictum_status status = dictum_params_default(settings->params, "config_directory", dir, err);
  for (size_t i = 0; i < NKNOWN && status == DICTUM_OK; i++)
    status = dictum_params_default(settings->params, known[i].name, known[i].fallback, err);
  for (size_t i = 0; i < NOTHERS && status == DICTUM_OK; i++)
    status = dictum_params_default(settings->params, others[i].name, others[i].text, err);
  if (status == DICTUM_OK)
    status = set_machine(settings, err);
  if (postfix && status == DICTUM_OK) /* which cannot do better */
    status = dictum_params_default(settings->params, "texthash_utf8", "no", err);
  return status;
}

static bool is_missing(const dictum_error *err) {
  return err->sys_errno == ENOENT || err->sys_errno == ENOTDIR;
}

/* Only a file in a folder that was named must be there. */
static dictum_status read_file(struct settings *settings, const char *path, bool named,
                               dictum_error *err) {
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.event = settings->event;
  opts.event_rock = settings->rock;
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = dictum_params_read(path, &opts, &settings->params, &why);
  settings->have_file = status == DICTUM_OK;
  if (status == DICTUM_CONFIG && is_missing(&why) && !named)
    return dictum_params_read(NULL, &opts, &settings->params, err);
  if (status == DICTUM_CONFIG && is_missing(&why)) /* which names the file itself */
    return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, why.sys_errno, "%s", why.what);
  if (status != DICTUM_OK && err)
    *err = why;
  return status;
}

static dictum_status read_params(struct settings *settings, const char *dir, bool named,
                                 bool postfix, dictum_error *err) {
  char *path;
  dictum_status status = find_file(dir, &path, err);
  if (status == DICTUM_OK)
    status = read_file(settings, path, named, err);
  free(path);
  if (status == DICTUM_OK)
    status = set_defaults(settings, dir, postfix, err);
  return status;
}

static dictum_status name_registry(struct settings *settings, dictum_error *err) {
  if (asprintf(&settings->postfix_registry, "%s/dynamicmaps.cf",
               settings_get(settings, "meta_directory")) >= 0)
    return DICTUM_OK;
  settings->postfix_registry = NULL;
  return nomem(err);
}

bool settings_parse_size(const char *text, uint64_t *bytes) {
  static const char units[] = "KMG";
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 15)
    return false;
  uint64_t size = strtoull(text, NULL, 10);
  if (text[digits] != '\0') {
    const char *unit = strchr(units, text[digits]);
    if (!unit || text[digits + 1] != '\0')
      return false;
    if (__builtin_mul_overflow(size, UINT64_C(1024) << 10 * (unit - units), &size))
      return false;
  }
  *bytes = size;
  return size > 0;
}

static dictum_status read_environment(struct settings *settings, dictum_error *err) {
  const char *memory = secure_getenv("DICTUM_BUILD_MEMORY");
  if (!memory || settings_parse_size(memory, &settings->build_memory))
    return DICTUM_OK;
  return failure(err, DICTUM_CONFIG, DICTUM_CODE_PARAM, 0,
                 "DICTUM_BUILD_MEMORY: bad size \"%s\": give bytes, or such as 64K, 256M, 2G",
                 memory);
}

dictum_status settings_read(const char *config_dir, bool postfix,
                            void (*event)(void *rock, const dictum_event *event), void *rock,
                            struct settings **out, dictum_error *err) {
  *out = NULL;
  const char *dir = config_dir ? config_dir : secure_getenv("MAIL_CONFIG");
  bool named = dir != NULL;
  struct settings *settings = calloc(1, sizeof *settings);
  if (!settings)
    return nomem(err);
  settings->event = event;
  settings->rock = rock;
  dictum_status status = read_params(settings, named ? dir : POSTFIX_CONFIG_DIR, named, postfix,
                                     err);
  if (status == DICTUM_OK)
    status = check_all(settings, err);
  if (status == DICTUM_OK)
    status = name_registry(settings, err);
  if (status == DICTUM_OK)
    status = read_environment(settings, err);
  if (status == DICTUM_OK)
    *out = settings;
  else
    settings_free(settings);
  return status;
}

void settings_free(struct settings *settings) {
  if (!settings)
    return;
  while (settings->cache) {
    struct cached *c = settings->cache;
    settings->cache = c->next;
    free_cached(c);
  }
  dictum_params_free(settings->params);
  free(settings->postfix_registry);
  free(settings);
}

/* ---- the context -------------------------------------------------------- */

static const char *resolve(void *rock, const char *name) {
  return settings_get(rock, name);
}

const char *settings_postfix_registry(const struct settings *settings) {
  return settings->postfix_registry;
}

void settings_context(struct settings *settings, dictum_ctx_opts *opts) {
  opts->param = resolve;
  opts->param_rock = settings;
  opts->build_memory = settings->build_memory;

  dictum_registry *own = &settings->registries[0];
  *own = *dictum_default_registry();
  const char *plugin_dir = secure_getenv("DICTUM_PLUGIN_DIR");
  const char *maps_file = secure_getenv("DICTUM_DYNAMICMAPS");
  if (plugin_dir)
    own->plugin_dir = plugin_dir;
  if (maps_file)
    own->maps_file = maps_file;
  opts->registries = settings->registries;
  opts->nregistries = 1;

  /* A Postfix without shared libraries says "no" for the folder, and has no plugins. */
  const char *shlib = settings_get(settings, "shlib_directory");
  if (shlib[0] != '/' || settings->postfix_registry[0] != '/')
    return;
  settings->registries[1] = (dictum_registry){settings->postfix_registry, shlib,
                                              DICTUM_REGISTRY_POSTFIX};
  opts->nregistries = 2;
}
