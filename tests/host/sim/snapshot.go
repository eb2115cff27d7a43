// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// snapshot is one node of a VM's tree. heads are the disk files that were
// current when it was taken; they are read-only from then on.
type snapshot struct {
	ref         moref
	vm          *vm
	id          int32
	name        string // as on the wire
	description string
	created     time.Time
	state       types.VirtualMachinePowerState
	quiesced    bool
	memory      bool
	plain       *types.VirtualMachineConfigInfo
	heads       []*link
	parent      *snapshot
	children    []*snapshot
}

// all lists a VM's snapshots, parents before children.
func (v *vm) all() []*snapshot {
	var list []*snapshot
	var walk func([]*snapshot)
	walk = func(some []*snapshot) {
		for _, s := range some {
			list = append(list, s)
			walk(s.children)
		}
	}
	walk(v.roots)
	return list
}

// levels is how deep the current snapshot is.
func (v *vm) levels() int {
	n := 0
	for s := v.current; s != nil; s = s.parent {
		n++
	}
	return n
}

func tree(list []*snapshot) []types.VirtualMachineSnapshotTree {
	if len(list) == 0 {
		return nil
	}
	out := make([]types.VirtualMachineSnapshotTree, len(list))
	for i, s := range list {
		out[i] = types.VirtualMachineSnapshotTree{
			Snapshot:          s.ref,
			Vm:                s.vm.ref(),
			Name:              s.name,
			Description:       s.description,
			Id:                s.id,
			CreateTime:        s.created,
			State:             s.state,
			Quiesced:          s.quiesced,
			ChildSnapshotList: tree(s.children),
			ReplaySupported:   types.NewBool(false),
		}
	}
	return out
}

// refreshTree makes the snapshot property anew and reports it.
func (v *vm) refreshTree() {
	v.mo.Snapshot, v.mo.RootSnapshot = nil, nil
	if len(v.roots) > 0 {
		info := &types.VirtualMachineSnapshotInfo{RootSnapshotList: tree(v.roots)}
		if v.current != nil {
			ref := v.current.ref
			info.CurrentSnapshot = &ref
		}
		v.mo.Snapshot = info
		for _, s := range v.roots {
			v.mo.RootSnapshot = append(v.mo.RootSnapshot, s.ref)
		}
	}
	v.note("snapshot", "rootSnapshot", "layoutEx", "layout")
}

// links visits every file that a snapshot or the VM still needs.
func (v *vm) links(i int) map[*link]bool {
	seen := make(map[*link]bool)
	add := func(l *link) {
		for ; l != nil && !seen[l]; l = l.parent {
			seen[l] = true
		}
	}
	add(v.disks[i].head)
	for _, s := range v.all() {
		if i < len(s.heads) {
			add(s.heads[i])
		}
	}
	return seen
}

// newDelta puts a new file on top of a disk's chain.
func (v *vm) newDelta(d *disk, parent *link) *link {
	base := parent
	for base.parent != nil {
		base = base.parent
	}
	stem := base.name
	if base.dir != v.dir() {
		stem = v.stem() // a linked clone's
	}
	d.deltas++
	name := fmt.Sprintf("%s-%06d", stem, d.deltas)
	return &link{dir: v.dir(), name: name, parent: parent,
		uuid: stableUUID(v.dir() + name)}
}

// collapse merges what nobody restores to any more: a file that is no
// snapshot's head and that one other file stands on takes that one's data.
func (v *vm) collapse() {
	merged := false
	for i, d := range v.disks {
		if d.independent {
			continue
		}
		for v.collapseOne(i) {
			merged = true
		}
	}
	if !merged {
		return
	}
	for key, f := range v.w.staged {
		v.w.files[key] = f
		delete(v.w.staged, key)
		v.w.fileStored(key)
	}
}

func (v *vm) collapseOne(i int) bool {
	links := v.links(i)
	isHead := map[*link]bool{v.disks[i].head: true}
	for _, s := range v.all() {
		if i < len(s.heads) {
			isHead[s.heads[i]] = true
		}
	}
	above := make(map[*link][]*link)
	for l := range links {
		if l.parent != nil {
			above[l.parent] = append(above[l.parent], l)
		}
	}
	for l := range links {
		if !isHead[l] && l.dir == v.dir() && len(above[l]) == 1 {
			v.replaceLink(i, above[l][0], l, links)
			return true
		}
	}
	return false
}

// replaceLink makes all who use the file old use the file merged.
func (v *vm) replaceLink(i int, old, merged *link, links map[*link]bool) {
	v.w.dropStored(v, old)
	merged.cid = old.cid
	for other := range links {
		if other.parent == old {
			other.parent = merged
		}
	}
	if v.disks[i].head == old {
		v.disks[i].head = merged
	}
	for _, s := range v.all() {
		if i < len(s.heads) && s.heads[i] == old {
			s.heads[i] = merged
		}
	}
}

// snapshotRef makes a moref as the product writes it.
func (v *vm) snapshotRef(id int32) moref {
	value := fmt.Sprintf("snapshot-%d", v.w.id())
	if v.w.isESX() {
		value = fmt.Sprintf("%s-snapshot-%d", v.ref().Value, id)
	}
	return moref{Type: "VirtualMachineSnapshot", Value: value}
}

