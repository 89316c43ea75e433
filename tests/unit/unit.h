/* SPDX-License-Identifier: BSD-2-Clause */
/* unit.h - cmocka with what it needs before it. */
#ifndef DICTUM_TESTS_UNIT_H
#define DICTUM_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
