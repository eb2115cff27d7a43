# SPDX-License-Identifier: LGPL-2.1-or-later
"""The answers of a check, as TAP."""
import sys


def finish(checks):
    """checks: [(name, what is wrong with it)]. Ends the program."""
    print(f'1..{len(checks)}')
    for number, (name, wrong) in enumerate(checks, 1):
        print(f'{"not " if wrong else ""}ok {number} - {name}')
        for line in wrong:
            print(f'# {line}')
    sys.exit(any(wrong for _, wrong in checks))
