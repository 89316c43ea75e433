/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_no_symbol.c - a library like many others: no descriptor. */
extern int fake_no_symbol_nothing;
__attribute__((visibility("default"))) int fake_no_symbol_nothing = 1;
