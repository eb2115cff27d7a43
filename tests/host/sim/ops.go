// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

func lost(ref moref) *fault {
	return newFault(&types.ManagedObjectNotFound{Obj: ref})
}

func (c *call) vm() (*vm, *fault) {
	if v := c.w.vms[c.this]; v != nil {
		return v, nil
	}
	return nil, lost(c.this)
}

func (c *call) snapshot() (*snapshot, *fault) {
	if s := c.w.snapshots[c.this]; s != nil {
		return s, nil
	}
	return nil, lost(c.this)
}

// busyWith says why a VM takes no long operation now.
func (v *vm) busyWith() *fault {
	if v.active != nil {
		ref := v.active.ref
		return newFault(&types.TaskInProgress{Task: ref})
	}
	if time.Now().Before(v.hold) {
		return newFault(&types.TaskInProgress{Task: moref{Type: "Task", Value: "task-1"}})
	}
	return nil
}

// start makes a task for the VM. ready says what forbids it: a host refuses
// the call, vCenter makes a task that fails. Both checks come again when the
// work is done, since the VM may have changed meanwhile.
func (c *call) start(v *vm, kind, method string, ready func() *fault, work func() (types.AnyType, *fault)) (moref, *fault) {
	refusal := v.busyWith()
	busy := refusal == nil
	if refusal == nil {
		refusal = ready()
	}
	if refusal != nil && c.w.isESX() {
		return moref{}, refusal
	}
	p := &spec{
		kind: kind, method: method, vm: v, entity: c.this,
		user: c.session.info.UserName, opID: c.opID, busy: busy, quick: refusal != nil,
		work: func() (types.AnyType, *fault) {
			if refusal != nil {
				return nil, refusal
			}
			if c.w.vms[v.ref()] != v {
				return nil, lost(v.ref())
			}
			if f := ready(); f != nil {
				return nil, f
			}
			return work()
		},
	}
	t := c.w.newTask(p)
	t.doomed = c.w.doom(c, v)
	return t.ref, nil
}

func always() *fault { return nil }

func createSnapshotAs(c *call, method, name, description string, memory, quiesce bool) (moref, *fault) {
	v, f := c.vm()
	if f != nil {
		return moref{}, f
	}
	stored, ok := storedName(name)
	if !ok {
		return moref{}, newFault(&types.InvalidName{Name: name, Entity: &c.this})
	}
	ready := func() *fault { return v.mayCreate(memory, quiesce) }
	return c.start(v, "create", method, ready, func() (types.AnyType, *fault) {
		return v.create(stored, description, memory, quiesce).ref, nil
	})
}

func createSnapshot(c *call) (interface{}, *fault) {
	req := c.body.(*types.CreateSnapshot_Task)
	ref, f := createSnapshotAs(c, "createSnapshot", req.Name, req.Description, req.Memory, req.Quiesce)
	return &types.CreateSnapshot_TaskResponse{Returnval: ref}, f
}

func createSnapshotEx(c *call) (interface{}, *fault) {
	req := c.body.(*types.CreateSnapshotEx_Task)
	if req.QuiesceSpec != nil {
		minutes := req.QuiesceSpec.GetVirtualMachineGuestQuiesceSpec().Timeout
		if minutes != 0 && (minutes < 5 || minutes > 240) {
			return nil, newFault(&types.InvalidArgument{InvalidProperty: "quiesceSpec.timeout"})
		}
	}
	ref, f := createSnapshotAs(c, "createSnapshotEx", req.Name, req.Description, req.Memory, req.QuiesceSpec != nil)
	return &types.CreateSnapshotEx_TaskResponse{Returnval: ref}, f
}

func removeSnapshotTask(c *call) (interface{}, *fault) {
	s, f := c.snapshot()
	if f != nil {
		return nil, f
	}
	children := c.body.(*types.RemoveSnapshot_Task).RemoveChildren
	ref, f := c.start(s.vm, "remove", "removeSnapshot", always, func() (types.AnyType, *fault) {
		if c.w.snapshots[s.ref] != s {
			return nil, lost(s.ref)
		}
		s.vm.remove(s, children)
		return nil, nil
	})
	return &types.RemoveSnapshot_TaskResponse{Returnval: ref}, f
}

