#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts what one `meson test` run did: prints "PASSED FAILED SKIPPED".

usage: count-results.py testlog.json

What a failed test printed goes to stderr. A TAP program counts by its cases, any other test as one. A program that ends
badly although its cases passed (a leak found at exit, a crash, a timeout, a
plan cut short) counts as one failure more.
"""
import collections
import json
import re
import sys

CASE = re.compile(r'^(not )?ok\b(.*)$', re.MULTILINE)
SKIP = re.compile(r'#\s*skip', re.IGNORECASE)
GOOD = ('OK', 'EXPECTEDFAIL')
SHOWN_LINES = 150


def count_cases(text):
    counts = collections.Counter()
    for failed, rest in CASE.findall(text):
        if SKIP.search(rest):
            counts['skipped'] += 1
        elif failed:
            counts['failed'] += 1
        else:
            counts['passed'] += 1
    return counts


def count_test(test):
    cases = count_cases(test.get('stdout') or '')
    result = test['result']
    if result == 'SKIP':
        return cases if cases['skipped'] else collections.Counter(skipped=1)
    if result not in GOOD and not cases['failed']:
        cases['failed'] = 1
    if not cases:
        cases['passed'] = 1
    return cases


def show(test):
    """The end of what a failed test printed, less its good cases."""
    print(f'---- {test["name"]}: {test["result"]},'
          f' exit status {test.get("returncode")}', file=sys.stderr)
    for stream in ('stdout', 'stderr'):
        lines = [line for line in (test.get(stream) or '').splitlines()
                 if not line.startswith('ok ')]
        print('\n'.join(lines[-SHOWN_LINES:]), file=sys.stderr)


def main():
    total = collections.Counter()
    with open(sys.argv[1], encoding='utf-8') as log:
        for line in log:
            test = json.loads(line)
            counts = count_test(test)
            if counts['failed']:
                show(test)
            total += counts
    if not total:
        sys.exit('count-results.py: no test ran')
    print(total['passed'], total['failed'], total['skipped'])


if __name__ == '__main__':
    main()
