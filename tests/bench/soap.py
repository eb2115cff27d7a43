# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bare peers: they send envelopes to a vSphere host and look at nothing of
the answers that they do not need. What they take is what the host and the wire
take."""
import os
import re
import socket
import ssl
import subprocess
from xml.sax.saxutils import escape

ENVELOPE = ('<?xml version="1.0" encoding="UTF-8"?><e:Envelope '
            'xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body>'
            '<{method} xmlns="urn:vim25"><_this type="{type}">{this}</_this>'
            '{args}</{method}></e:Body></e:Envelope>')

# What vixfs asks for: mirror_vm_properties and properties in vix/vsphere.
PROPERTIES = {
    'Folder': ('name', 'parent'),
    'Datacenter': ('name', 'parent'),
    'VirtualApp': ('name', 'parentFolder', 'parentVApp'),
    'Datastore': ('summary.capacity', 'summary.freeSpace',
                  'summary.accessible'),
    'VirtualMachine': (
        'name', 'parent', 'parentVApp', 'summary.config.vmPathName',
        'config.template', 'config.uuid', 'config.version',
        'config.changeVersion', 'summary.config.guestId',
        'summary.config.numCpu', 'summary.config.memorySizeMB',
        'guest.toolsRunningStatus', 'runtime.powerState',
        'runtime.connectionState', 'runtime.consolidationNeeded',
        'runtime.question', 'snapshot', 'layoutEx'),
}


# What is read of an answer that curl has put into a file.
HEAD = 65536


class Fault(Exception):
    pass


class Caller:
    """Logged in from the start on. exchange() is how envelopes travel."""

    def __init__(self, user, password):
        self.calls = 0
        content = self.call('RetrieveServiceContent', 'ServiceInstance',
                            'ServiceInstance')
        self.refs = {name: find(content, name) for name in (
            'propertyCollector', 'viewManager', 'sessionManager',
            'rootFolder')}
        self.call('Login', 'SessionManager', self.refs['sessionManager'],
                  f'<userName>{escape(user)}</userName>'
                  f'<password>{escape(password)}</password>')

    def exchange(self, body):
        raise NotImplementedError

    def call(self, method, kind, this, args=''):
        """The answer's body, unparsed."""
        self.calls += 1
        return self.exchange(ENVELOPE.format(
            method=method, type=kind, this=this, args=args).encode())

    def close(self):
        self.call('Logout', 'SessionManager', self.refs['sessionManager'])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()


