#!/usr/bin/env python3
"""Writes printable.rs beside it. Run it with CPython 3.11, whose Unicode version the table has."""

import pathlib
import sys
import unicodedata

HEAD = '''\
//! Which characters Python prints as they are: `str.isprintable()` of CPython {python}.
//!
//! Written by `printable.py`; change that and run it again.

/// Whether Python's `repr()` leaves `c` as it is: not a control, format, private or unassigned
/// character, nor a separator other than the blank (Unicode {unicode}).
pub(super) fn is_printable(c: char) -> bool {{
    if c.is_ascii() {{
        return matches!(c, ' '..='~');
    }}
    CHANGES.partition_point(|&change| change <= u32::from(c)) % 2 == 1
}}

/// Code points from which on the answer is another: printable from the first, not from the second.
const CHANGES: [u32; {count}] = [
'''

if sys.version_info[:2] != (3, 11):
    sys.exit("printable.py: needs CPython 3.11, the version whose table is wanted")

changes = []
printable = False
for code in range(sys.maxunicode + 1):
    if chr(code).isprintable() != printable:
        printable = not printable
        changes.append(f"{code:#x},")

lines, line = [], "   "
for change in changes:
    if len(line) + 1 + len(change) > 100:
        lines.append(line)
        line = "   "
    line += " " + change
lines.append(line)

text = HEAD.format(
    python="3.11", unicode=unicodedata.unidata_version, count=len(changes)
) + "\n".join(lines) + "\n];\n"
pathlib.Path(__file__).with_name("printable.rs").write_text(text, encoding="ascii")
