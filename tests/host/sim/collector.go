// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// A collector's version is a number that names a position in the journal. A
// version of an update set that was not truncated may be asked for again: the
// changes since are computed anew. One of a truncated set names the rest of
// that set and works once.

type collector struct {
	ref     moref
	s       *session
	filters []*filter
	last    int // newest version
	marks   map[int]*mark
	kept    []int       // known versions, oldest first
	cancel  chan *fault // ends the wait that is under way
}

type mark struct {
	seq  uint64
	rest []update // of a truncated set
	used bool
}

type filter struct {
	ref     moref
	spec    types.PropertyFilterSpec
	created uint64
	shape   uint64
	members map[moref]uint64 // since when
	newest  uint64           // of those
	order   []moref
	gone    map[moref]departure
	missing []moref
}

type departure struct {
	entered, left uint64
}

// update is one object's line in an update set. The values are read when it
// is sent.
type update struct {
	filter *filter
	kind   types.ObjectUpdateKind
	ref    moref
	paths  map[string]bool // modify: what changed
}

// refresh brings a filter's members up to date.
func (f *filter) refresh(w *world, s *session) {
	follows := false
	for _, o := range f.spec.ObjectSet {
		follows = follows || len(o.SelectSet) > 0
	}
	if f.members != nil && follows && f.shape == w.shape {
		return
	}
	f.shape = w.shape
	refs, missing, fault := w.selected(s, f.spec.ObjectSet)
	if fault != nil {
		return // its objects are gone; the members leave below
	}
	f.missing = missing
	known := f.members
	f.members = make(map[moref]uint64, len(refs))
	f.order = f.order[:0]
	for _, ref := range refs {
		if _, ok := pathsFor(f.spec.PropSet, ref); !ok {
			continue
		}
		entered, ok := known[ref]
		if !ok {
			entered = w.seq()
			f.newest = entered
			delete(f.gone, ref)
		}
		f.members[ref] = entered
		f.order = append(f.order, ref)
	}
	for ref, entered := range known {
		if _, ok := f.members[ref]; !ok {
			f.gone[ref] = departure{entered, w.seq()}
		}
	}
}

// touches tells which of a filter's paths a change of a property concerns.
func touches(paths []string, changed string, into map[string]bool) bool {
	hit := false
	for _, path := range paths {
		if changed == path || strings.HasPrefix(changed, path+".") || strings.HasPrefix(path, changed+".") {
			into[path] = true
			hit = true
		}
	}
	return hit
}

// since lists what a client that knows the state at seq has to learn.
func (c *collector) since(w *world, seq uint64, all bool) []update {
	var out []update
	for _, f := range c.filters {
		f.refresh(w, c.s)
		if all || f.created > seq {
			for _, ref := range f.order {
				out = append(out, update{f, types.ObjectUpdateKindEnter, ref, nil})
			}
			continue
		}
		out = append(out, f.changesSince(w, seq)...)
	}
	return out
}

func (f *filter) changesSince(w *world, seq uint64) []update {
	var out []update
	at := make(map[moref]int)
	for ref, d := range f.gone {
		if _, back := f.members[ref]; !back && d.left > seq && d.entered <= seq {
			out = append(out, update{f, types.ObjectUpdateKindLeave, ref, nil})
		}
	}
	for _, ref := range f.order {
		if f.newest <= seq {
			break // ten thousand members are not looked through for each change
		}
		if f.members[ref] > seq {
			at[ref] = len(out)
			out = append(out, update{f, types.ObjectUpdateKindEnter, ref, nil})
		}
	}
	for _, entry := range w.journal[seq-w.base:] {
		if _, ok := f.members[entry.ref]; !ok || entry.path == "" {
			continue
		}
		i, known := at[entry.ref]
		if known && out[i].kind == types.ObjectUpdateKindEnter {
			continue
		}
		paths, _ := pathsFor(f.spec.PropSet, entry.ref)
		into := make(map[string]bool)
		if known {
			into = out[i].paths
		}
		if touches(paths, entry.path, into) && !known {
			at[entry.ref] = len(out)
			out = append(out, update{f, types.ObjectUpdateKindModify, entry.ref, into})
		}
	}
	return out
}

// remember makes a new version.
func (c *collector) remember(w *world, m *mark) string {
	c.last++
	c.marks[c.last] = m
	c.kept = append(c.kept, c.last)
	if len(c.kept) > w.o.versions {
		delete(c.marks, c.kept[0])
		c.kept = c.kept[1:]
	}
	return strconv.Itoa(c.last)
}

// answer writes up to max objects; the rest gets a version of its own.
func (c *collector) answer(w *world, list []update, seq uint64, max int) *updateSet {
	var out, one bytes.Buffer
	var current *filter
	n := 0
	for n < len(list) && n < max {
		u := list[n]
		n++
		one.Reset()
		if !c.writeUpdate(&one, w, u) {
			continue
		}
		if u.filter != current {
			if current != nil {
				out.WriteString("</filterSet>")
			}
			current = u.filter
			out.WriteString("<filterSet>")
			writeRef(&out, "filter", current.ref)
		}
		out.Write(one.Bytes())
	}
	if current != nil {
		out.WriteString("</filterSet>")
	}
	m := &mark{seq: seq, rest: list[n:]}
	return &updateSet{inner: out.Bytes(), version: c.remember(w, m), truncated: len(m.rest) > 0}
}

