#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists the C files that BUILDDIR compiles, each once: what clang-tidy reads.

usage: lint-files.py BUILDDIR
"""
import json
import os
import sys


def main():
    build = sys.argv[1]
    with open(os.path.join(build, 'compile_commands.json'),
              encoding='utf-8') as database:
        files = {os.path.relpath(os.path.join(entry['directory'],
                                              entry['file']))
                 for entry in json.load(database)
                 if entry['file'].endswith('.c')}
    print('\n'.join(sorted(files)))


if __name__ == '__main__':
    main()
