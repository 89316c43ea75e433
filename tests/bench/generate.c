/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generate.c - the data that speed is measured with: the same for everybody, every time.
 *
 *     generate source SHAPE COUNT    text to build a table of COUNT entries from
 *     generate keys SHAPE COUNT      COUNT questions to it, half of which it can answer
 *     generate rules regexp COUNT    COUNT rules of a table of regular expressions
 *     generate hits regexp COUNT N   N questions of which each matches one of those rules
 *     generate misses regexp COUNT N  N questions that match none
 *     generate rules cidr COUNT      COUNT networks
 *     generate hits cidr COUNT N     N addresses, most of which are in one of those networks
 *
 * Fewer questions are the first of more.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
  const char *name;
  int in_order;
  uint64_t copies; /* how often each key occurs */
  void (*key)(char *to, size_t size, uint64_t n);
  void (*value)(char *to, size_t size, uint64_t n);
  const char *between;
};

enum { USERS_PER_DOMAIN = 50, LONGEST = 4096 };

static uint64_t mix(uint64_t x) {
  x ^= x >> 31;
  x *= UINT64_C(0x9e3779b97f4a7c15);
  x ^= x >> 29;
  return x;
}

/* A permutation of 0 .. count-1: mixes within the next power of two, again until inside. */
static uint64_t shuffled(uint64_t n, uint64_t count) {
  unsigned bits = 1;
  while (UINT64_C(1) << bits < count)
    bits++;
  uint64_t mask = (UINT64_C(1) << bits) - 1;
  unsigned half = (bits + 1) / 2;
  do {
    for (int round = 0; round < 3; round++) {
      n = (n * UINT64_C(0x9e3779b97f4a7c15) + 12345) & mask;
      n ^= n >> half;
    }
  } while (n >= count);
  return n;
}

/* ---- shapes --------------------------------------------------------------------------------- */

static void mail_key(char *to, size_t size, uint64_t n) {
  snprintf(to, size, "user%08lu@example-%06lu.tld", (unsigned long)n,
           (unsigned long)(n / USERS_PER_DOMAIN));
}

static void mail_value(char *to, size_t size, uint64_t n) {
  snprintf(to, size, "example-%06lu.tld/user%08lu/", (unsigned long)(n / USERS_PER_DOMAIN),
           (unsigned long)n);
}

static void short_key(char *to, size_t size, uint64_t n) {
  snprintf(to, size, "%lx", (unsigned long)n);
}

static void short_value(char *to, size_t size, uint64_t n) {
  snprintf(to, size, "%s", n % 3 ? "OK" : "REJECT");
}

static void long_key(char *to, size_t size, uint64_t n) {
  snprintf(to, size,
           "a.rather.long.local.part.as.mailing.list.software.makes.them+bounces-%08lu-%016lx@"
           "lists.a-department.of-some-institute.example-%06lu.example.org",
           (unsigned long)n, (unsigned long)mix(n), (unsigned long)(n / USERS_PER_DOMAIN));
}

static void long_value(char *to, size_t size, uint64_t n) {
  size_t len = 0;
  for (uint64_t i = 0; i < 12 && len < size; i++)
    len += (size_t)snprintf(to + len, size - len, "%swith-a-tail-of-%016lx", i ? " " : "",
                            (unsigned long)mix(n * 16 + i));
}

static void alias_key(char *to, size_t size, uint64_t n) {
  snprintf(to, size, "list-%08lu", (unsigned long)n);
}

static void alias_value(char *to, size_t size, uint64_t n) {
  size_t len = 0;
  for (uint64_t i = 0; i <= n % 20 && len < size; i++)
    len += (size_t)snprintf(to + len, size - len, "%smember%06lu@example-%04lu.tld", i ? ", " : "",
                            (unsigned long)(mix(n + i) % 1000000),
                            (unsigned long)(mix(n * 31 + i) % 10000));
}

static void utf8_key(char *to, size_t size, uint64_t n) {
  snprintf(to, size, "%s%08lu@\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0-%06lu.example",
           n % 2 ? "J\xc3\xb6rg" : "\xce\xa3\xce\xbf\xcf\x86\xce\xaf\xce\xb1", (unsigned long)n,
           (unsigned long)(n / USERS_PER_DOMAIN));
}

static void utf8_value(char *to, size_t size, uint64_t n) {
  snprintf(to, size, "\xd1\x8f\xd1\x89\xd0\xb8\xd0\xba/%08lu/", (unsigned long)n);
}

static const struct shape shapes[] = {
    {"random", 0, 1, mail_key, mail_value, "\t"},     {"sorted", 1, 1, mail_key, mail_value, "\t"},
    {"short", 0, 1, short_key, short_value, " "},     {"long", 0, 1, long_key, long_value, "    "},
    {"aliases", 0, 1, alias_key, alias_value, ": "},  {"utf8", 0, 1, utf8_key, utf8_value, "\t"},
    {"duplicates", 0, 4, mail_key, mail_value, "\t"},
};

static void print_source(const struct shape *shape, uint64_t count) {
  char key[LONGEST], value[LONGEST];
  for (uint64_t i = 0; i < count; i++) {
    uint64_t n = (shape->in_order ? i : shuffled(i, count)) / shape->copies;
    shape->key(key, sizeof key, n);
    shape->value(value, sizeof value, n);
    printf("%s%s%s\n", key, shape->between, value);
  }
}