class Session(Caller):
    """One connection that is kept. One thread at a time."""

    def __init__(self, vcenter):
        trust = ssl.create_default_context(cafile=vcenter.cert)
        trust.check_hostname = False # behind a link it has another address
        plain = socket.create_connection((vcenter.address, vcenter.port), 60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = trust.wrap_socket(plain)
        self.stream = self.socket.makefile('rb', 65536)
        self.cookie = b''
        super().__init__(vcenter.user, vcenter.password)

    def exchange(self, body):
        self.socket.sendall(
            b'POST /sdk HTTP/1.1\r\nHost: host\r\n'
            b'Content-Type: text/xml; charset=utf-8\r\n'
            b'SOAPAction: "urn:vim25/8.0.3.0"\r\n' + self.cookie
            + b'Content-Length: %d\r\n\r\n' % len(body) + body)
        status, answer = self.read()
        if status != 200:
            raise Fault(f'HTTP {status}: {answer[:500]}')
        return answer

    def read(self):
        line = self.stream.readline()
        if not line:
            raise Fault('the host closed the connection')
        status, length, chunked = int(line.split()[1]), 0, False
        while (line := self.stream.readline().rstrip()) != b'':
            name, _, value = line.partition(b':')
            name, value = name.lower(), value.strip()
            if name == b'content-length':
                length = int(value)
            elif name == b'transfer-encoding':
                chunked = value == b'chunked'
            elif name == b'set-cookie':
                self.cookie = b'Cookie: %s\r\n' % value.split(b';')[0]
        return status, self.chunks() if chunked else self.stream.read(length)

    def chunks(self):
        parts = []
        while (size := int(self.stream.readline(), 16)) > 0:
            parts.append(self.stream.read(size))
            self.stream.readline()
        self.stream.readline()
        return b''.join(parts)

    def close(self):
        super().close()
        self.socket.close()


class Curl(Caller):
    """A run of curl for each envelope; the cookie and the answer in files."""

    def __init__(self, vcenter, scratch):
        self.cookies = os.path.join(scratch, 'curl.cookies')
        self.answer = os.path.join(scratch, 'curl.answer')
        self.command = [
            'curl', '-sS', '--fail', '--cacert', vcenter.cert,
            '-H', 'Content-Type: text/xml; charset=utf-8',
            '-H', 'SOAPAction: "urn:vim25/8.0.3.0"',
            '--cookie', self.cookies, '--cookie-jar', self.cookies,
            '--output', self.answer, '--data-binary', '@-', vcenter.url]
        super().__init__(vcenter.user, vcenter.password)

    def exchange(self, body):
        subprocess.run(self.command, input=body, check=True)
        with open(self.answer, 'rb') as file:
            return file.read(HEAD)


def find(answer, element):
    """The text of the first such element; None without one."""
    found = re.search(rb'<%s(?: [^>]*)?>([^<]*)<' % element.encode(), answer)
    return found and found.group(1).decode()


def fetch_inventory(session):
    """All properties of the whole inventory, page by page; how many pages.
    What comes is received and dropped, but for each page's token."""
    types = ''.join(f'<type>{kind}</type>' for kind in PROPERTIES)
    view = find(session.call(
        'CreateContainerView', 'ViewManager', session.refs['viewManager'],
        f'<container type="Folder">{session.refs["rootFolder"]}</container>'
        f'{types}<recursive>true</recursive>'), 'returnval')
    props = ''.join(
        f'<propSet><type>{kind}</type>'
        + ''.join(f'<pathSet>{path}</pathSet>' for path in paths)
        + '</propSet>' for kind, paths in PROPERTIES.items())
    answer = session.call(
        'RetrievePropertiesEx', 'PropertyCollector',
        session.refs['propertyCollector'],
        f'<specSet>{props}<objectSet><obj type="ContainerView">{view}</obj>'
        '<skip>true</skip><selectSet xsi:type="TraversalSpec"><name>view</name>'
        '<type>ContainerView</type><path>view</path></selectSet></objectSet>'
        '</specSet><options/>')
    pages = 1
    while (token := find(answer[:1000], 'token')) is not None:
        answer = session.call(
            'ContinueRetrievePropertiesEx', 'PropertyCollector',
            session.refs['propertyCollector'], f'<token>{token}</token>')
        pages += 1
    return pages


def start_snapshot(session, vm, name):
    """The task."""
    return find(session.call(
        'CreateSnapshot_Task', 'VirtualMachine', vm,
        f'<name>{escape(name)}</name><memory>false</memory>'
        '<quiesce>false</quiesce>'), 'returnval')


def await_task(session, task):
    """Asks for its state until that is final, without a pause."""
    while True:
        answer = session.call(
            'RetrievePropertiesEx', 'PropertyCollector',
            session.refs['propertyCollector'],
            '<specSet><propSet><type>Task</type><pathSet>info.state</pathSet>'
            '<pathSet>info.result</pathSet></propSet><objectSet>'
            f'<obj type="Task">{task}</obj></objectSet></specSet><options/>')
        if b'>success<' in answer:
            return
        if b'>error<' in answer:
            raise Fault('the task failed')


def create_snapshot(session, vm, name):
    """The fewest round trips that one connection can do with: 2."""
    await_task(session, start_snapshot(session, vm, name))
