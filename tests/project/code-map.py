#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that every file and function README.md's code map names exists.

usage: code-map.py SOURCE-ROOT        prints TAP

Looks at what the section "Code map" has in backticks. A word with a slash or
a known ending is a file or folder, found by the end of its path. A function,
table, type or macro is a word with "_" in it or with our prefix; right after a
file it must be defined or declared there, otherwise anywhere in the sources.
"""
import os
import re
import sys

import report

CODE = ('fs', 'vix', 'mount-helper', 'tests')
QUOTED = re.compile(r'`([^`]+)`')
FILE = re.compile(r'^[\w./-]*(\.(c|h|\[ch\]|sh|py|def|md|build)|/)$')
FUNCTION = re.compile(r'^([A-Za-z]\w*_\w+)( \(.*\))?$')
TYPE = re.compile(r'^(Vix|Fs|Ws|Vmdk)[A-Z]\w*$')


def section(text, title):
    """The lines below "## title", up to the next heading of that level."""
    match = re.search(rf'^## {title}\n(.*?)(?=^## |\Z)', text, re.M | re.S)
    return match.group(1).splitlines() if match else []


class Tree:
    def __init__(self, root):
        self.files = {}
        self.folders = set()
        self.sources = []
        for top in CODE:
            for place, _, files in os.walk(os.path.join(root, top)):
                folder = os.path.relpath(place, root)
                self.folders.add(folder + '/')
                for name in files:
                    path = os.path.join(folder, name)
                    with open(os.path.join(root, path), encoding='utf-8',
                              errors='replace') as source:
                        self.files[path] = source.read()
                    if name.endswith(('.c', '.h')) and top != 'tests':
                        self.sources.append(path)

    def find(self, name):
        """Paths that end in name; NAME.[ch] means both."""
        if name.endswith('.[ch]'):
            both = [self.find(name[:-4] + ending) for ending in 'ch']
            return both[0] + both[1] if all(both) else []
        if name.endswith('/'):
            return [f for f in self.folders if ('/' + f).endswith('/' + name)]
        return [f for f in self.files if ('/' + f).endswith('/' + name)]

    def defines(self, path, word):
        # GNU style: the name of a function that is defined starts its line;
        # one that is declared follows its type there. Calls are indented.
        pattern = '|'.join((
            rf'^{word} \(', rf'^\w[\w \*]*[ \*]{word} \(', rf'\(\*{word}\) \(',
            rf'^#define {word}\b', rf'^static const .*\b{word}\[',
            rf'^}} {word};', rf'^typedef .*\b{word};', rf'^struct {word}\b',
            rf'^\s+{word}( = [^;]*)?,?( /\*.*)?$'))
        return re.search(pattern, self.files[path], re.M) is not None


def names(tree, line):
    """(name, fault) of each thing the line names."""
    if line.startswith('    '):
        # A drawing: every word may be one.
        line = re.sub(r'([\w.-]+_\w+|[\w-]+\.c)\b', r'`\1`, ', line)
    files, end = [], 0
    for quoted in QUOTED.finditer(line):
        # A file stays what a name is looked for in up to the next word of
        # plain text.
        if line[end:quoted.start()].strip(' ,'):
            files = []
        end = quoted.end()
        word = quoted.group(1).strip()
        function = FUNCTION.match(word)
        if FILE.match(word):
            found = tree.find(word)
            files = [f for f in found if f.endswith(('.c', '.h'))]
            yield word, None if found else f'there is no {word}'
        elif function or TYPE.match(word):
            name = function.group(1) if function else word
            yield name, None if any(tree.defines(f, name)
                                    for f in files or tree.sources) \
                else f'{name} is not in {", ".join(files) or "the sources"}'


def main():
    root = sys.argv[1]
    with open(os.path.join(root, 'README.md'), encoding='utf-8') as readme:
        lines = section(readme.read(), 'Code map')
    tree = Tree(root)
    found = [item for line in lines for item in names(tree, line)]
    faults = sorted({fault for _, fault in found if fault})
    planted = [fault for line in ('`fs/no-such-file.c`', '`no_such_function`',
                                  'plain `fs/ops.c` `fs_tree_put`')
               for _, fault in names(tree, line) if fault]
    checks = [('every-file-and-function-named-exists', faults),
              ('the-map-names-enough-to-be-one',
               [] if len(found) >= 60 else [f'only {len(found)} names']),
              ('planted-faults-are-found',
               [] if len(planted) == 3 else [f'found {planted}'])]
    report.finish(checks)


if __name__ == '__main__':
    main()
