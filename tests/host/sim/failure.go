// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import "github.com/vmware/govmomi/vim25/types"

// failure is a fault that was ordered for a method.
type failure struct {
	method string // or *
	vm     *vm    // or nil for any
	when   string // call, task, late
	times  int    // left; negative: for ever
	fault  *fault
}

// take finds an ordered failure and counts it.
func (w *world) take(method string, v *vm, call bool) *failure {
	for i, f := range w.failures {
		if (f.when == "call") != call || f.method != "*" && f.method != method ||
			f.vm != nil && f.vm != v {
			continue
		}
		if f.times > 0 {
			if f.times--; f.times == 0 {
				w.failures = append(w.failures[:i:i], w.failures[i+1:]...)
			}
		}
		return f
	}
	return nil
}

// forced is the fault that a call ends with by order.
func (w *world) forced(c *call) *fault {
	if len(w.failures) == 0 {
		return nil
	}
	v := w.vms[c.this]
	if s := w.snapshots[c.this]; s != nil {
		v = s.vm
	}
	if f := w.take(c.method, v, true); f != nil {
		return w.fitted(f, c.this)
	}
	return nil
}

// doom is the fault that a task ends with by order.
func (w *world) doom(c *call, v *vm) *failure {
	return w.take(c.method, v, false)
}

// fitted fills in the object called where the order left it open.
func (w *world) fitted(f *failure, this moref) *fault {
	switch detail := f.fault.detail.(type) {
	case *types.NoPermission:
		if detail.Object.Value == "" {
			copied := *detail
			copied.Object = this
			return &fault{&copied, f.fault.message}
		}
	case *types.ManagedObjectNotFound:
		if detail.Obj.Value == "" {
			copied := *detail
			copied.Obj = this
			return &fault{&copied, f.fault.message}
		}
	}
	return f.fault
}
