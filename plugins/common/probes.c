/* SPDX-License-Identifier: BSD-2-Clause */
/* probes.c - searches of sorted pages that wait for memory together. */
#include "probes.h"

/* Most keys end within so many bytes of where their entry begins. */
enum { entry_bytes = 128 };

static size_t middle_of(const struct probe *probe) {
  return probe->low + (probe->high - probe->low) / 2;
}

static bool is_done(const struct probe *probe) {
  return !probe->page || probe->low >= probe->high;
}

static void send_for_middle(const struct probe *probe, const struct probe_pages *pages) {
  if (!is_done(probe))
    probe_send_for(pages->entry(pages->rock, probe, middle_of(probe)), entry_bytes);
}

/* One step, about an entry that was sent for. */
static void narrow(struct probe *probe, const struct probe_pages *pages) {
  const size_t middle = middle_of(probe);
  if (pages->is_before(pages->rock, probe, middle))
    probe->low = middle + 1;
  else
    probe->high = middle;
}

void probes_run(struct probe *probes, size_t n, const struct probe_pages *pages) {
  for (size_t i = 0; i < n; i++)
    send_for_middle(&probes[i], pages);
  for (size_t going = n; going > 0;) {
    going = 0;
    for (size_t i = 0; i < n; i++) {
      if (is_done(&probes[i]))
        continue;
      narrow(&probes[i], pages);
      send_for_middle(&probes[i], pages);
      going++;
    }
  }
}