/* A key that is not there is next to one that is: they differ in the last byte only. */
static void print_keys(const struct shape *shape, uint64_t count) {
  char key[LONGEST];
  for (uint64_t i = 0; i < count; i++) {
    uint64_t n = shuffled(count - 1 - i, count);
    shape->key(key, sizeof key, n / shape->copies);
    printf("%s%s\n", key, i % 2 ? "x" : "");
  }
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* What people write: whole addresses, domains with all below them, words in headers, one of several
 * endings. */
static void print_rules(uint64_t count) {
  for (unsigned long n = 0; n < count; n++) {
    switch (n % 4) {
    case 0:
      printf("/^spammer%05lu@bulk-%03lu\\.example$/\tREJECT rule %lu\n", n, n % 500, n);
      break;
    case 1:
      printf("/[@.]ads-%05lu\\.example$/\tREJECT rule %lu\n", n, n);
      break;
    case 2:
      printf("/^Subject:.*cheap offer %05lu/\tDISCARD rule %lu\n", n, n);
      break;
    default:
      printf("/(news|mail|info)%05lu\\.(example|invalid)$/\tREJECT $1 of rule %lu\n", n, n);
    }
  }
}

static void print_hits(uint64_t count, uint64_t questions) {
  for (uint64_t i = 0; i < questions; i++) {
    unsigned long n = (unsigned long)(mix(i + 1) % count);
    switch (n % 4) {
    case 0:
      printf("spammer%05lu@bulk-%03lu.example\n", n, n % 500);
      break;
    case 1:
      printf("someone@www.ads-%05lu.example\n", n);
      break;
    case 2:
      printf("Subject: Re: a cheap offer %05lu for you\n", n);
      break;
    default:
      printf("list@news%05lu.invalid\n", n);
    }
  }
}

static void print_misses(uint64_t questions) {
  char key[LONGEST];
  for (uint64_t i = 0; i < questions; i++) {
    mail_key(key, sizeof key, mix(i) % 1000000);
    puts(key);
  }
}

/* Networks of IPv4 and some of IPv6, the small ones first, as one does. */
static void print_networks(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    uint64_t random = mix(i + 1);
    unsigned bits = i < count / 2 ? 24 + (unsigned)(i % 9) : 16 + (unsigned)(i % 8);
    if (i % 8 == 7) {
      printf("2001:db8:%lx:%lx::/64\tnetwork %lu\n", (unsigned long)(random >> 8 & 0xff),
             (unsigned long)(random & 0xffff), (unsigned long)i);
      continue;
    }
    uint32_t first = (uint32_t)(random >> 16) & ~(bits < 32 ? UINT32_MAX >> bits : 0);
    printf("%u.%u.%u.%u/%u\tnetwork %lu\n", first >> 24, first >> 16 & 255, first >> 8 & 255,
           first & 255, bits, (unsigned long)i);
  }
}

/* Within the networks and beside them. */
static void print_addresses(uint64_t count, uint64_t questions) {
  for (uint64_t i = 0; i < questions; i++) {
    uint64_t n = mix(i + 7) % count, random = mix(n + 1);
    if (n % 8 == 7) {
      printf("2001:db8:%lx:%lx::%lx\n", (unsigned long)(random >> 8 & 0xff),
             (unsigned long)(random & 0xffff), (unsigned long)(i & 0xffff));
      continue;
    }
    uint32_t address = (uint32_t)(random >> 16) ^ (uint32_t)(i & 0x1ff);
    printf("%u.%u.%u.%u\n", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
  }
}

/* ---- the command line ----------------------------------------------------------------------- */

static const struct shape *find_shape(const char *name) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (strcmp(shapes[i].name, name) == 0)
      return &shapes[i];
  return NULL;
}

static int print_shaped(const char *what, const struct shape *shape, uint64_t count) {
  if (strcmp(what, "source") == 0)
    print_source(shape, count);
  else if (strcmp(what, "keys") == 0)
    print_keys(shape, count);
  else
    return 0;
  return 1;
}

static int print_ruled(const char *what, int is_cidr, uint64_t count, uint64_t questions) {
  if (strcmp(what, "rules") == 0 && is_cidr)
    print_networks(count);
  else if (strcmp(what, "rules") == 0)
    print_rules(count);
  else if (questions > 0 && strcmp(what, "hits") == 0 && is_cidr)
    print_addresses(count, questions);
  else if (questions > 0 && strcmp(what, "hits") == 0)
    print_hits(count, questions);
  else if (questions > 0 && strcmp(what, "misses") == 0 && !is_cidr)
    print_misses(questions);
  else
    return 0;
  return 1;
}

int main(int argc, char **argv) {
  uint64_t count = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
  uint64_t questions = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
  const struct shape *shape = argc > 3 ? find_shape(argv[2]) : NULL;
  int done = 0;
  if (count > 0 && shape)
    done = print_shaped(argv[1], shape, count);
  else if (count > 0 && (strcmp(argv[2], "regexp") == 0 || strcmp(argv[2], "cidr") == 0))
    done = print_ruled(argv[1], strcmp(argv[2], "cidr") == 0, count, questions);
  if (!done) {
    fprintf(stderr, "usage: generate source|keys SHAPE COUNT\n"
                    "       generate rules regexp|cidr COUNT\n"
                    "       generate hits|misses regexp|cidr COUNT QUESTIONS\n");
    return 64;
  }
  return fflush(stdout) == 0 ? 0 : 74;
}
