// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// siblings have the names that a new one must not have.
func taken(folder *mo.Folder, name string, except moref) *fault {
	for _, ref := range folder.ChildEntity {
		var other string
		if v := object[mo.VirtualMachine](ref); v != nil {
			other = v.Name
		} else if f := object[mo.Folder](ref); f != nil {
			other = f.Name
		}
		if other == name && ref != except {
			return newFault(&types.DuplicateName{Name: name, Object: ref})
		}
	}
	return nil
}

func renameEntity(c *call) (interface{}, *fault) {
	v := c.w.vms[c.this]
	req := c.body.(*types.Rename_Task)
	name, ok := storedName(req.NewName)
	if !ok {
		return nil, newFault(&types.InvalidName{Name: req.NewName, Entity: &c.this})
	}
	if v == nil {
		return nil, nil // folders and the rest: govmomi's
	}
	if v.mo.Parent != nil {
		if f := taken(v.place.folder, name, v.ref()); f != nil {
			return nil, f
		}
	}
	ref, f := c.start(v, "other", "rename", always, func() (types.AnyType, *fault) {
		v.rename(name)
		return nil, nil
	})
	return &types.Rename_TaskResponse{Returnval: ref}, f
}

func moveIntoFolder(c *call) (interface{}, *fault) {
	folder := object[mo.Folder](c.this)
	if folder == nil {
		return nil, lost(c.this)
	}
	list := c.body.(*types.MoveIntoFolder_Task).List
	for _, ref := range list {
		v := c.w.vms[ref]
		if v == nil {
			return nil, nil
		}
		if f := taken(folder, v.mo.Name, ref); f != nil {
			return nil, f
		}
	}
	t := c.w.newTask(&spec{
		kind: "other", method: "moveInto", entity: c.this,
		user: c.session.info.UserName, opID: c.opID,
		work: func() (types.AnyType, *fault) {
			for _, ref := range list {
				if v := c.w.vms[ref]; v != nil {
					v.move(folder)
				}
			}
			return nil, nil
		},
	})
	return &types.MoveIntoFolder_TaskResponse{Returnval: t.ref}, nil
}

func createFolder(c *call) (interface{}, *fault) {
	parent := object[mo.Folder](c.this)
	if parent == nil {
		return nil, lost(c.this)
	}
	if !holdsVMs(parent) {
		return nil, nil
	}
	req := c.body.(*types.CreateFolder)
	name, ok := storedName(req.Name)
	if !ok {
		return nil, newFault(&types.InvalidName{Name: req.Name})
	}
	if f := taken(parent, name, moref{}); f != nil {
		return nil, f
	}
	return &types.CreateFolderResponse{Returnval: c.w.newFolder(parent, name).Self}, nil
}

// unregister takes a VM out and keeps it for registering again.
func (w *world) unregister(v *vm) {
	w.leave(v)
	w.gone[v.vmx] = v
}

// register brings an unregistered VM back, under a new moref as hosts do.
func (w *world) register(vmx, name string, folder *mo.Folder) (*vm, *fault) {
	for _, v := range w.order {
		if v.vmx == vmx {
			return nil, newFault(&types.AlreadyExists{})
		}
	}
	v := w.gone[vmx]
	if v == nil {
		return nil, newFault(&types.NotFound{})
	}
	delete(w.gone, vmx)
	if name != "" {
		plain := *v.plain
		plain.Name = name
		v.plain = &plain
	}
	v.active, v.recent = nil, nil
	w.enter(v, w.placeIn(folder))
	for _, s := range v.all() {
		s.ref = v.snapshotRef(s.id)
		w.snapshots[s.ref] = s
	}
	v.refreshTree()
	return v, nil
}

func registerVM(c *call) (interface{}, *fault) {
	req := c.body.(*types.RegisterVM_Task)
	folder := object[mo.Folder](c.this)
	if folder == nil {
		return nil, lost(c.this)
	}
	name := ""
	if c.present["name"] {
		stored, ok := storedName(req.Name)
		if !ok {
			return nil, newFault(&types.InvalidName{Name: req.Name})
		}
		name = stored
	}
	t := c.w.newTask(&spec{
		kind: "other", method: "registerVm", entity: c.this,
		user: c.session.info.UserName, opID: c.opID,
		work: func() (types.AnyType, *fault) {
			v, f := c.w.register(req.Path, name, folder)
			if f != nil {
				return nil, f
			}
			return v.ref(), nil
		},
	})
	return &types.RegisterVM_TaskResponse{Returnval: t.ref}, nil
}

