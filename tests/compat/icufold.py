# SPDX-License-Identifier: BSD-2-Clause
"""icufold.py - full case folding by ICU, the library by which Postfix folds, from the C library itself."""

import ctypes
import ctypes.util
import re

from tap import require_that

DEFAULT_FOLDING = 0  # U_FOLD_CASE_DEFAULT of unicode/uchar.h
MOST_GROWTH = 3      # characters to which one may be folded


def folding():
    """@return a function that folds a text; ends the test when there is no ICU"""
    name = ctypes.util.find_library("icuuc")
    require_that(name, "there is no libicuuc")
    # Each release has its number in the names of its functions.
    release = re.search(r"\.so\.(\d+)", name)[1]
    fold = getattr(ctypes.CDLL(name), f"u_strFoldCase_{release}")

    def folded(text):
        units = text.encode("utf-16-le")
        room = MOST_GROWTH * len(units)
        to, error = ctypes.create_string_buffer(room + 2), ctypes.c_int(0)
        length = fold(to, room // 2, units, len(units) // 2, DEFAULT_FOLDING, ctypes.byref(error))
        if error.value > 0:
            raise ValueError(f"u_strFoldCase: error {error.value}")
        return to.raw[:2 * length].decode("utf-16-le")

    return folded
