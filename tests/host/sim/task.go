// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// A task is queued, runs for as long as its kind is set to take, and does its
// work at the end. Meanwhile its VM is busy.
type task struct {
	ref      moref
	info     types.TaskInfo
	vm       *vm // or nil
	kind     string
	busy     bool // the VM takes no other task meanwhile
	canceled chan struct{}
	due      chan struct{} // closed: it takes no more time
	work     func() (types.AnyType, *fault)
	doomed   *failure // ends with this instead
	ended    time.Time
	done     chan struct{}
}

const recentTasks = 200

// spec is what a new task needs to know.
type spec struct {
	kind   string // of taskKinds
	method string // createSnapshot, as in descriptionId
	vm     *vm
	entity moref
	user   string
	opID   string
	busy   bool
	// Quick tasks do not take the time of their kind.
	quick bool
	work  func() (types.AnyType, *fault)
}

func (w *world) taskRef(p *spec) moref {
	value := fmt.Sprintf("task-%d", w.id())
	if w.isESX() {
		value = fmt.Sprintf("haTask-%s-vim.%s.%s-%d", p.entity.Value, p.entity.Type, p.method, w.nextID)
	}
	return moref{Type: "Task", Value: value}
}

// newTask registers a task and starts it.
func (w *world) newTask(p *spec) *task {
	entity := p.entity
	t := &task{
		ref:      w.taskRef(p),
		vm:       p.vm,
		kind:     p.kind,
		busy:     p.busy,
		canceled: make(chan struct{}),
		due:      make(chan struct{}),
		work:     p.work,
		done:     make(chan struct{}),
	}
	t.info = types.TaskInfo{
		Key:           t.ref.Value,
		Task:          t.ref,
		Name:          strings.ToUpper(p.method[:1]) + p.method[1:] + "_Task",
		DescriptionId: entity.Type + "." + p.method,
		Entity:        &entity,
		State:         types.TaskInfoStateQueued,
		Cancelable:    w.set.cancelable || p.kind == "create",
		Reason:        &types.TaskReasonUser{UserName: p.user},
		QueueTime:     now(),
		EventChainId:  int32(w.nextID),
	}
	if entity.Type == "VirtualMachineSnapshot" { // shown under the VM
		t.info.Entity = &p.vm.mo.Self
		t.info.DescriptionId = "VirtualMachine." + p.method
	}
	if p.vm != nil {
		t.info.EntityName = p.vm.mo.Name
	}
	if !w.isESX() && !olderThan(w.o.apiVersion, "6.0") {
		t.info.ActivationId = p.opID
	}
	w.tasks[t.ref] = t
	w.recent = append(w.recent, t)
	if len(w.recent) > recentTasks {
		w.recent = w.recent[1:]
	}
	w.purge()
	if t.vm != nil {
		if t.busy {
			t.vm.active = t
		}
		t.vm.recent = appendRef(t.vm.recent, t.ref)
		if len(t.vm.recent) > 10 {
			t.vm.recent = t.vm.recent[1:]
		}
		t.vm.note("recentTask")
	}
	w.changed(*w.content.TaskManager, "recentTask")
	duration := w.set.durations[p.kind]
	if p.quick {
		duration = 0
	}
	go t.run(w, duration)
	return t
}

// purge forgets tasks that ended long ago.
func (w *world) purge() {
	if time.Since(w.purged) < time.Second {
		return
	}
	w.purged = time.Now()
	for _, t := range w.tasks {
		if t.ended.IsZero() || time.Since(t.ended) < w.set.keep {
			continue
		}
		w.forget(t)
	}
}

// forget removes a task from sight.
func (w *world) forget(t *task) {
	delete(w.tasks, t.ref)
	if t.ended.IsZero() {
		w.lost = append(w.lost, t)
	}
	for i, each := range w.recent {
		if each == t {
			w.recent = append(w.recent[:i:i], w.recent[i+1:]...)
			break
		}
	}
	if t.vm != nil {
		t.vm.recent = removeRef(t.vm.recent, t.ref)
	}
	w.changed(t.ref, "")
}

