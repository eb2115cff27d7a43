# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulated vSphere host that benchmarks are run against: built as
tests/host/lib.sh builds it, started, asked and ended from Python."""
import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import rig

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'host',
                   'lib.sh')
SKIP = 77


def build(scratch):
    """The folder with the programs. HOST_BIN keeps them between runs."""
    places = os.environ.get('VIXFS_HOST_BIN') or os.environ.get(
        'HOST_BIN', os.path.join(scratch, 'bin'))
    script = (f'. {shlex.quote(LIB)}; command -v go > /dev/null && '
              f'[ -d "$host_govmomi" ] || exit {SKIP}; host_build')
    done = subprocess.run(['bash', '-c', script], check=False,
                          env={**os.environ, 'HOST_BIN': places})
    if done.returncode == SKIP:
        print('skipped: needs golang-go and golang-github-vmware-govmomi-dev')
    if done.returncode != 0:
        sys.exit(done.returncode)
    return places


def words(path):
    """A ready file: shell words."""
    with open(path, encoding='utf-8') as file:
        pairs = (shlex.split(line)[0].split('=', 1) for line in file)
        return {name.removeprefix('HOST_').lower(): value
                for name, value in pairs}


class Host:
    """The simulator. inside() is where it runs: in the network namespace of
    link.py, or nowhere special."""

    def __init__(self, scratch, *options, inside=contextlib.nullcontext,
                 address='127.0.0.1'):
        self.scratch = scratch
        self.inside = inside
        self.address = address
        ready = os.path.join(scratch, 'host.ready')
        self.cert = os.path.join(scratch, 'host.pem')
        program = os.path.join(build(scratch), 'hostsim')
        with self.inside():
            self.process = subprocess.Popen(
                [program, '-ready', ready, '-cert', self.cert,
                 '-listen', address + ':0', *options],
                stdin=subprocess.DEVNULL,
                env={**os.environ, 'TMPDIR': scratch})
        end = time.monotonic() + 120
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                sys.exit('the simulator does not start')
            time.sleep(0.01)
        facts = words(ready)
        self.port = int(facts['port'])
        self.control = facts['control']
        self.user, self.password = facts['user'], facts['password']
        self.thumbprint = facts['sha256']
        os.unlink(ready)

    @property
    def url(self):
        return f'https://{self.address}:{self.port}/sdk'

    def order(self, path, **parameters):
        """One call of the control endpoint."""
        query = urllib.parse.urlencode(parameters)
        with self.inside(), urllib.request.urlopen(
                f'{self.control}/{path}?{query}', timeout=600) as answer:
            return json.load(answer)

    def credentials(self):
        path = os.path.join(self.scratch, 'credentials')
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                  'w', encoding='utf-8') as file:
            file.write(f'[default]\nuser={self.user}\n'
                       f'password={self.password}\n')
        return path

    def close(self):
        self.process.terminate()
        rig.end(self.process, 30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