// missing writes the objects that a new filter asked for and that are gone.
func (c *collector) missing(seq uint64, all bool) []byte {
	var out bytes.Buffer
	for _, f := range c.filters {
		if len(f.missing) == 0 || !all && f.created <= seq {
			continue
		}
		set := &types.PropertyFilterUpdate{Filter: f.ref}
		for _, ref := range f.missing {
			lost := newFault(&types.ManagedObjectNotFound{Obj: ref})
			set.MissingSet = append(set.MissingSet, types.MissingObject{Obj: ref, Fault: *lost.localized()})
		}
		text, err := xml.Marshal(&struct {
			XMLName xml.Name                    `xml:"w"`
			Set     *types.PropertyFilterUpdate `xml:"filterSet"`
		}{Set: set})
		if err == nil {
			out.Write(bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("<w>")), []byte("</w>")))
		}
	}
	return out.Bytes()
}

// position finds what a version means.
func (c *collector) position(w *world, version string) (m *mark, all bool, f *fault) {
	if version == "" {
		return &mark{seq: w.seq()}, true, nil
	}
	invalid := newFault(&types.InvalidCollectorVersion{})
	n, err := strconv.Atoi(version)
	if err != nil || c.marks[n] == nil {
		return nil, false, invalid
	}
	m = c.marks[n]
	if m.seq < w.base || m.used {
		return nil, false, invalid
	}
	if len(m.rest) > 0 {
		taken := *m
		m.used, m.rest = true, nil // ten thousand lines that nobody asks for again
		return &taken, false, nil
	}
	return m, false, nil
}

// check computes the answer that is ready now, or nil.
func (c *collector) check(w *world, m *mark, all bool, max int) *updateSet {
	if len(m.rest) > 0 {
		return c.answer(w, m.rest, m.seq, max)
	}
	seq := w.seq()
	list := c.since(w, m.seq, all)
	missing := c.missing(m.seq, all)
	if len(list) == 0 && len(missing) == 0 {
		return nil
	}
	set := c.answer(w, list, seq, max)
	set.inner = append(set.inner, missing...)
	return set
}

// wait answers when there is something to tell, after limit (0: at once,
// negative: never), or when it is cancelled. The lock is held on entry and
// return, not in between.
func (c *collector) wait(cl *call, version string, limit time.Duration, max int) (*updateSet, *fault) {
	w := cl.w
	m, all, f := c.position(w, version)
	if f != nil {
		return nil, f
	}
	if c.cancel != nil { // the older wait gives way
		c.cancel <- newFault(&types.RequestCanceled{})
		c.cancel = nil
	}
	cancel := make(chan *fault, 1)
	c.cancel = cancel
	cl.session.busy++
	w.stats.waits++
	defer func() {
		cl.session.busy--
		w.stats.waits--
		if c.cancel == cancel {
			c.cancel = nil
		}
	}()
	var timeout <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		timeout = timer.C
	}
	delayed := w.o.updateDelay == 0
	for {
		if delayed || all || len(m.rest) > 0 {
			if set := c.check(w, m, all, max); set != nil {
				return set, nil
			}
		} else if c.check(w, &mark{seq: m.seq}, all, 1) != nil {
			delayed = true
			w.pause(time.Duration(w.o.updateDelay) * time.Millisecond)
			continue
		}
		if limit == 0 {
			return nil, nil
		}
		if !all && len(m.rest) == 0 {
			m = &mark{seq: w.seq()} // nothing of interest until here
		}
		wake := w.wake
		w.mu.Unlock()
		var ended *fault
		over := false
		select {
		case <-wake:
		case <-timeout:
			over = true
		case ended = <-cancel:
		case <-cl.http.Context().Done():
			over = true
		case <-w.closed:
			over = true
		}
		w.mu.Lock()
		if ended != nil {
			return nil, ended
		}
		if over {
			return nil, nil
		}
		if m.seq < w.base {
			return nil, newFault(&types.InvalidCollectorVersion{})
		}
	}
}

// pause lets others work for a while.
func (w *world) pause(d time.Duration) {
	w.mu.Unlock()
	time.Sleep(d)
	w.mu.Lock()
}

// end stops a collector's wait.
func (c *collector) end(f *fault) {
	if c.cancel != nil {
		c.cancel <- f
		c.cancel = nil
	}
}

func (s *session) newCollector(ref moref) *collector {
	c := &collector{ref: ref, s: s, marks: make(map[int]*mark)}
	s.collectors[ref] = c
	return c
}

// collector finds the object called; the default one is there from login on.
func (c *call) collector() (*collector, *fault) {
	found := c.session.collectors[c.this]
	if found == nil {
		return nil, newFault(&types.ManagedObjectNotFound{Obj: c.this})
	}
	return found, nil
}