func (t *task) note(w *world, fields ...string) {
	for _, field := range fields {
		w.changed(t.ref, "info."+field)
	}
}

// sleep waits without the lock; false: the task was cancelled.
func (t *task) sleep(w *world, d time.Duration) bool {
	return t.sleepUnless(w, d, nil)
}

func (t *task) sleepUnless(w *world, d time.Duration, due <-chan struct{}) bool {
	w.mu.Unlock()
	defer w.mu.Lock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-due:
		return true
	case <-t.canceled:
		return false
	case <-w.closed:
		return false
	}
}

// run is a task's life.
func (t *task) run(w *world, duration time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer close(t.done)
	for w.o.slots > 0 && w.running >= w.o.slots {
		if !t.sleep(w, 2*time.Millisecond) {
			t.finish(w, nil, newFault(&types.RequestCanceled{}))
			return
		}
	}
	w.running++
	defer func() { w.running-- }()
	start := now()
	t.info.StartTime = &start
	t.info.State = types.TaskInfoStateRunning
	t.note(w, "state", "startTime")
	if f := t.advance(w, duration); f != nil {
		t.finish(w, nil, f)
		return
	}
	// A question stops everything until somebody answers it.
	for t.vm != nil && t.vm.mo.Runtime.Question != nil {
		if !t.sleep(w, 5*time.Millisecond) {
			t.finish(w, nil, newFault(&types.RequestCanceled{}))
			return
		}
	}
	if t.doomed != nil {
		t.finish(w, nil, t.doomed.fault)
		return
	}
	result, f := t.work()
	t.finish(w, result, f)
}

// hurry makes the work of a task due at once.
func (t *task) hurry() {
	select {
	case <-t.due:
	default:
		close(t.due)
	}
}

// advance spends the time, in ten steps of progress. Each ends when it is due:
// what timers are late by does not add up.
func (t *task) advance(w *world, duration time.Duration) *fault {
	if duration <= 0 {
		return nil
	}
	start := time.Now()
	for step := time.Duration(1); step <= 10; step++ {
		if !t.sleepUnless(w, time.Until(start.Add(duration*step/10)), t.due) {
			return newFault(&types.RequestCanceled{})
		}
		if t.doomed != nil && t.doomed.when == "late" && step == 5 {
			return t.doomed.fault
		}
		if step < 10 {
			t.info.Progress = int32(step * 10)
			t.note(w, "progress")
		}
	}
	return nil
}

func (t *task) finish(w *world, result types.AnyType, f *fault) {
	end := now()
	t.ended = time.Now()
	t.info.CompleteTime = &end
	t.info.Cancelable = false
	t.info.Progress = 0
	t.info.Result = result
	t.info.State = types.TaskInfoStateSuccess
	if f != nil {
		t.info.State = types.TaskInfoStateError
		t.info.Error = f.localized()
		_, t.info.Cancelled = f.detail.(*types.RequestCanceled)
		w.stats.taskFaults[f.name()]++
	}
	if t.vm != nil && t.vm.active == t {
		t.vm.active = nil
	}
	t.note(w, "state", "completeTime", "result", "error", "cancelable", "cancelled", "progress")
}

func cancelTask(c *call) (interface{}, *fault) {
	t := c.w.tasks[c.this]
	switch {
	case t == nil:
		return nil, newFault(&types.ManagedObjectNotFound{Obj: c.this})
	case !t.ended.IsZero():
		return nil, newFault(&types.InvalidState{})
	case !t.info.Cancelable:
		return nil, newFault(&types.NotSupported{})
	}
	select {
	case <-t.canceled:
	default:
		close(t.canceled)
	}
	t.info.Cancelled = true
	t.note(c.w, "cancelled")
	return &types.CancelTaskResponse{}, nil
}
