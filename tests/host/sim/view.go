// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// view is a ContainerView: it belongs to a session and follows the inventory.
type view struct {
	ref       moref
	owner     *session
	container moref
	kinds     []string
	recursive bool
	shape     uint64 // of the world when members were computed
	members   []moref
}

// below lists the inventory objects directly under one.
func below(ref moref) []moref {
	switch ref.Type {
	case "Datacenter":
		if dc := object[mo.Datacenter](ref); dc != nil {
			return []moref{dc.VmFolder, dc.HostFolder, dc.DatastoreFolder, dc.NetworkFolder}
		}
	case "Folder":
		if f := object[mo.Folder](ref); f != nil {
			return f.ChildEntity
		}
	case "StoragePod":
		if p := object[mo.StoragePod](ref); p != nil {
			return p.ChildEntity
		}
	case "ClusterComputeResource":
		if c := object[mo.ClusterComputeResource](ref); c != nil {
			return append(append([]moref{}, c.Host...), *c.ResourcePool)
		}
	case "ComputeResource":
		if c := object[mo.ComputeResource](ref); c != nil {
			return append(append([]moref{}, c.Host...), *c.ResourcePool)
		}
	case "ResourcePool":
		if p := object[mo.ResourcePool](ref); p != nil {
			return append(append([]moref{}, p.ResourcePool...), p.Vm...)
		}
	case "VirtualApp":
		if a := object[mo.VirtualApp](ref); a != nil {
			return append(append([]moref{}, a.ResourcePool.ResourcePool...), a.Vm...)
		}
	case "HostSystem":
		if h := object[mo.HostSystem](ref); h != nil {
			return h.Vm
		}
	}
	return nil
}

func (v *view) includes(ref moref) bool {
	for _, kind := range v.kinds {
		if isKind(ref.Type, kind) {
			return true
		}
	}
	return len(v.kinds) == 0
}

// list returns the members, computed anew when the inventory changed.
func (v *view) list(w *world) []moref {
	if v.members != nil && v.shape == w.shape {
		return v.members
	}
	v.shape = w.shape
	v.members = make([]moref, 0, len(v.members))
	seen := map[moref]bool{v.container: true}
	var walk func(moref)
	walk = func(ref moref) {
		for _, child := range below(ref) {
			if seen[child] {
				continue
			}
			seen[child] = true
			if v.includes(child) {
				v.members = append(v.members, child)
			}
			if v.recursive {
				walk(child)
			}
		}
	}
	walk(v.container)
	return v.members
}

func createContainerView(c *call) (interface{}, *fault) {
	req := c.body.(*types.CreateContainerView)
	if _, ok := c.w.properties(c.session, req.Container, nil); !ok {
		return nil, newFault(&types.ManagedObjectNotFound{Obj: req.Container})
	}
	for _, kind := range req.Type {
		since := typeSince[kind]
		if objectTypes[kind] == nil || since != "" && olderThan(c.version, since) {
			return nil, newFault(&types.InvalidArgument{InvalidProperty: "type"})
		}
	}
	v := &view{
		ref:       moref{Type: "ContainerView", Value: c.session.objectName(c.w)},
		owner:     c.session,
		container: req.Container,
		kinds:     req.Type,
		recursive: req.Recursive,
	}
	c.w.views[v.ref] = v
	return &types.CreateContainerViewResponse{Returnval: v.ref}, nil
}

func destroyView(c *call) (interface{}, *fault) {
	v := c.w.views[c.this]
	if v == nil || v.owner != c.session {
		return nil, newFault(&types.ManagedObjectNotFound{Obj: c.this})
	}
	delete(c.w.views, c.this)
	c.w.shape++
	c.w.changed(c.this, "")
	return &types.DestroyViewResponse{}, nil
}

// objectName makes a moref value for an object of a session, as vCenter does.
func (s *session) objectName(w *world) string {
	return fmt.Sprintf("session[%s]%s", s.info.Key, stableUUID(fmt.Sprint(s.info.Key, w.id())))
}
