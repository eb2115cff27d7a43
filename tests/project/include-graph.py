#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks who includes whom against the table of README.md's diagram.

usage: include-graph.py SOURCE-ROOT        prints TAP
"""
import os
import re
import sys

import report

# Folder: the folders whose headers it may include besides its own.
MAY_USE = {
    'fs': {'vix/include'},
    'mount-helper': set(),
    'vix/include': set(),
    'vix/base': {'vix/include'},
    'vix/disk': {'vix/base', 'vix/include'},
    'vix/core': {'vix/base', 'vix/include'},
    'vix/image': {'vix/core', 'vix/disk', 'vix/base', 'vix/include'},
    'vix/workstation': {'vix/image', 'vix/core', 'vix/disk', 'vix/base',
                        'vix/include'},
    'vix/vsphere': {'vix/vsphere/soap', 'vix/image', 'vix/core', 'vix/disk',
                    'vix/base', 'vix/include'},
    'vix/vsphere/soap': {'vix/base'},
    'vix/api': {'vix/core', 'vix/base', 'vix/include'},
    # providers.c, the one list of providers
    'vix': {'vix/core', 'vix/base', 'vix/include', 'vix/workstation',
            'vix/vsphere'},
}

# Header prefix of others: the only folders that may know it.
RESERVED = {
    'fuse': {'fs'},
    'curl/': {'vix/vsphere/soap'},
    'libxml/': {'vix/vsphere/soap'},
    'openssl/': {'vix/vsphere/soap'},
    'dlfcn.h': {'vix/workstation'},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)
BASE_CODES_ONLY = {'vix/base', 'vix/disk'}


def resolve(root, folder, name):
    """The folder of ours that #include "name" reaches, or None."""
    for place in (folder, 'vix', 'vix/include'):
        path = os.path.normpath(os.path.join(place, name))
        if os.path.exists(os.path.join(root, path)):
            return os.path.dirname(path)
    return None


def judge(root, folder, quote, name):
    """What is wrong with this include in a file of folder, or None."""
    if quote == '<':
        for prefix, folders in RESERVED.items():
            if name.startswith(prefix) and folder not in folders:
                return f'<{name}> is for {sorted(folders) or "nobody yet"}'
        return None
    target = resolve(root, folder, name)
    if target is None:
        # Made by the build, or missing: the compiler judges that.
        return None
    if target != folder and target not in MAY_USE[folder]:
        return f'"{name}" is of {target}, which {folder} may not use'
    if folder in BASE_CODES_ONLY and name == 'vix-ext.h':
        return f'{folder} may use the codes of vix.h only'
    return None


def check_folder(root, folder):
    wrong = []
    for entry in sorted(os.listdir(os.path.join(root, folder))):
        if not entry.endswith(('.c', '.h')):
            continue
        path = os.path.join(folder, entry)
        with open(os.path.join(root, path), encoding='utf-8') as source:
            for quote, name in INCLUDE.findall(source.read()):
                fault = judge(root, folder, quote, name)
                if fault:
                    wrong.append(f'{path}: {fault}')
    return wrong


def unknown_folders(root):
    """Folders with C files that the table says nothing about."""
    wrong = []
    for top in ('fs', 'vix', 'mount-helper'):
        for place, _, files in os.walk(os.path.join(root, top)):
            folder = os.path.relpath(place, root)
            if folder not in MAY_USE \
                    and any(f.endswith(('.c', '.h')) for f in files):
                wrong.append(f'{folder} is not in the table')
    return wrong


def planted_faults(root):
    """The judge finds what it is for."""
    planted = [
        ('fs', '"', 'core/provider.h'),
        ('vix/core', '"', 'workstation/vmx.h'),
        ('vix/base', '"', 'core/provider.h'),
        ('vix/disk', '"', 'vix-ext.h'),
        ('vix/workstation', '<', 'fuse_lowlevel.h'),
        ('vix/api', '<', 'curl/curl.h'),
    ]
    return [f'not found: {folder} includes {name}'
            for folder, quote, name in planted
            if judge(root, folder, quote, name) is None]


def main():
    root = sys.argv[1]
    checks = [('planted-faults-are-found', planted_faults(root)),
              ('every-folder-is-known', unknown_folders(root))]
    for folder in sorted(MAY_USE):
        if os.path.isdir(os.path.join(root, folder)):
            checks.append((f'{folder}-includes-what-it-may',
                           check_folder(root, folder)))
    report.finish(checks)


if __name__ == '__main__':
    main()
