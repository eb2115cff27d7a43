// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
)

// options is what argv says; README.md describes each word.
type options struct {
	kind string // esx, vcenter, server2

	vms, snapshots, depth    int
	datacenters, folders     int
	clusters, hosts, pools   int
	vapps, templates         int
	datastores, disks        int
	diskKB                   int64
	on                       bool
	nameFormat               string
	apiVersion               string
	user, password           string
	ready, cert              string
	listen                   string
	plain, noTLS, wrongName  bool
	licence                  bool
	sessionIdle, maxWait     int
	maxSessions              int
	truncate, page, versions int
	updateDelay              int
	slots                    int
	trace                    bool
	looseCookies             bool
}

func parseOptions(argv []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("hostsim", flag.ContinueOnError)
	f.StringVar(&o.kind, "kind", "esx", "esx, vcenter or server2")
	f.IntVar(&o.vms, "vms", 2, "virtual machines, all together")
	f.IntVar(&o.snapshots, "snapshots", 0, "snapshots of each VM at start")
	f.IntVar(&o.depth, "depth", 0, "longest chain of those snapshots; 0: all in one chain")
	f.IntVar(&o.datacenters, "datacenters", 1, "datacenters (vcenter)")
	f.IntVar(&o.folders, "folders", 0, "nested VM folders in each datacenter (vcenter)")
	f.IntVar(&o.clusters, "clusters", 1, "clusters in each datacenter (vcenter)")
	f.IntVar(&o.hosts, "hosts", 2, "hosts in each cluster (vcenter)")
	f.IntVar(&o.pools, "pools", 0, "resource pools in each cluster (vcenter)")
	f.IntVar(&o.vapps, "vapps", 0, "vApps in each cluster (vcenter)")
	f.IntVar(&o.templates, "templates", 0, "how many of the VMs are templates")
	f.IntVar(&o.datastores, "datastores", 1, "datastores in each datacenter")
	f.IntVar(&o.disks, "disks", 1, "disks of each VM")
	f.Int64Var(&o.diskKB, "disk-kb", 1024, "capacity of each disk in KiB")
	f.BoolVar(&o.on, "on", false, "VMs are powered on at start")
	f.StringVar(&o.nameFormat, "names", "vm%05d", "how VMs are named, by their number")
	f.StringVar(&o.apiVersion, "api", "", "API version (default 8.0.3.0; server2 2.5)")
	f.StringVar(&o.user, "user", "root", "user name")
	f.StringVar(&o.password, "password", "secret", "password")
	f.StringVar(&o.ready, "ready", "", "file written when the server listens")
	f.StringVar(&o.cert, "cert", "", "file the certificate is written to (PEM)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of /sdk and /folder")
	f.BoolVar(&o.plain, "plain", false, "govmomi's simulator and nothing of ours")
	f.BoolVar(&o.noTLS, "no-tls", false, "plain HTTP (for reading along)")
	f.BoolVar(&o.wrongName, "wrong-name", false, "certificate for localhost.localdomain only")
	f.BoolVar(&o.licence, "licence", false, "free licence: every change is RestrictedVersion")
	f.IntVar(&o.sessionIdle, "session-idle", 1800, "seconds until an idle session ends")
	f.IntVar(&o.maxWait, "max-wait", 0, "seconds WaitForUpdatesEx is held at most; 0: as asked; -1: not at all")
	f.IntVar(&o.maxSessions, "max-sessions", 0, "sessions before Login answers HTTP 503; 0: no limit")
	f.IntVar(&o.truncate, "truncate", 100, "objects in one update set")
	f.IntVar(&o.page, "page", 1000, "objects in one RetrievePropertiesEx answer")
	f.IntVar(&o.versions, "versions", 1000, "collector versions that stay known")
	f.IntVar(&o.updateDelay, "update-delay", 0, "milliseconds until a change is reported")
	f.IntVar(&o.slots, "slots", 0, "tasks running at once, the rest is queued; 0: no limit")
	f.BoolVar(&o.looseCookies, "loose-cookies", false, "the session cookie counts without its quotes too")
	f.BoolVar(&o.trace, "trace", false, "log each call to stderr")
	if err := f.Parse(argv); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	return o, o.check()
}

func (o *options) check() error {
	switch o.kind {
	case "esx":
		o.datacenters, o.clusters, o.folders, o.pools, o.vapps = 1, 0, 0, 0, 0
	case "server2":
		o.datacenters, o.clusters, o.folders, o.pools, o.vapps = 1, 0, 0, 0, 0
		if o.apiVersion == "" {
			o.apiVersion = "2.5"
		}
		if o.snapshots > 1 {
			return errors.New("server2 keeps one snapshot a VM")
		}
	case "vcenter":
		if o.datacenters < 1 || o.clusters < 1 || o.hosts < 1 {
			return errors.New("a vcenter needs a datacenter, a cluster and a host")
		}
	default:
		return fmt.Errorf("unknown -kind %q", o.kind)
	}
	if o.apiVersion == "" {
		o.apiVersion = "8.0.3.0"
	}
	if o.datastores < 1 {
		return errors.New("at least one datastore is needed")
	}
	if o.truncate < 1 || o.page < 1 || o.versions < 1 {
		return errors.New("-truncate, -page and -versions start at 1")
	}
	if !strings.Contains(fmt.Sprintf(o.nameFormat, 7), "7") {
		return fmt.Errorf("-names %q does not hold the number", o.nameFormat)
	}
	return nil
}
