#!/usr/bin/env python3
"""Python's text of JSON documents: reads one a line, answers one JSON line each.

The answer is the list of `str()` and `repr()` of the document. Numbers are decoded as `orjson`
decodes them: an integer of more than 64 bits becomes a float.

The first line of output, before any document is read, is the Unicode version of this Python and
the list of code points at which `str.isprintable()` changes.
"""

import json
import sys
import unicodedata


def parse_int(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(digits)


def printable_changes() -> list[int]:
    changes = []
    printable = False
    for code in range(sys.maxunicode + 1):
        if chr(code).isprintable() != printable:
            printable = not printable
            changes.append(code)
    return changes


def main() -> None:
    # Newlines inside documents are escaped, so the only ones are those between them.
    documents = open(sys.stdin.fileno(), encoding="utf-8", newline="\n", closefd=False)
    print(json.dumps([unicodedata.unidata_version, printable_changes()]), flush=True)
    for line in documents:
        value = json.loads(line, parse_int=parse_int)
        print(json.dumps([str(value), repr(value)]))


main()