func createCollector(c *call) (interface{}, *fault) {
	if _, f := c.collector(); f != nil {
		return nil, f
	}
	ref := moref{Type: "PropertyCollector", Value: c.session.objectName(c.w)}
	c.session.newCollector(ref)
	return &types.CreatePropertyCollectorResponse{Returnval: ref}, nil
}

func destroyCollector(c *call) (interface{}, *fault) {
	found, f := c.collector()
	if f != nil {
		return nil, f
	}
	if c.this == c.w.content.PropertyCollector {
		return nil, newFault(&types.NotSupported{})
	}
	found.end(newFault(&types.RequestCanceled{}))
	delete(c.session.collectors, c.this)
	return &types.DestroyPropertyCollectorResponse{}, nil
}

func createFilter(c *call) (interface{}, *fault) {
	pc, f := c.collector()
	if f != nil {
		return nil, f
	}
	spec := c.body.(*types.CreateFilter).Spec
	if f = checkSpec(spec.PropSet, c.version); f != nil {
		return nil, f
	}
	_, missing, f := c.w.selected(c.session, spec.ObjectSet)
	if f != nil {
		return nil, f
	}
	report := spec.ReportMissingObjectsInResults
	if len(missing) > 0 && (report == nil || !*report) {
		return nil, newFault(&types.ManagedObjectNotFound{Obj: missing[0]})
	}
	made := &filter{
		ref:  moref{Type: "PropertyFilter", Value: c.session.objectName(c.w)},
		spec: spec,
		gone: make(map[moref]departure),
	}
	// A line of its own in the journal: what was known before this one does
	// not know the filter, and a wait under way wakes up for it.
	c.w.changed(made.ref, "")
	made.created = c.w.seq()
	pc.filters = append(pc.filters, made)
	return &types.CreateFilterResponse{Returnval: made.ref}, nil
}

func destroyFilter(c *call) (interface{}, *fault) {
	for _, pc := range c.session.collectors {
		for i, f := range pc.filters {
			if f.ref == c.this {
				pc.filters = append(pc.filters[:i:i], pc.filters[i+1:]...)
				for _, m := range pc.marks {
					m.forget(f)
				}
				return &types.DestroyPropertyFilterResponse{}, nil
			}
		}
	}
	return nil, newFault(&types.ManagedObjectNotFound{Obj: c.this})
}

// forget drops a destroyed filter's updates from a truncated set. The line
// that keeps the set unfinished stays, without objects.
func (m *mark) forget(f *filter) {
	if len(m.rest) == 0 {
		return
	}
	kept := m.rest[:0:0]
	for _, u := range m.rest {
		if u.filter != f {
			kept = append(kept, u)
		}
	}
	m.rest = kept
}

func (c *call) max(options *types.WaitOptions) int {
	if options != nil && options.MaxObjectUpdates > 0 && int(options.MaxObjectUpdates) < c.w.o.truncate {
		return int(options.MaxObjectUpdates)
	}
	return c.w.o.truncate
}

func waitForUpdatesEx(c *call) (interface{}, *fault) {
	req := c.body.(*types.WaitForUpdatesEx)
	pc, f := c.collector()
	if f != nil {
		return nil, f
	}
	limit := time.Duration(-1)
	if c.w.o.maxWait < 0 {
		limit = 0
	} else if c.w.o.maxWait > 0 {
		limit = time.Duration(c.w.o.maxWait) * time.Second
	}
	if req.Options != nil && req.Options.MaxWaitSeconds != nil {
		asked := time.Duration(*req.Options.MaxWaitSeconds) * time.Second
		if asked < 0 {
			return nil, newFault(&types.InvalidArgument{InvalidProperty: "options.maxWaitSeconds"})
		}
		if limit < 0 || asked < limit {
			limit = asked
		}
	}
	set, f := pc.wait(c, req.Version, limit, c.max(req.Options))
	if f != nil {
		return nil, f
	}
	return set.write(c.method), nil
}

func waitForUpdates(c *call) (interface{}, *fault) {
	pc, f := c.collector()
	if f != nil {
		return nil, f
	}
	set, f := pc.wait(c, c.body.(*types.WaitForUpdates).Version, -1, 1<<30)
	if f != nil {
		return nil, f
	}
	if set == nil {
		return nil, newFault(&types.RequestCanceled{})
	}
	return set.write(c.method), nil
}

func checkForUpdates(c *call) (interface{}, *fault) {
	pc, f := c.collector()
	if f != nil {
		return nil, f
	}
	set, f := pc.wait(c, c.body.(*types.CheckForUpdates).Version, 0, 1<<30)
	if f != nil {
		return nil, f
	}
	return set.write(c.method), nil
}

func cancelWait(c *call) (interface{}, *fault) {
	pc, f := c.collector()
	if f != nil {
		return nil, f
	}
	pc.end(newFault(&types.RequestCanceled{}))
	return &types.CancelWaitForUpdatesResponse{}, nil
}
