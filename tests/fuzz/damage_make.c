/* SPDX-License-Identifier: BSD-2-Clause */
/* damage_make.c - files damaged as a number says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "damage.h"

enum { shortest_content = 8, interesting_header = 40, interesting_array = 240 };

bool damage_read(const char *path, struct damage_file *file) {
  FILE *stream = fopen(path, "rb");
  *file = (struct damage_file){0};
  if (!stream)
    return false;
  if (fseek(stream, 0, SEEK_END) == 0)
    file->n = (size_t)ftell(stream);
  rewind(stream);
  file->bytes = calloc(file->n + 1, 1);
  bool read = file->bytes && fread(file->bytes, 1, file->n, stream) == file->n;
  fclose(stream);
  return read;
}

/* ---- chance --------------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t chance(uint64_t below) { /* splitmix64 */
  uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (z ^ (z >> 31)) % below;
}

/* ---- what is where -------------------------------------------------------------------------- */

static bool is_lmdb(const char *type) {
  return strcmp(type, "lmdb") == 0;
}

/* The tables are of this machine's byte order. */
static size_t page_bytes_of(const struct damage_file *pristine, const char *type) {
  uint32_t bytes;
  memcpy(&bytes, pristine->bytes + (is_lmdb(type) ? 40 : 20), sizeof bytes);
  return bytes;
}

static bool is_printable(unsigned char byte) {
  return byte >= ' ' && byte <= '~';
}

/* Marks the bytes of keys and values: runs of printable ones, with the NUL behind them. */
static bool *find_content(const struct damage_file *file) {
  bool *content = calloc(file->n + 1, sizeof *content);
  for (size_t i = 0, run = 0; content && i < file->n; i++) {
    run = is_printable(file->bytes[i]) ? run + 1 : 0;
    if (run == shortest_content)
      memset(content + i + 1 - run, 1, run + 1);
    else if (run > shortest_content)
      content[i] = content[i + 1] = true;
  }
  return content;
}

static bool is_structure(const bool *content, size_t at, size_t width) {
  return memchr(content + at, 1, width) == NULL;
}

/* ---- small damage --------------------------------------------------------------------------- */

/* A place, more often than others one in which much depends on few bytes. */
static size_t pick_place(const struct damage_file *file, size_t page_bytes) {
  size_t pages = file->n / page_bytes, at;
  size_t page = chance(4) == 0 || pages < 2 ? chance(pages < 2 ? 1 : 2) : chance(pages);
  switch (chance(3)) {
  case 0:
    at = chance(interesting_header);
    break;
  case 1:
    at = chance(interesting_array);
    break;
  default:
    at = chance(page_bytes);
  }
  at += page * page_bytes;
  return at < file->n ? at : 0;
}

static void change_bytes(unsigned char *bytes, size_t width, const unsigned char *other) {
  switch (chance(6)) {
  case 0:
    bytes[chance(width)] ^= (unsigned char)(1u << chance(8));
    break;
  case 1:
    for (size_t i = 0; i < width; i++)
      bytes[i] = (unsigned char)chance(256);
    break;
  case 2:
    memset(bytes, 0, width);
    break;
  case 3:
    memset(bytes, 0xff, width);
    break;
  case 4:
    bytes[0] = (unsigned char)(bytes[0] + (chance(2) ? 1 : 0xff));
    break;
  default:
    memmove(bytes, other, width);
  }
}

static void damage_bytes(struct damage_file *file, size_t page_bytes, const bool *content) {
  for (int tries = 0; tries < 100; tries++) {
    size_t width = (size_t)1 << chance(4);
    size_t at = pick_place(file, page_bytes), other = pick_place(file, page_bytes);
    at -= at % width;
    other -= other % width;
    if (at + width > file->n || other + width > file->n)
      continue;
    if (content && !(is_structure(content, at, width) && is_structure(content, other, width)))
      continue;
    change_bytes(file->bytes + at, width, file->bytes + other);
    return;
  }
}

/* ---- large damage --------------------------------------------------------------------------- */

static void exchange_bytes(unsigned char *a, unsigned char *b, size_t n) {
  for (size_t i = 0; i < n; i++) {
    unsigned char byte = a[i];
    a[i] = b[i];
    b[i] = byte;
  }
}

static void damage_pages(struct damage_file *file, size_t page_bytes) {
  size_t pages = file->n / page_bytes;
  if (pages == 0)
    return;
  unsigned char *page = file->bytes + chance(pages) * page_bytes;
  unsigned char *other = file->bytes + chance(pages) * page_bytes;
  switch (chance(5)) {
  case 0:
    memset(page, 0, page_bytes);
    break;
  case 1:
    for (size_t i = 0; i < page_bytes; i++)
      page[i] = (unsigned char)chance(256);
    break;
  case 2:
    memmove(page, other, page_bytes);
    break;
  case 3:
    exchange_bytes(page, other, page_bytes);
    break;
  default: /* as if half of it was written */
    memset(page + page_bytes / 2, 0, page_bytes / 2);
  }
}