// addSnapshot makes one below the current snapshot without telling anybody.
func (v *vm) addSnapshot(name, description string) *snapshot {
	v.lastID++
	s := &snapshot{
		vm:          v,
		id:          v.lastID,
		name:        name,
		description: description,
		created:     now(),
		state:       types.VirtualMachinePowerStatePoweredOff,
		plain:       v.plain,
		parent:      v.current,
	}
	s.ref = v.snapshotRef(s.id)
	for _, d := range v.disks {
		s.heads = append(s.heads, d.head)
		if !d.independent {
			d.head = v.newDelta(d, d.head)
		}
	}
	if s.parent != nil {
		s.parent.children = append(s.parent.children, s)
		v.w.changed(s.parent.ref, "childSnapshot")
	} else {
		v.roots = append(v.roots, s)
	}
	v.current = s
	v.changed = v.power == types.VirtualMachinePowerStatePoweredOn
	v.w.snapshots[s.ref] = s
	return s
}

// mayCreate says why a snapshot cannot be taken now, or nil.
func (v *vm) mayCreate(memory, quiesce bool) *fault {
	on := v.power == types.VirtualMachinePowerStatePoweredOn
	suspended := v.power == types.VirtualMachinePowerStateSuspended
	switch {
	case v.w.o.kind == "server2" && len(v.roots) > 0:
		return newFault(&types.MultipleSnapshotsNotSupported{})
	case v.levels() >= v.w.set.levels:
		return newFault(&types.TooManySnapshotLevels{})
	case suspended && v.current != nil && !v.changed &&
		v.current.state == types.VirtualMachinePowerStateSuspended:
		return newFault(&types.SnapshotNoChange{})
	case on && quiesce && !memory && (v.frozen || v.tools == "bad"):
		return newFault(&types.ApplicationQuiesceFault{})
	}
	if on && memory {
		for _, d := range v.disks {
			if d.independent {
				return newFault(&types.MemorySnapshotOnIndependentDisk{})
			}
		}
	}
	return nil
}

// create takes a snapshot; the name is as on the wire.
func (v *vm) create(name, description string, memory, quiesce bool) *snapshot {
	s := v.addSnapshot(name, description)
	switch v.power {
	case types.VirtualMachinePowerStatePoweredOn:
		if memory { // memory wins over quiesce
			s.memory, s.state = true, v.power
		} else if quiesce && v.tools == "ok" {
			s.quiesced = true
		}
	case types.VirtualMachinePowerStateSuspended:
		s.memory, s.state = true, v.power // its memory is on disk already
	}
	v.refreshTree()
	v.disksMoved()
	v.w.stats.creates[v.name()+"/"+plainName(name)]++
	return s
}

func plainName(wire string) string {
	plain, ok := unescapeName(wire)
	if !ok {
		return wire
	}
	return plain
}

func removeSnapshot(list []*snapshot, s *snapshot) []*snapshot {
	kept := make([]*snapshot, 0, len(list))
	for _, each := range list {
		if each != s {
			kept = append(kept, each)
		}
	}
	return kept
}

// remove deletes a snapshot; what it kept goes into its children or into the
// VM. With children: the whole branch goes.
func (v *vm) remove(s *snapshot, children bool) {
	doomed := []*snapshot{s}
	if children {
		doomed = nil
		var walk func(*snapshot)
		walk = func(each *snapshot) {
			doomed = append(doomed, each)
			for _, child := range each.children {
				walk(child)
			}
		}
		walk(s)
	}
	for _, each := range doomed {
		if v.current == each {
			v.current = s.parent
		}
		delete(v.w.snapshots, each.ref)
		v.w.changed(each.ref, "")
	}
	moved := s.children
	if children {
		moved = nil
	}
	for _, child := range moved {
		child.parent = s.parent
	}
	if s.parent != nil {
		s.parent.children = append(removeSnapshot(s.parent.children, s), moved...)
		v.w.changed(s.parent.ref, "childSnapshot")
	} else {
		v.roots = append(removeSnapshot(v.roots, s), moved...)
	}
	v.collapse()
	v.refreshTree()
	v.disksMoved()
}

// clear removes all snapshots.
func (v *vm) clear() {
	for _, s := range v.all() {
		delete(v.w.snapshots, s.ref)
		v.w.changed(s.ref, "")
	}
	v.roots, v.current = nil, nil
	v.collapse()
	v.refreshTree()
	v.disksMoved()
}

// revert discards the present state for a snapshot's.
func (v *vm) revert(s *snapshot, suppressPowerOn bool) {
	for i, d := range v.disks {
		if d.independent || i >= len(s.heads) {
			continue
		}
		d.head = v.newDelta(d, s.heads[i])
	}
	v.current = s
	v.changed = false
	plain := *s.plain
	plain.Name = v.plain.Name // the name is the inventory's, not the snapshot's
	v.plain = &plain
	v.collapse()
	v.refreshTree()
	v.disksMoved()
	state := s.state
	if suppressPowerOn && state == types.VirtualMachinePowerStatePoweredOn {
		state = types.VirtualMachinePowerStatePoweredOff
	}
	if state != v.power {
		v.setPower(state)
	}
}

// edit renames and redescribes; nil leaves as it is.
func (v *vm) edit(s *snapshot, name, description *string) {
	if name != nil {
		s.name = *name
	}
	if description != nil {
		s.description = *description
	}
	v.refreshTree()
}

// fill makes count snapshots in chains of depth (0: one chain).
func (v *vm) fill(count, depth int, prefix string) {
	top := v.current
	for i := 0; i < count; i++ {
		if depth > 0 && i > 0 && i%depth == 0 {
			v.current = top
		}
		v.addSnapshot(escapeName(fmt.Sprintf("%s-%d", prefix, i+1)), "")
	}
	v.refreshTree()
	v.disksMoved()
}

// config is the VM's configuration as of the snapshot.
func (s *snapshot) config() *types.VirtualMachineConfigInfo {
	config := *s.plain
	config.Hardware.Device = s.vm.devices(s.heads)
	return &config
}
