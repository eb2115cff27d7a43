# SPDX-License-Identifier: LGPL-2.1-or-later
"""nginx with TLS in front of the simulated host: gives the files below
/folder that are in its folder, and passes on all else."""
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time

CONFIG = '''daemon off;
pid {dir}/nginx.pid;
worker_processes 2;
error_log stderr error;
{user}
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  {temp}
  server {{
    listen {address}:{port} ssl;
    ssl_certificate {dir}/cert.pem;
    ssl_certificate_key {dir}/key.pem;
    root {dir}/root;
    location /folder/ {{ try_files $uri @host; }}
    location / {{ try_files /none @host; }}
    location @host {{
      proxy_pass https://{upstream};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_read_timeout 3600s;
      client_max_body_size 0;
    }}
  }}
}}
'''
TEMP = ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi')


def possible():
    return shutil.which('nginx') is not None


def free_port(address):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Web:
    """In front of host (host.py), and where that is."""

    def __init__(self, scratch, host):
        self.host = host
        self.dir = os.path.join(scratch, 'web')
        self.folder = os.path.join(self.dir, 'root', 'folder')
        os.makedirs(self.folder)
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
             '-keyout', f'{self.dir}/key.pem', '-out', f'{self.dir}/cert.pem',
             '-days', '2', '-subj', '/CN=localhost'],
            check=True, capture_output=True)
        print_ = subprocess.run(
            ['openssl', 'x509', '-in', f'{self.dir}/cert.pem', '-noout',
             '-fingerprint', '-sha256'],
            check=True, capture_output=True, text=True).stdout
        self.thumbprint = print_.strip().split('=')[1]
        with host.inside():
            self.port = free_port(host.address)
            with open(f'{self.dir}/nginx.conf', 'w',
                      encoding='utf-8') as config:
                config.write(CONFIG.format(
                    dir=self.dir, address=host.address, port=self.port,
                    upstream=f'{host.address}:{host.port}',
                    user='user root;' if os.geteuid() == 0 else '',
                    temp=' '.join(f'{name}_temp_path {self.dir}/{name};'
                                  for name in TEMP)))
            self.process = subprocess.Popen(
                ['nginx', '-p', self.dir, '-c', f'{self.dir}/nginx.conf'],
                stdin=subprocess.DEVNULL)
            self.await_port()

    def await_port(self):
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(
                    (self.host.address, self.port), 1):
                return
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                sys.exit('nginx does not start')
            time.sleep(0.01)

    @property
    def base(self):
        return f'https://{self.host.address}:{self.port}'

    @property
    def url(self):
        return self.base + '/sdk'

    def credentials(self):
        return self.host.credentials()

    def close(self):
        self.process.terminate()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
