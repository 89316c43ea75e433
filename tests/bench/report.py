# SPDX-License-Identifier: BSD-2-Clause
"""report.py - the results as a person reads them: on a terminal, and in RESULTS.md."""

import datetime
import os
import platform
import shlex
import subprocess

import markdown
from bench import HERE, ROOT
from results import shown
from targets import TARGETS

# Of each table of RESULTS.md: its name, what our results are compared with, and what it is about.
GROUPS = {
    "commands": ("Whole commands", "postmap",
                 "From the start of a command to its end. `build` makes a table where none is, "
                 "`query` asks as many keys as the table has entries, half of which it has, "
                 "`cold` asks one."),
    "shapes": ("Other shapes of data", "postmap",
               "The same with smaller tables and other data. The worst of each is in the table "
               "above, too."),
    "rules": ("Tables of rules", "postmap",
              "One answer of a table that was asked before, without the time to open it and what "
              "is made once, such as an index: of a command with 2 n questions, less one with n. "
              "`few` above is a whole command with 300 questions, `open` one with a single one."),
    "memory": ("Private memory", "postmap",
               "Without pages of mapped files, which the system can take back at any time."),
    "flat": ("Memory and the number of questions", "a tenth of them",
             "Private memory for all questions, beside that for a tenth of them."),
    "calls": ("Calls of the library", "the table alone",
              "One lookup through the library in one thread, beside the call of the client library "
              "on the same file. The raw calls keep one transaction or map for ever and would not "
              "see a change of the file, which ours must. In `call-hash` and `call-btree` Berkeley "
              "DB has a cache or map for all pages, and ours may keep as many "
              "(`berkeley_db_read_buffer_size`). In `default` both have what they take when nobody "
              "says anything, ours 1 MiB and Berkeley DB 256 KiB; in `small` ours has that, and "
              "Berkeley DB all pages."),
    "threads": ("Two threads on one table", "one thread",
                "The time of one lookup when two threads share the work. `processes` is the same with "
                "two processes, which have nothing in common but the file: it tells what the "
                "machine gives."),
    "switches": ("Fast paths that can be switched off", "switched off",
                 "One answer with the fast path, and by the plain path alone."),
}

HEAD = ("row", "ours", "{other}", "raw", "over {other}", "over raw", "CPU", "peak memory",
        "least / aim", "met", "behind", "worst shape")


RESULTS = HERE / "RESULTS.md"
ORIGIN = "- Measured by"  # how a line begins that tells where figures come from


def ratio_text(ratio):
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.2f}"


def ratio_cell(results, side):
    if side not in results.row.sides:
        return "-"
    ratios = results.ratios(side)
    return (f"{ratio_text(results.ratio(side))} ({ratio_text(min(ratios))}-"
            f"{ratio_text(max(ratios))})")


def other_side(results):
    """What is neither ours nor raw."""
    return next((side for side in results.row.sides if side not in ("ours", "raw")), None)


def behind(results):
    names = {"theirs": "postmap", "raw": "raw"}
    return ", ".join(name for side, name in names.items()
                     if side in results.row.sides and results.ratio(side) < 1)


def worst_shape(results, everything):
    """Of the same workload: where the ratios are smallest."""
    cells = []
    for side, name in (("theirs", "postmap"), ("raw", "raw")):
        others = [other for other in everything
                  if other.row.name.startswith(results.row.name + "/") and side in other.row.sides]
        if others:
            worst = min(others, key=lambda other: other.ratio(side))
            shape = worst.row.name.split("/")[1]
            cells.append(f"{worst.ratio(side):.2f} over {name} ({shape})")
    return ", ".join(cells)


def cells_of(results, everything=()):
    """@return a row of the table, in the order of HEAD"""
    row, other = results.row, other_side(results)
    cpu = results.cpu_ratio(other) if other else None
    peaks = [results.peak(side) for side in row.sides]
    target = TARGETS.get(row.name)
    return (row.name, shown(results.value("ours"), row.unit),
            shown(results.value(other), row.unit) if other else "-",
            shown(results.value("raw"), row.unit) if "raw" in row.sides else "-",
            ratio_cell(results, other), ratio_cell(results, "raw"),
            ratio_text(cpu) if cpu else "-",
            " / ".join(f"{peak:.0f}" for peak in peaks) + " MiB" if None not in peaks else "-",
            target.text(row.unit) if target else "-",
            target.verdict(results) if target else "-", behind(results) or "-",
            worst_shape(results, everything) or "-")


