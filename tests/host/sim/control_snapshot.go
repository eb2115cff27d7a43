// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"errors"
	"fmt"
	"math/rand"

	"github.com/vmware/govmomi/vim25/types"
)

func describeSnapshot(s *snapshot) map[string]interface{} {
	parent := int32(0)
	if s.parent != nil {
		parent = s.parent.id
	}
	var disks []string
	for _, l := range s.heads {
		disks = append(disks, l.file())
	}
	return map[string]interface{}{
		"id": s.id, "moref": s.ref.Value, "name": plainName(s.name), "wire": s.name,
		"description": s.description, "created": s.created, "state": s.state,
		"quiesced": s.quiesced, "memory": s.memory, "parent": parent,
		"current": s.vm.current == s, "disks": disks,
	}
}

// snapshot takes id=N or snapshot=NAME; of equal names the oldest.
func (o *order) snapshot() (*vm, *snapshot, error) {
	v, err := o.vm()
	if err != nil {
		return nil, nil, err
	}
	id, err := o.number("id", 0)
	if err != nil {
		return nil, nil, err
	}
	var best *snapshot
	for _, s := range v.all() {
		if id != 0 && int(s.id) == id {
			return v, s, nil
		}
		if id == 0 && plainName(s.name) == o.q.Get("snapshot") && (best == nil || s.id < best.id) {
			best = s
		}
	}
	if best == nil {
		return nil, nil, fmt.Errorf("no such snapshot of %s", v.name())
	}
	return v, best, nil
}

func controlCreate(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	name, description := escapeName(o.q.Get("name")), o.q.Get("description")
	memory, quiesce := o.flag("memory"), o.flag("quiesce")
	if o.flag("task") {
		return o.task(v, "create", "createSnapshot", func() (types.AnyType, *fault) {
			return v.create(name, description, memory, quiesce).ref, nil
		})
	}
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	return describeSnapshot(v.create(name, description, memory, quiesce)), nil
}

func controlRename(o *order) (interface{}, error) {
	v, s, err := o.snapshot()
	if err != nil {
		return nil, err
	}
	var name, description *string
	if o.q.Has("name") {
		wire := escapeName(o.q.Get("name"))
		name = &wire
	}
	if o.q.Has("description") {
		text := o.q.Get("description")
		description = &text
	}
	v.edit(s, name, description)
	return describeSnapshot(s), nil
}

func controlRemove(o *order) (interface{}, error) {
	v, s, err := o.snapshot()
	if err != nil {
		return nil, err
	}
	children := o.flag("children")
	if o.flag("task") {
		return o.task(v, "remove", "removeSnapshot", func() (types.AnyType, *fault) {
			v.remove(s, children)
			return nil, nil
		})
	}
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	v.remove(s, children)
	return describeVM(v, true), nil
}

func controlRevert(o *order) (interface{}, error) {
	v, s, err := o.snapshot()
	if err != nil {
		return nil, err
	}
	suppress := o.flag("suppress")
	if o.flag("task") {
		return o.task(v, "revert", "revertToSnapshot", func() (types.AnyType, *fault) {
			v.revert(s, suppress)
			return nil, nil
		})
	}
	if f := v.busyWith(); f != nil {
		return nil, errors.New(f.name())
	}
	v.revert(s, suppress)
	return describeVM(v, true), nil
}

func controlClear(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	v.clear()
	return describeVM(v, true), nil
}

func controlFill(o *order) (interface{}, error) {
	v, err := o.vm()
	if err != nil {
		return nil, err
	}
	count, err := o.number("count", 1)
	if err != nil {
		return nil, err
	}
	depth, err := o.number("depth", 0)
	if err != nil {
		return nil, err
	}
	prefix := o.q.Get("name")
	if prefix == "" {
		prefix = "snap"
	}
	v.fill(count, depth, prefix)
	return map[string]int{"snapshots": len(v.all())}, nil
}

// churn makes random changes to the snapshots of the first VMs. No name comes
// twice.
func (w *world) churn(count, vms int, r *rand.Rand) map[string]int {
	done := make(map[string]int)
	for n := 0; n < count; n++ {
		v := w.order[r.Intn(vms)]
		if v.active != nil {
			done["busy"]++
			continue
		}
		all := v.all()
		switch k := r.Intn(10); {
		case len(all) == 0 || k < 4 && len(all) < 12 && v.levels() < w.set.levels && !(w.o.kind == "server2"):
			v.create(escapeName(fmt.Sprintf("other %d/%d", w.id(), r.Intn(1000))), "by another client", k == 0, false)
			done["create"]++
		case k < 7:
			v.remove(all[r.Intn(len(all))], k == 6)
			done["remove"]++
		case k < 9:
			name := escapeName(fmt.Sprintf("renamed %d", w.id()))
			v.edit(all[r.Intn(len(all))], &name, nil)
			done["rename"]++
		default:
			v.revert(all[r.Intn(len(all))], false)
			done["revert"]++
		}
	}
	return done
}

func controlChurn(o *order) (interface{}, error) {
	count, err := o.number("count", 100)
	if err != nil {
		return nil, err
	}
	seed, err := o.number("seed", 1)
	if err != nil {
		return nil, err
	}
	vms, err := o.number("vms", len(o.w.order))
	if err != nil || vms < 1 || vms > len(o.w.order) {
		return nil, errors.New("vms is between 1 and the number of VMs")
	}
	return o.w.churn(count, vms, rand.New(rand.NewSource(int64(seed)))), nil
}
