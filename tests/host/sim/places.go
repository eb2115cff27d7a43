// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"errors"
	"fmt"
	"sort"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// place is where a new VM can go.
type place struct {
	datacenter *mo.Datacenter
	folder     *mo.Folder
	pool       *mo.ResourcePool
	vapp       *mo.VirtualApp // or nil
	host       *mo.HostSystem
	datastore  *mo.Datastore
}

// object returns a registry object's property struct, or nil.
func object[T any](ref moref) *T {
	found := simulator.Map.Get(ref)
	if found == nil {
		return nil
	}
	value := managed(found)
	if !value.IsValid() {
		return nil
	}
	typed, _ := value.Addr().Interface().(*T)
	return typed
}

// newFolder makes a VM folder. The name is as on the wire.
func (w *world) newFolder(parent *mo.Folder, name string) *mo.Folder {
	f := &simulator.Folder{}
	f.Self = moref{Type: "Folder", Value: fmt.Sprintf("group-v%d", w.id())}
	f.Name = name
	f.Parent = &parent.Self
	f.ChildType = parent.ChildType
	simulator.Map.Put(f)
	parent.ChildEntity = append(parent.ChildEntity, f.Self)
	w.shape++
	w.changed(parent.Self, "childEntity")
	return &f.Folder
}

// folderPath is where a VM folder is: DATACENTER/a/b, names as on the wire.
func folderPath(f *mo.Folder) string {
	if f.Parent == nil {
		return ""
	}
	if dc := object[mo.Datacenter](*f.Parent); dc != nil {
		return dc.Name
	}
	parent := object[mo.Folder](*f.Parent)
	if parent == nil {
		return f.Name
	}
	if above := folderPath(parent); above != "" {
		return above + "/" + f.Name
	}
	return f.Name
}

// objectFolder is the folder with a moref, or nil.
func objectFolder(ref moref) *mo.Folder {
	return object[mo.Folder](ref)
}

