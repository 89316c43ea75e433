# SPDX-License-Identifier: BSD-2-Clause
"""foreign.py - where the mail servers are that compat/foreign has unpacked."""

import os
import pathlib

from tap import missing


def folder_of(server):
    """@return the folder in which the server's files lie as they would under /"""
    folder = pathlib.Path(os.environ.get("FOREIGN", "/nonexistent"), server)
    if not folder.is_dir():
        raise missing(f"there is no {server} in $FOREIGN")
    return folder