func removeAllSnapshots(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f != nil {
		return nil, f
	}
	ref, f := c.start(v, "remove", "removeAllSnapshots", always, func() (types.AnyType, *fault) {
		v.clear()
		return nil, nil
	})
	return &types.RemoveAllSnapshots_TaskResponse{Returnval: ref}, f
}

func (c *call) revertTask(s *snapshot, method string, suppress *bool) (moref, *fault) {
	return c.start(s.vm, "revert", method, always, func() (types.AnyType, *fault) {
		if c.w.snapshots[s.ref] != s {
			return nil, lost(s.ref)
		}
		s.vm.revert(s, suppress != nil && *suppress)
		return nil, nil
	})
}

func revertToSnapshot(c *call) (interface{}, *fault) {
	s, f := c.snapshot()
	if f != nil {
		return nil, f
	}
	ref, f := c.revertTask(s, "revertToSnapshot", c.body.(*types.RevertToSnapshot_Task).SuppressPowerOn)
	return &types.RevertToSnapshot_TaskResponse{Returnval: ref}, f
}

func revertToCurrent(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f != nil {
		return nil, f
	}
	if v.current == nil {
		return nil, newFault(&types.NotFound{})
	}
	ref, f := c.revertTask(v.current, "revertToCurrentSnapshot", c.body.(*types.RevertToCurrentSnapshot_Task).SuppressPowerOn)
	return &types.RevertToCurrentSnapshot_TaskResponse{Returnval: ref}, f
}

func renameSnapshot(c *call) (interface{}, *fault) {
	s, f := c.snapshot()
	if f != nil {
		return nil, f
	}
	req := c.body.(*types.RenameSnapshot)
	if !c.present["name"] && !c.present["description"] {
		return nil, newFault(&types.InvalidArgument{InvalidProperty: "name"})
	}
	if f = s.vm.busyWith(); f != nil {
		return nil, f
	}
	var name, description *string
	if c.present["name"] {
		stored, ok := storedName(req.Name)
		if !ok {
			return nil, newFault(&types.InvalidName{Name: req.Name, Entity: &s.vm.mo.Self})
		}
		name = &stored
	}
	if c.present["description"] { // present and empty: it is wiped
		description = &req.Description
	}
	s.vm.edit(s, name, description)
	return &types.RenameSnapshotResponse{}, nil
}

func consolidateDisks(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f != nil {
		return nil, f
	}
	ref, f := c.start(v, "consolidate", "consolidateDisks", always, func() (types.AnyType, *fault) {
		v.setConsolidation(false)
		return nil, nil
	})
	return &types.ConsolidateVMDisks_TaskResponse{Returnval: ref}, f
}

func (v *vm) setConsolidation(needed bool) {
	v.mo.Runtime.ConsolidationNeeded = types.NewBool(needed)
	v.mo.Summary.Runtime = v.mo.Runtime
	v.note("runtime.consolidationNeeded", "summary.runtime.consolidationNeeded")
}

// mayPower says what state forbids a change of power.
func (v *vm) mayPower(wanted types.VirtualMachinePowerState, from ...types.VirtualMachinePowerState) func() *fault {
	return func() *fault {
		if v.plain.Template {
			return newFault(&types.NotSupported{})
		}
		for _, state := range from {
			if v.power == state {
				return nil
			}
		}
		return newFault(&types.InvalidPowerState{RequestedState: wanted, ExistingState: v.power})
	}
}

const (
	on        = types.VirtualMachinePowerStatePoweredOn
	off       = types.VirtualMachinePowerStatePoweredOff
	suspended = types.VirtualMachinePowerStateSuspended
)

