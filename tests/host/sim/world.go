// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// change is one line of the journal: a property of an object was assigned.
type change struct {
	ref  moref
	path string
}

// journalLimit bounds how far back a collector's version can reach.
const journalLimit = 400000

// world is all state of the host. One lock guards it and govmomi's registry:
// each call runs alone, waits release it. Who writes a property reports it by
// changed(); collectors compute from that journal what a client has not seen,
// so nothing is lost when an answer does not arrive.
type world struct {
	mu sync.Mutex
	o  *options

	model   *simulator.Model
	content types.ServiceContent
	inner   *innerService

	journal []change // journal[i] has sequence number base + i + 1
	base    uint64
	shape   uint64 // grows when objects come, go or move
	wake    chan struct{}

	nextID    int
	vms       map[moref]*vm
	order     []*vm // as they were made
	snapshots map[moref]*snapshot
	gone      map[string]*vm // unregistered ones by the path of their .vmx
	places    []*place

	tasks    map[moref]*task
	recent   []*task
	lost     []*task // forgotten ones whose work still happens
	running  int
	purged   time.Time
	set      settings
	failures []*failure
	files    map[string]*stored // that tests stored, by putKey
	staged   map[string]*stored // that take their place at the next merge
	started  time.Time

	sessions map[string]*session // by cookie
	views    map[moref]*view
	stats    counters
	closed   chan struct{}
}

// settings are what the control endpoint changes while we run.
type settings struct {
	durations  map[string]time.Duration // by kind of task
	cancelable bool
	licence    bool
	deny       map[string]bool // privileges that the user lacks
	hidden     map[string]bool // properties that are NoPermission
	levels     int             // snapshots in a chain
	keep       time.Duration   // that finished tasks stay readable
}

// taskKinds are the words that `set` takes for durations.
var taskKinds = []string{"create", "remove", "revert", "power", "clone", "consolidate", "other"}

// managed returns the property-holding struct of a registry object: the
// simulator's types embed it as their first field.
func managed(object mo.Reference) reflect.Value {
	value := reflect.ValueOf(object).Elem()
	for !strings.HasSuffix(value.Type().PkgPath(), "/mo") {
		if value.Kind() != reflect.Struct || value.NumField() == 0 {
			return reflect.Value{}
		}
		value = value.Field(0)
	}
	return value
}

// observer reports what the simulator's own methods change.
type observer struct {
	w *world
}

func (observer) Reference() moref {
	return moref{Type: "Observer", Value: "observer"}
}

func (o observer) PutObject(object mo.Reference) {
	o.w.shape++
	o.w.changed(object.Reference(), "")
}

func (o observer) UpdateObject(object mo.Reference, changes []types.PropertyChange) {
	for _, c := range changes {
		o.w.changed(object.Reference(), c.Name)
		if c.Name == "parent" || c.Name == "childEntity" {
			o.w.shape++
		}
	}
}

func (o observer) RemoveObject(ref moref) {
	o.w.shape++
	o.w.changed(ref, "")
}

// changed records that properties of an object have new values.
func (w *world) changed(ref moref, paths ...string) {
	v := w.vms[ref]
	for _, path := range paths {
		w.journal = append(w.journal, change{ref, path})
		if v != nil {
			v.forgetValues(path)
		}
	}
	if len(w.journal) > journalLimit {
		cut := len(w.journal) - journalLimit/2
		w.journal = append([]change(nil), w.journal[cut:]...)
		w.base += uint64(cut)
	}
	close(w.wake)
	w.wake = make(chan struct{})
}

// seq is the number of the newest change.
func (w *world) seq() uint64 {
	return w.base + uint64(len(w.journal))
}

func (w *world) isESX() bool {
	return w.o.kind != "vcenter"
}

func newWorld(o *options) (*world, error) {
	w := &world{
		o:         o,
		wake:      make(chan struct{}),
		nextID:    100,
		vms:       make(map[moref]*vm),
		snapshots: make(map[moref]*snapshot),
		gone:      make(map[string]*vm),
		tasks:     make(map[moref]*task),
		sessions:  make(map[string]*session),
		views:     make(map[moref]*view),
		files:     make(map[string]*stored),
		staged:    make(map[string]*stored),
		started:   now(),
		closed:    make(chan struct{}),
	}
	w.set = settings{
		durations: make(map[string]time.Duration),
		licence:   o.licence,
		levels:    32,
		deny:      make(map[string]bool),
		hidden:    make(map[string]bool),
		keep:      10 * time.Minute,
	}
	w.stats.reset()
	w.model = simulator.ESX()
	if o.kind == "vcenter" {
		w.model = simulator.VPX()
		w.model.Datacenter = o.datacenters
		w.model.Cluster = o.clusters
		w.model.ClusterHost = o.hosts
		w.model.Pool = o.pools
		w.model.App = o.vapps
		w.model.Host = 0
		w.model.Portgroup = 0
	}
	w.model.Machine = 0
	w.model.Datastore = o.datastores
	w.model.ServiceContent.About = w.about(w.model.ServiceContent.About)
	if err := w.model.Create(); err != nil {
		w.model.Remove()
		return nil, err
	}
	w.content = w.model.ServiceContent
	inner, err := newInnerService(w.model.Service)
	if err != nil {
		w.model.Remove()
		return nil, err
	}
	w.inner = inner
	w.mu.Lock()
	defer w.mu.Unlock()
	simulator.Map.AddHandler(observer{w})
	if err = w.findPlaces(); err != nil {
		w.model.Remove()
		return nil, err
	}
	w.populate()
	w.journal = nil
	return w, nil
}

// about says what product we are.
func (w *world) about(a types.AboutInfo) types.AboutInfo {
	a.ApiVersion = w.o.apiVersion
	switch w.o.kind {
	case "server2":
		a.Name, a.Version, a.Build = "VMware Server", "2.0.2", "203138"
		a.ProductLineId, a.OsType = "gsx", "linux-x86"
		a.LicenseProductName, a.LicenseProductVersion = "VMware Server", "2.0"
	default:
		fields := strings.Split(w.o.apiVersion, ".")
		for len(fields) < 3 {
			fields = append(fields, "0")
		}
		a.Version, a.Build = strings.Join(fields[:3], "."), "24022515"
	}
	a.FullName = fmt.Sprintf("%s %s build-%s", a.Name, a.Version, a.Build)
	if !w.isESX() {
		a.InstanceUuid = "dbed6e0c-bd88-4ef6-b594-21283e1c677f"
	}
	return a
}

// stop ends waits and removes the datastores' directories.
func (w *world) stop() {
	w.mu.Lock()
	close(w.closed)
	w.model.Remove()
	w.mu.Unlock()
}

// id makes a number for a new object; all kinds share one sequence.
func (w *world) id() int {
	w.nextID++
	return w.nextID
}

func (w *world) rootFolder() moref {
	return w.content.RootFolder
}

// esxHost is the one host of an ESXi.
func esxHost() moref {
	return esx.HostSystem.Reference()
}
