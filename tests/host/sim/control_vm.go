// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

func controlPower(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	state, ok := powerWords[o.q.Get("state")]
	if !ok {
		return nil, errors.New("state is on, off or suspended")
	}
	if o.flag("task") {
		return o.task(v, "power", "powerOn", func() (types.AnyType, *fault) {
			v.setPower(state)
			return nil, nil
		})
	}
	v.setPower(state)
	return describeVM(v, false), nil
}

func controlVMCreate(o *order) (interface{}, error) {
	folder := o.w.findFolder(o.q.Get("folder"))
	if folder == nil {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	v := o.w.newVM(escapeName(o.q.Get("name")), o.w.placeIn(folder), "")
	return describeVM(v, true), nil
}

func controlVMRename(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	v.rename(escapeName(o.q.Get("name")))
	return describeVM(v, false), nil
}

func controlVMMove(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	folder := o.w.findFolder(o.q.Get("folder"))
	if folder == nil {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	v.move(folder)
	return describeVM(v, false), nil
}

func controlVMDestroy(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	o.w.leave(v)
	return struct{}{}, nil
}

func controlVMUnregister(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	o.w.unregister(v)
	return map[string]string{"vmx": v.vmx}, nil
}

func controlVMRegister(o *order) (interface{}, error) {
	folder := o.w.findFolder(o.q.Get("folder"))
	if folder == nil {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	v, f := o.w.register(o.q.Get("path"), escapeName(o.q.Get("name")), folder)
	if f != nil {
		return nil, errors.New(f.name())
	}
	return describeVM(v, true), nil
}

func (o *order) setConnection(v *vm, word string) error {
	state := types.VirtualMachineConnectionState(word)
	switch state {
	case types.VirtualMachineConnectionStateConnected, types.VirtualMachineConnectionStateDisconnected,
		types.VirtualMachineConnectionStateOrphaned, types.VirtualMachineConnectionStateInaccessible,
		types.VirtualMachineConnectionStateInvalid:
	default:
		return fmt.Errorf("no connection state %q", word)
	}
	v.mo.Runtime.ConnectionState = state
	v.mo.Summary.Runtime = v.mo.Runtime
	v.note("runtime.connectionState", "summary.runtime.connectionState", "config", "guest", "layoutEx", "layout")
	return nil
}

func controlVMSet(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	for key := range o.q {
		value := o.q.Get(key)
		switch key {
		case "vm":
		case "connection":
			if err := o.setConnection(v, value); err != nil {
				return nil, err
			}
		case "template":
			v.alter(func(i *types.VirtualMachineConfigInfo) { i.Template = o.flag(key) })
		case "annotation":
			v.alter(func(i *types.VirtualMachineConfigInfo) { i.Annotation = value })
		case "question":
			v.setQuestion(value)
		case "consolidation":
			v.setConsolidation(o.flag(key))
		case "tools":
			v.tools = value
			v.setPower(v.power)
		case "frozen":
			v.frozen = o.flag(key)
		case "log":
			bytes, err := o.number(key, 0)
			if err != nil {
				return nil, err
			}
			v.log = int64(bytes)
			v.note("layoutEx", "layout")
		case "current":
			v.current = nil
			v.refreshTree()
		case "independent":
			for i, d := range v.disks {
				d.independent = value == strconv.Itoa(i)
			}
			v.disksMoved()
		case "content":
			for _, d := range v.disks {
				d.nameless = value == "none"
			}
			v.disksMoved()
		case "chain":
			for _, d := range v.disks {
				d.headOnly = value == "head"
			}
			v.disksMoved()
		case "base":
			// A linked clone: where the disks that it was made of are.
			for i := range v.disks {
				for l := range v.links(i) {
					if l.parent == nil {
						l.dir = value
					}
				}
			}
			v.disksMoved()
		case "host":
			if err := o.moveHost(v, value); err != nil {
				return nil, err
			}
		case "busy":
			ms, err := o.number(key, 0)
			if err != nil {
				return nil, err
			}
			v.hold = time.Now().Add(time.Duration(ms) * time.Millisecond)
		default:
			return nil, fmt.Errorf("a VM has no %q to set", key)
		}
	}
	return describeVM(v, false), nil
}

// moveHost is what vMotion does.
func (o *order) moveHost(v *vm, name string) error {
	for _, p := range o.w.places {
		if p.datacenter == v.place.datacenter && p.host.Name == name {
			moved := *v.place
			moved.host = p.host
			o.w.unsettle(v)
			o.w.settle(v, &moved)
			v.note("runtime.host", "summary.runtime.host")
			return nil
		}
	}
	return fmt.Errorf("no host %q in that datacenter", name)
}

// controlDatastoreSet changes what a datastore says of itself.
func controlDatastoreSet(o *order) (interface{}, error) {
	dc := o.q.Get("dc")
	if dc == "" {
		dc = o.w.places[0].datacenter.Name
	}
	ds := o.w.datastoreOf(dc, o.q.Get("datastore"))
	if ds == nil {
		return nil, fmt.Errorf("no datastore %q in %s", o.q.Get("datastore"), dc)
	}
	for key := range o.q {
		n, err := strconv.ParseInt(o.q.Get(key), 10, 64)
		switch key {
		case "dc", "datastore":
			err = nil
		case "capacity":
			ds.Summary.Capacity = n
		case "free":
			ds.Summary.FreeSpace = n
		case "accessible":
			ds.Summary.Accessible = n != 0
		case "type":
			ds.Summary.Type, err = o.q.Get(key), nil
		default:
			err = fmt.Errorf("a datastore has no %q to set", key)
		}
		if err != nil {
			return nil, err
		}
	}
	o.w.changed(ds.Self, "summary")
	return map[string]interface{}{"capacity": ds.Summary.Capacity, "free": ds.Summary.FreeSpace}, nil
}

func controlFolderCreate(o *order) (interface{}, error) {
	path := o.q.Get("folder")
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return nil, errors.New("folder is DATACENTER/…/NAME")
	}
	parent := o.w.findFolder(path[:i])
	if parent == nil {
		return nil, fmt.Errorf("no folder %q", path[:i])
	}
	f := o.w.newFolder(parent, path[i+1:])
	return map[string]string{"moref": f.Self.Value, "folder": folderPath(f)}, nil
}

func controlFolderRename(o *order) (interface{}, error) {
	f := o.w.findFolder(o.q.Get("folder"))
	if f == nil || o.q.Get("folder") == "" {
		return nil, fmt.Errorf("no folder %q", o.q.Get("folder"))
	}
	f.Name = escapeName(o.q.Get("name"))
	o.w.changed(f.Self, "name")
	return map[string]string{"folder": folderPath(f)}, nil
}

// controlFolderDestroy removes an empty folder.
func controlFolderDestroy(o *order) (interface{}, error) {
	f := o.w.findFolder(o.q.Get("folder"))
	if f == nil || o.q.Get("folder") == "" || len(f.ChildEntity) > 0 {
		return nil, fmt.Errorf("no empty folder %q", o.q.Get("folder"))
	}
	parent := objectFolder(*f.Parent)
	if parent == nil {
		return nil, errors.New("a datacenter's own folder stays")
	}
	parent.ChildEntity = removeRef(parent.ChildEntity, f.Self)
	simulator.Map.Remove(f.Self)
	o.w.shape++
	o.w.changed(parent.Self, "childEntity")
	return struct{}{}, nil
}

var powerWords = map[string]types.VirtualMachinePowerState{"on": on, "off": off, "suspended": suspended}
