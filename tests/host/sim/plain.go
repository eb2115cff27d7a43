// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"crypto/tls"
	"net/url"

	"../serve"
	"github.com/vmware/govmomi/simulator"
)

// plainServer is govmomi's simulator as it is: an implementation of the
// protocol that nobody of this project wrote. Only the certificate is ours.
type plainServer struct {
	model  *simulator.Model
	server *simulator.Server
}

func startPlain(o *options, cert *serve.Certificate) (*plainServer, error) {
	p := &plainServer{model: simulator.ESX()}
	p.model.Machine = o.vms
	if o.kind == "vcenter" {
		p.model = simulator.VPX()
		p.model.Datacenter = o.datacenters
		p.model.Cluster = o.clusters
		p.model.ClusterHost = o.hosts
		p.model.Pool = o.pools
		p.model.App = o.vapps
		p.model.Host = 0
		p.model.Machine = o.vms / (o.datacenters * o.clusters * (1 + o.vapps))
	}
	p.model.Datastore = o.datastores
	p.model.Autostart = o.on
	if err := p.model.Create(); err != nil {
		p.model.Remove()
		return nil, err
	}
	p.model.Service.Listen = &url.URL{
		Host: o.listen,
		User: url.UserPassword(o.user, o.password),
	}
	if !o.noTLS {
		p.model.Service.TLS = &tls.Config{
			Certificates: []tls.Certificate{cert.Pair},
			MinVersion:   tls.VersionTLS12,
		}
	}
	p.server = p.model.Service.NewServer()
	return p, nil
}

func (p *plainServer) address() string {
	return p.server.URL.Host
}

// stop does not close the server: that would wait for calls that are held
// open, up to a minute. The process ends with it.
func (p *plainServer) stop() {
	p.server.CloseClientConnections()
	p.model.Remove()
}
