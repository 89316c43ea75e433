/* SPDX-License-Identifier: BSD-2-Clause */
/* hot.h - what only paths need that are walked very often. */
#ifndef DICTUM_PLUGINS_HOT_H
#define DICTUM_PLUGINS_HOT_H

/** Of a large variable that is filled before it is read: the compiler, which is told to clear all
 * (-ftrivial-auto-var-init), leaves this one. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef UNINITIALIZED
#define UNINITIALIZED
#endif

#endif
