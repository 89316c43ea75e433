# SPDX-License-Identifier: BSD-2-Clause
"""markdown.py - the tables of RESULTS.md, read back."""


def cells_of(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def read(path):
    """@return the rows of all tables by their names, each a dictionary by the names of columns, with
    the title of its section as "section" """
    rows, head, section = {}, None, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            section = line[3:]
        if line.startswith("|---"):
            continue
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = cells_of(line)
        else:
            cells = cells_of(line)
            rows[cells[0]] = {**dict(zip(head, cells)), "section": section}
    return rows
