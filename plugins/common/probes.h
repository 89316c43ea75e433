/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.h - searches of sorted pages that wait for memory together.
 *
 * Each step of a binary search in a large mapped file waits for memory, and the
 * next cannot begin before. The steps of searches for several keys can, so a
 * batch of them takes little longer than one. What comes of it is only a hint:
 * the pages may be damaged.
 */
#ifndef DICTUM_PLUGINS_PROBES_H
#define DICTUM_PLUGINS_PROBES_H

#include <dictum_plugin.h>
#include <stdbool.h>

/** A search of one page. */
struct probe {
  const dictum_key *key;
  const unsigned char *page; /**< NULL: the search has failed */
  size_t n;                  /**< entries of the page */
  size_t low, high;          /**< it ends at one of these; once done, at low */
};

/** What the pages are. Both functions have to stay within the page, whatever its bytes are. */
struct probe_pages {
  const void *rock;
  /** Where the bytes of entry @p at begin, which is below n. They need not be looked at. */
  const unsigned char *(*entry)(const void *rock, const struct probe *probe, size_t at);
  /** Must the search go on behind entry @p at? */
  bool (*is_before)(const void *rock, const struct probe *probe, size_t at);
};

/** Has the processor fetch what begins there, which is about @p bytes long. */
static inline void probe_send_for(const void *at, size_t bytes) {
  enum { line = 64 };
  for (size_t done = 0; done < bytes; done += line)
    __builtin_prefetch((const char *)at + done);
  __asm__ volatile(""); /* GCC drops calls of a function that seems to do nothing */
}

/** Searches between low and high of each, until these meet. */
void probes_run(struct probe *probes, size_t n, const struct probe_pages *pages);

#endif