/* There is room for a page more, which is all zero. */
static void damage_length(struct damage_file *file, size_t page_bytes) {
  switch (chance(4)) {
  case 0:
    file->n = chance(file->n + 1);
    break;
  case 1:
    file->n -= file->n < page_bytes ? file->n : page_bytes;
    break;
  case 2:
    file->n = chance(file->n / page_bytes + 1) * page_bytes;
    break;
  default:
    file->n += chance(page_bytes) + 1;
  }
}

/* ---- what follows --------------------------------------------------------------------------- */

static void consider_byte(struct damage *damage, const char *type, size_t page_bytes, size_t at,
                          unsigned before, unsigned now) {
  enum { link_begin = 16, link_end = 20, mark_of_deletion = 0x80, in_chain = 3, here = 1 };
  size_t place = at % page_bytes;
  unsigned padding = strcmp(type, "hash") == 0 ? 0 : is_lmdb(type) ? 1 : 3;
  if ((before > now ? before - now : now - before) <= padding)
    damage->exact = false;
  if (strcmp(type, "hash") == 0 && before == in_chain && now == here)
    damage->exact = false;
  if (is_lmdb(type) ? at < 2 * page_bytes : at < page_bytes)
    damage->hides = true;
  if (is_lmdb(type) && at < 2 * page_bytes)
    damage->other_state = true;
  if (strcmp(type, "hash") == 0 && place >= link_begin && place < link_end)
    damage->hides = true;
  if (strcmp(type, "btree") == 0 && now == (before | mark_of_deletion))
    damage->hides = damage->other_state = true;
}

/* A page of Berkeley DB's that looks as if nothing was on it. */
static void consider_page(struct damage *damage, const struct damage_file *pristine,
                          size_t page_bytes, size_t at) {
  enum { items = 20, lowest = 22, content = 26 };
  static const unsigned char nothing[2], blank[content];
  const unsigned char *now = damage->file.bytes + at;
  uint16_t end;
  memcpy(&end, now + lowest, sizeof end);
  if (memcmp(pristine->bytes + at + items, nothing, sizeof nothing) != 0 &&
      memcmp(now + items, nothing, sizeof nothing) == 0 &&
      (end == page_bytes || memcmp(now, blank, sizeof blank) == 0))
    damage->hides = damage->other_state = true;
}

static bool has_lmdb_magic(const struct damage_file *file, size_t page_bytes) {
  const uint32_t magic = 0xBEEFC0DE;
  const size_t place = 16, meta_bytes = 152;
  for (size_t at = 0; at <= page_bytes; at += page_bytes)
    if (at + meta_bytes <= file->n && memcmp(file->bytes + at + place, &magic, sizeof magic) == 0)
      return true;
  return file->n == 0;
}

static void consider(struct damage *damage, const struct damage_file *pristine, const char *type,
                     size_t page_bytes) {
  for (size_t i = 0; damage->exact && i < pristine->n; i++)
    if (damage->file.bytes[i] != pristine->bytes[i])
      consider_byte(damage, type, page_bytes, i, pristine->bytes[i], damage->file.bytes[i]);
  for (size_t at = 0; damage->exact && !is_lmdb(type) && at < pristine->n; at += page_bytes)
    consider_page(damage, pristine, page_bytes, at);
  damage->unrecognizable = is_lmdb(type) && !has_lmdb_magic(&damage->file, page_bytes);
}

bool damage_make(struct damage *damage, const struct damage_file *pristine, const char *type,
                 uint64_t seed) {
  size_t page_bytes = page_bytes_of(pristine, type);
  bool *content = find_content(pristine);
  *damage = (struct damage){.seed = seed, .exact = seed % 3 == 0};
  damage->file.n = pristine->n;
  damage->file.bytes = calloc(pristine->n + page_bytes + 1, 1);
  if (!content || !damage->file.bytes)
    return false;
  memcpy(damage->file.bytes, pristine->bytes, pristine->n);
  state = seed * UINT64_C(0x2545f4914f6cdd1d);
  for (uint64_t changes = chance(2) ? 1 : 1 + chance(4); changes > 0; changes--) {
    if (damage->exact || chance(3) != 0)
      damage_bytes(&damage->file, page_bytes, damage->exact ? content : NULL);
    else if (chance(3) != 0)
      damage_pages(&damage->file, page_bytes);
    else if (changes == 1)
      damage_length(&damage->file, page_bytes);
  }
  free(content);
  consider(damage, pristine, type, page_bytes);
  return true;
}

void damage_print(const struct damage_file *pristine, const char *type, uint64_t seed) {
  struct damage damage;
  int shown = 0;
  if (!damage_make(&damage, pristine, type, seed))
    return;
  printf("  %s damage, %zu bytes of %zu\n", damage.exact ? "exact" : "any", damage.file.n,
         pristine->n);
  for (size_t i = 0; i < damage.file.n && i < pristine->n && shown < 24; i++)
    if (damage.file.bytes[i] != pristine->bytes[i]) {
      printf("  at %zu (page %zu, byte %zu): %02x became %02x\n", i,
             i / page_bytes_of(pristine, type), i % page_bytes_of(pristine, type),
             pristine->bytes[i], damage.file.bytes[i]);
      shown++;
    }
  free(damage.file.bytes);
}