func (c *call) powerTask(method string, wanted types.VirtualMachinePowerState, from ...types.VirtualMachinePowerState) (moref, *fault) {
	v, f := c.vm()
	if f != nil {
		return moref{}, f
	}
	return c.start(v, "power", method, v.mayPower(wanted, from...), func() (types.AnyType, *fault) {
		v.setPower(wanted)
		return nil, nil
	})
}

func powerOn(c *call) (interface{}, *fault) {
	ref, f := c.powerTask("powerOn", on, off, suspended)
	return &types.PowerOnVM_TaskResponse{Returnval: ref}, f
}

func powerOff(c *call) (interface{}, *fault) {
	ref, f := c.powerTask("powerOff", off, on, suspended)
	return &types.PowerOffVM_TaskResponse{Returnval: ref}, f
}

func suspendVM(c *call) (interface{}, *fault) {
	ref, f := c.powerTask("suspend", suspended, on)
	return &types.SuspendVM_TaskResponse{Returnval: ref}, f
}

func resetVM(c *call) (interface{}, *fault) {
	ref, f := c.powerTask("reset", on, on)
	return &types.ResetVM_TaskResponse{Returnval: ref}, f
}

// guestCall is a power change that the guest does itself: it returns at once
// and needs Tools.
func (c *call) guestCall(wanted types.VirtualMachinePowerState) *fault {
	v, f := c.vm()
	if f != nil {
		return f
	}
	if v.power != on {
		return newFault(&types.InvalidPowerState{RequestedState: on, ExistingState: v.power})
	}
	if v.tools == "none" {
		return newFault(&types.ToolsUnavailable{})
	}
	if f = v.busyWith(); f != nil {
		return f
	}
	go func(d time.Duration) {
		c.w.mu.Lock()
		defer c.w.mu.Unlock()
		c.w.pause(d)
		if v.power == on {
			v.setPower(wanted)
		}
	}(c.w.set.durations["power"])
	return nil
}

func shutdownGuest(c *call) (interface{}, *fault) {
	return &types.ShutdownGuestResponse{}, c.guestCall(off)
}

func rebootGuest(c *call) (interface{}, *fault) {
	return &types.RebootGuestResponse{}, c.guestCall(on)
}

func standbyGuest(c *call) (interface{}, *fault) {
	return &types.StandbyGuestResponse{}, c.guestCall(suspended)
}

func (v *vm) setQuestion(text string) {
	v.mo.Runtime.Question = nil
	if text != "" {
		v.mo.Runtime.Question = &types.VirtualMachineQuestionInfo{
			Id:   "msg.question",
			Text: text,
			Choice: types.ChoiceOption{
				ChoiceInfo: []types.BaseElementDescription{
					&types.ElementDescription{Key: "0", Description: types.Description{Label: "Yes", Summary: "Yes"}},
					&types.ElementDescription{Key: "1", Description: types.Description{Label: "No", Summary: "No"}},
				},
			},
		}
	}
	v.mo.Summary.Runtime = v.mo.Runtime
	v.note("runtime.question", "summary.runtime.question")
}

func answerVM(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f != nil {
		return nil, f
	}
	if q := v.mo.Runtime.Question; q == nil || q.Id != c.body.(*types.AnswerVM).QuestionId {
		return nil, newFault(&types.InvalidArgument{InvalidProperty: "questionId"})
	}
	v.setQuestion("")
	return &types.AnswerVMResponse{}, nil
}

func upgradeVM(c *call) (interface{}, *fault) {
	v, f := c.vm()
	if f != nil {
		return nil, f
	}
	version := c.body.(*types.UpgradeVM_Task).Version
	if version == "" {
		version = "vmx-21"
	}
	ready := func() *fault {
		if v.plain.Version == version {
			return newFault(&types.AlreadyUpgraded{})
		}
		return v.mayPower(off, off)()
	}
	ref, f := c.start(v, "other", "upgradeVirtualHardware", ready, func() (types.AnyType, *fault) {
		v.alter(func(i *types.VirtualMachineConfigInfo) { i.Version = version })
		return nil, nil
	})
	return &types.UpgradeVM_TaskResponse{Returnval: ref}, f
}