func unregisterVM(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f == nil {
		f = v.busyWith()
	}
	if f == nil && v.power == on {
		f = newFault(&types.InvalidPowerState{RequestedState: off, ExistingState: v.power})
	}
	if f != nil {
		return nil, f
	}
	c.w.unregister(v)
	return &types.UnregisterVMResponse{}, nil
}

func destroyVM(c *call) (interface{}, *fault) {
	v := c.w.vms[c.this]
	if v == nil {
		if simulator.Map.Get(c.this) == nil {
			return nil, lost(c.this)
		}
		return nil, nil
	}
	ready := func() *fault {
		if v.power == on {
			return newFault(&types.InvalidPowerState{RequestedState: off, ExistingState: v.power})
		}
		return nil
	}
	ref, f := c.start(v, "other", "destroy", ready, func() (types.AnyType, *fault) {
		c.w.leave(v)
		return nil, nil
	})
	return &types.Destroy_TaskResponse{Returnval: ref}, f
}

// cloneFrom gives a new VM the disks of another as of a snapshot, or now.
func (v *vm) cloneFrom(source *vm, s *snapshot, linked bool) {
	for i, d := range source.disks {
		if i >= len(v.disks) {
			break
		}
		mine := v.disks[i]
		mine.kb = d.kb
		if linked {
			head := d.head
			if s != nil && i < len(s.heads) {
				head = s.heads[i]
			}
			mine.head = v.newDelta(mine, head)
		}
	}
	v.refreshConfig()
}

const linkedMove = string(types.VirtualMachineRelocateDiskMoveOptionsCreateNewChildDiskBacking)

func cloneVM(c *call) (interface{}, *fault) {
	source, f := c.vm()
	if f != nil {
		return nil, f
	}
	if c.w.isESX() { // a host has no clone
		return nil, newFault(&types.NotSupported{})
	}
	req := c.body.(*types.CloneVM_Task)
	folder := object[mo.Folder](req.Folder)
	name, ok := storedName(req.Name)
	if folder == nil {
		return nil, lost(req.Folder)
	}
	if !ok {
		return nil, newFault(&types.InvalidName{Name: req.Name})
	}
	if f = taken(folder, name, moref{}); f != nil {
		return nil, f
	}
	var at *snapshot
	if req.Spec.Snapshot != nil {
		if at = c.w.snapshots[*req.Spec.Snapshot]; at == nil {
			return nil, lost(*req.Spec.Snapshot)
		}
	}
	linked := req.Spec.Location.DiskMoveType == linkedMove
	if linked && at == nil {
		return nil, newFault(&types.InvalidArgument{InvalidProperty: "spec.snapshot"})
	}
	ref, f := c.start(source, "clone", "clone", always, func() (types.AnyType, *fault) {
		made := c.w.newVM(name, c.w.placeIn(folder), "")
		made.cloneFrom(source, at, linked)
		made.alter(func(i *types.VirtualMachineConfigInfo) { i.Template = req.Spec.Template })
		if req.Spec.PowerOn {
			made.setPower(on)
		}
		return made.ref(), nil
	})
	return &types.CloneVM_TaskResponse{Returnval: ref}, f
}

func (v *vm) setTemplate(yes bool) *fault {
	if v.plain.Template == yes {
		return newFault(&types.NotSupported{})
	}
	if v.power != off {
		return newFault(&types.InvalidPowerState{RequestedState: off, ExistingState: v.power})
	}
	v.alter(func(i *types.VirtualMachineConfigInfo) { i.Template = yes })
	return nil
}

func markAsTemplate(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f == nil {
		f = v.setTemplate(true)
	}
	return &types.MarkAsTemplateResponse{}, f
}

func markAsVM(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f == nil {
		f = v.setTemplate(false)
	}
	return &types.MarkAsVirtualMachineResponse{}, f
}

func refreshStorage(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f != nil {
		return nil, f
	}
	v.note("layoutEx", "layout")
	return &types.RefreshStorageInfoResponse{}, nil
}