func datacenters() []*mo.Datacenter {
	var all []*mo.Datacenter
	for _, entity := range simulator.Map.All("Datacenter") {
		all = append(all, object[mo.Datacenter](entity.Reference()))
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// pools lists the resource pools below one, itself first.
func pools(ref moref) (found []*mo.ResourcePool, vapps []*mo.VirtualApp) {
	if vapp := object[mo.VirtualApp](ref); vapp != nil {
		return []*mo.ResourcePool{&vapp.ResourcePool}, []*mo.VirtualApp{vapp}
	}
	pool := object[mo.ResourcePool](ref)
	if pool == nil {
		return nil, nil
	}
	found, vapps = []*mo.ResourcePool{pool}, []*mo.VirtualApp{nil}
	for _, child := range pool.ResourcePool {
		below, which := pools(child)
		found = append(found, below...)
		vapps = append(vapps, which...)
	}
	return found, vapps
}

// existing drops references that the simulator's captured templates bring
// along from the host they were taken of.
func existing(list []moref) []moref {
	var kept []moref
	for _, ref := range list {
		if simulator.Map.Get(ref) != nil {
			kept = append(kept, ref)
		}
	}
	return kept
}

func (w *world) datacenterPlaces(dc *mo.Datacenter) error {
	root := object[mo.Folder](dc.VmFolder)
	hostFolder := object[mo.Folder](dc.HostFolder)
	folders := []*mo.Folder{root}
	parent := root
	for i := 0; i < w.o.folders; i++ {
		parent = w.newFolder(parent, fmt.Sprintf("F%d", i))
		folders = append(folders, parent)
	}
	dc.Datastore = existing(dc.Datastore)
	datastore := object[mo.Datastore](dc.Datastore[0])
	n := 0
	for _, child := range hostFolder.ChildEntity {
		compute := object[mo.ComputeResource](child)
		if compute == nil {
			cluster := object[mo.ClusterComputeResource](child)
			if cluster == nil {
				continue
			}
			compute = &cluster.ComputeResource
		}
		all, vapps := pools(*compute.ResourcePool)
		for i, pool := range all {
			if vapps[i] != nil {
				vapps[i].ParentFolder = &root.Self
				root.ChildEntity = append(root.ChildEntity, vapps[i].Self)
			}
			for _, ref := range compute.Host {
				host := object[mo.HostSystem](ref)
				host.Vm, host.Datastore = existing(host.Vm), existing(host.Datastore)
				pool.Vm = existing(pool.Vm)
				w.places = append(w.places, &place{
					datacenter: dc,
					folder:     folders[n%len(folders)],
					pool:       pool,
					vapp:       vapps[i],
					host:       host,
					datastore:  datastore,
				})
				n++
			}
		}
	}
	for n < len(folders) && n > 0 { // each folder gets its share
		again := *w.places[len(w.places)-1]
		again.folder, again.vapp = folders[n], nil
		again.pool = w.places[0].pool
		for _, p := range w.places {
			if p.datacenter == dc && p.vapp == nil {
				again.pool, again.host = p.pool, p.host
				break
			}
		}
		w.places = append(w.places, &again)
		n++
	}
	if n == 0 {
		return errors.New("no host in datacenter " + dc.Name)
	}
	return nil
}

// findPlaces lists all places, those of different datacenters in turn.
func (w *world) findPlaces() error {
	var each [][]*place
	for _, dc := range datacenters() {
		w.places = nil
		if err := w.datacenterPlaces(dc); err != nil {
			return err
		}
		each = append(each, w.places)
	}
	w.places = nil
	for i, more := 0, true; more; i++ {
		more = false
		for _, list := range each {
			if i < len(list) {
				w.places = append(w.places, list[i])
				more = true
			}
		}
	}
	if len(w.places) == 0 {
		return errors.New("the inventory has no place for a VM")
	}
	return nil
}

// placeIn finds where a VM of a folder runs.
func (w *world) placeIn(folder *mo.Folder) *place {
	path := folderPath(folder)
	for _, p := range w.places {
		if p.vapp != nil {
			continue
		}
		if path == p.datacenter.Name || len(path) > len(p.datacenter.Name) &&
			path[:len(p.datacenter.Name)+1] == p.datacenter.Name+"/" {
			found := *p
			found.folder = folder
			return &found
		}
	}
	found := *w.places[0]
	found.folder = folder
	return &found
}

// findFolder looks a path up as folderPath writes it; "" is the first
// datacenter's VM folder.
func (w *world) findFolder(path string) *mo.Folder {
	if path == "" {
		return object[mo.Folder](w.places[0].datacenter.VmFolder)
	}
	for _, entity := range simulator.Map.All("Folder") {
		folder := object[mo.Folder](entity.Reference())
		if folder.Parent != nil && folderPath(folder) == path &&
			holdsVMs(folder) {
			return folder
		}
	}
	return nil
}

func holdsVMs(folder *mo.Folder) bool {
	for _, kind := range folder.ChildType {
		if kind == "VirtualMachine" {
			return true
		}
	}
	return false
}

func removeRef(list []moref, ref moref) []moref {
	kept := make([]moref, 0, len(list))
	for _, each := range list {
		if each != ref {
			kept = append(kept, each)
		}
	}
	return kept
}

func appendRef(list []moref, ref moref) []moref {
	return append(list[:len(list):len(list)], ref)
}

// settle enters a VM in the lists of its surroundings.
func (w *world) settle(v *vm, p *place) {
	v.place = p
	v.mo.Parent, v.mo.ParentVApp = &p.folder.Self, nil
	if p.vapp != nil {
		v.mo.Parent, v.mo.ParentVApp = nil, &p.vapp.Self
		p.vapp.Vm = append(p.vapp.Vm, v.mo.Self)
	} else {
		p.folder.ChildEntity = append(p.folder.ChildEntity, v.mo.Self)
		p.pool.Vm = append(p.pool.Vm, v.mo.Self)
	}
	v.mo.ResourcePool = &p.pool.Self
	v.mo.Runtime.Host = &p.host.Self
	v.mo.Summary.Runtime.Host = v.mo.Runtime.Host
	v.mo.Datastore = []types.ManagedObjectReference{p.datastore.Self}
	p.host.Vm = append(p.host.Vm, v.mo.Self)
	p.datastore.Vm = append(p.datastore.Vm, v.mo.Self)
}

// unsettle takes it out of them.
func (w *world) unsettle(v *vm) {
	p, ref := v.place, v.mo.Self
	if p.vapp != nil {
		p.vapp.Vm = removeRef(p.vapp.Vm, ref)
	} else {
		p.folder.ChildEntity = removeRef(p.folder.ChildEntity, ref)
		p.pool.Vm = removeRef(p.pool.Vm, ref)
	}
	p.host.Vm = removeRef(p.host.Vm, ref)
	p.datastore.Vm = removeRef(p.datastore.Vm, ref)
}