def print_cells(cells):
    widths = (26, 9, 9, 9, 22, 20, 7, 20, 26, 9, 13)
    print(*(cell.ljust(width) for cell, width in zip(cells, widths)), flush=True)


def print_head():
    print_cells([cell.format(other="other") for cell in HEAD])


# ---- RESULTS.md ---------------------------------------------------------------------------------

def first_line(*command):
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return (result.stdout.splitlines() or ["unknown"])[0].strip()


def version_of(package):
    return f"{package} {first_line('dpkg-query', '-W', '-f', '${Version}', package)}"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":", 1)[1].strip() for line in lines
                      if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return f"{os.cpu_count()} x {model}, {memory} GiB, Linux {platform.release()}"


def origin(argv, options):
    """@return what tells where figures come from"""
    return (f"`{shlex.join(['tests/bench/run', *argv])}`, {datetime.date.today().isoformat()}; "
            f"Dictum of {first_line('git', 'describe', '--always', '--dirty')}; {options.entries} "
            f"entries, {options.shape_entries} for the other shapes, {options.large or 'none'} for "
            f"`large`; {options.pairs} pairs for each row, {options.large_pairs} for `large`")


def preface(origins):
    packages = ("postfix", "libdb5.3", "liblmdb0", "libcdb1", "libpcre2-8-0", "libpq5",
                "libmemcached11", "postgresql-15", "memcached")
    return [
        "# Speed beside Postfix and the client libraries",
        *origins,
        f"- Machine: {machine()}",
        "- Versions: " + ", ".join(map(version_of, packages)),
        "",
        "Times are medians of runs in turn: ours, theirs, raw, and again. A ratio is their time "
        "divided by ours for each pair: 2.0 where we take half the time; given are the median and "
        "(smallest-largest). CPU is the same of processor time, which depends less on what else "
        "the machine does. Raw is the client library in a small program (`raw_*.c`, `pgraw.c`, "
        "`mget.c`). Before a time counts, the answers of all were compared. Peak memory is ours / "
        "postmap's / raw's, with pages of mapped files. A row where we are behind says so.",
    ]


def table_of(group, names, cells):
    """@param names  of the rows of this group
    @param cells  the rows that there are, by their names, in the order of HEAD"""
    title, other, about = GROUPS[group]
    rows = [cells[name] for name in names if name in cells]
    if not rows:
        return []
    rows.insert(0, [cell.format(other=other) for cell in HEAD])
    used = [i for i, column in enumerate(zip(*rows)) if set(column[1:]) != {"-"}]
    lines = ["| " + " | ".join(row[i] for i in used) + " |" for row in rows]
    lines.insert(1, "|---" + "|---:" * (len(used) - 1) + "|")
    return ["", f"## {title}", "", about, "", *lines]


def earlier():
    """@return what RESULTS.md tells already: where it is from; its rows as in table_of(); and the
    group of each"""
    groups = {title: group for group, (title, _, _) in GROUPS.items()}
    origins, cells, group_of = [], {}, {}
    if not RESULTS.exists():
        return origins, cells, group_of
    origins += [line for line in RESULTS.read_text(encoding="utf-8").splitlines()
                if line.startswith(ORIGIN)]
    for name, row in markdown.read(RESULTS).items():
        if group := groups.get(row["section"]):
            group_of[name] = group
            cells[name] = [row.get(cell.format(other=GROUPS[group][1]), "-") for cell in HEAD]
    return origins, cells, group_of


def write(argv, options, rows, everything, wrong):
    """Writes RESULTS.md. When only some rows were asked for, the others stay.
    @param rows  all that there are"""
    origins, cells, group_of = earlier() if options.rows else ([], {}, {})
    group_of = {**{row.name: row.group for row in rows}, **group_of}
    origins.append(f"{ORIGIN} {origin(argv, options)}")
    cells.update({results.row.name: cells_of(results, everything) for results in everything})
    lines = preface(origins)
    for group in GROUPS:
        lines += table_of(group, [name for name in group_of if group_of[name] == group], cells)
    if wrong:
        lines += ["", "## Not measured", "", *(f"- `{name}`: {why}" for name, why in wrong.items())]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
