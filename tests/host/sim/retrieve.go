// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"fmt"

	"github.com/vmware/govmomi/vim25/types"
)

// selector walks a filter's object set.
type selector struct {
	w     *world
	s     *session
	specs map[string]*types.TraversalSpec
	seen  map[string]bool // object and spec
	added map[moref]bool
	refs  []moref
}

func (sel *selector) learn(set []types.BaseSelectionSpec) {
	for _, each := range set {
		if spec, ok := each.(*types.TraversalSpec); ok {
			if spec.Name != "" && sel.specs[spec.Name] == nil {
				sel.specs[spec.Name] = spec
				sel.learn(spec.SelectSet)
				continue
			}
			if spec.Name == "" {
				sel.learn(spec.SelectSet)
			}
		}
	}
}

func (sel *selector) add(ref moref) {
	if !sel.added[ref] {
		sel.added[ref] = true
		sel.refs = append(sel.refs, ref)
	}
}

func (sel *selector) follow(from moref, set []types.BaseSelectionSpec) *fault {
	for _, each := range set {
		spec, ok := each.(*types.TraversalSpec)
		if !ok {
			name := each.GetSelectionSpec().Name
			if spec = sel.specs[name]; spec == nil {
				return newFault(&types.InvalidArgument{InvalidProperty: "selectSet " + name})
			}
		}
		key := fmt.Sprintf("%s %p", from.Value, spec)
		if sel.seen[key] || !isKind(from.Type, spec.Type) {
			continue
		}
		sel.seen[key] = true
		value, ok := sel.w.properties(sel.s, from, []string{spec.Path})
		if !ok {
			continue
		}
		var targets []moref
		switch found := valueAt(value, spec.Path).(type) {
		case moref:
			targets = []moref{found}
		case *types.ArrayOfManagedObjectReference:
			targets = found.ManagedObjectReference
		}
		for _, target := range targets {
			if _, exists := sel.w.properties(sel.s, target, nil); !exists {
				continue
			}
			if spec.Skip == nil || !*spec.Skip {
				sel.add(target)
			}
			if f := sel.follow(target, spec.SelectSet); f != nil {
				return f
			}
		}
	}
	return nil
}

// selected lists the objects of a filter and those of its object set that do
// not exist.
func (w *world) selected(s *session, set []types.ObjectSpec) (refs, missing []moref, f *fault) {
	sel := &selector{w: w, s: s,
		specs: make(map[string]*types.TraversalSpec),
		seen:  make(map[string]bool),
		added: make(map[moref]bool),
	}
	for _, each := range set {
		sel.learn(each.SelectSet)
	}
	for _, each := range set {
		if _, ok := w.properties(s, each.Obj, nil); !ok {
			missing = append(missing, each.Obj)
			continue
		}
		if each.Skip == nil || !*each.Skip {
			sel.add(each.Obj)
		}
		if f := sel.follow(each.Obj, each.SelectSet); f != nil {
			return nil, nil, f
		}
	}
	return sel.refs, missing, nil
}

// withheld says why a property is not shown: nobody is logged in, or the user
// lacks a privilege on it.
func (w *world) withheld(s *session, ref moref, path string) *fault {
	if s == nil && ref.Type != "SessionManager" && ref.Type != "ServiceInstance" {
		return newFault(&types.NotAuthenticated{NoPermission: types.NoPermission{Object: ref, PrivilegeId: "System.Read"}})
	}
	if w.set.hidden[path] {
		return newFault(&types.NoPermission{Object: ref, PrivilegeId: "System.Read"})
	}
	return nil
}

// retrieval is what RetrievePropertiesEx has not delivered yet.
type retrieval struct {
	sets []types.PropertyFilterSpec
	refs []moref
	of   []int // refs[i] is of sets[of[i]]
}

func (c *call) retrieve(specs []types.PropertyFilterSpec) (*retrieval, *fault) {
	r := &retrieval{sets: specs}
	for i, spec := range specs {
		if f := checkSpec(spec.PropSet, c.version); f != nil {
			return nil, f
		}
		refs, missing, f := c.w.selected(c.session, spec.ObjectSet)
		if f != nil {
			return nil, f
		}
		report := spec.ReportMissingObjectsInResults
		if len(missing) > 0 && (report == nil || !*report) {
			return nil, newFault(&types.ManagedObjectNotFound{Obj: missing[0]})
		}
		for _, ref := range refs {
			if _, ok := pathsFor(spec.PropSet, ref); ok {
				r.refs = append(r.refs, ref)
				r.of = append(r.of, i)
			}
		}
	}
	return r, nil
}

// page writes up to max objects of a retrieval; n is how many.
func (c *call) page(out *bytes.Buffer, element string, r *retrieval, max int) (n int) {
	for len(r.refs) > 0 && n < max {
		ref, i := r.refs[0], r.of[0]
		r.refs, r.of = r.refs[1:], r.of[1:]
		if _, ok := c.w.properties(c.session, ref, nil); !ok {
			continue // went away between two pages
		}
		paths, _ := pathsFor(r.sets[i].PropSet, ref)
		c.w.readObject(out, element, c.session, ref, paths)
		n++
	}
	return n
}

// pageResult writes a RetrieveResult, or nothing if it has no objects.
func (c *call) pageResult(method string, r *retrieval, max int) *rawResponse {
	var objects, out bytes.Buffer
	n := c.page(&objects, "objects", r, max)
	token := c.keep(r, max)
	if n > 0 || token != "" {
		out.WriteString("<returnval>")
		if token != "" {
			out.WriteString("<token>" + token + "</token>")
		}
		out.Write(objects.Bytes())
		out.WriteString("</returnval>")
	}
	return &rawResponse{method, out.Bytes()}
}

func retrievePropertiesEx(c *call) (interface{}, *fault) {
	req := c.body.(*types.RetrievePropertiesEx)
	r, f := c.retrieve(req.SpecSet)
	if f != nil {
		return nil, f
	}
	max := c.w.o.page
	if n := int(req.Options.MaxObjects); n > 0 && n < max {
		max = n
	}
	return c.pageResult(c.method, r, max), nil
}

// keep stores what is left under a token that works once.
func (c *call) keep(r *retrieval, max int) string {
	if len(r.refs) == 0 || c.session == nil {
		return ""
	}
	token := fmt.Sprintf("token-%d", c.w.id())
	c.session.tokens[c.this.Value+" "+token] = &pending{r, max}
	return token
}

func (c *call) redeem(token string) *pending {
	key := c.this.Value + " " + token
	p := c.session.tokens[key]
	delete(c.session.tokens, key)
	return p
}

func continueRetrieve(c *call) (interface{}, *fault) {
	p := c.redeem(c.body.(*types.ContinueRetrievePropertiesEx).Token)
	if p == nil {
		return nil, newFault(&types.InvalidArgument{InvalidProperty: "token"})
	}
	return c.pageResult(c.method, p.r, p.max), nil
}

func cancelRetrieve(c *call) (interface{}, *fault) {
	if c.redeem(c.body.(*types.CancelRetrievePropertiesEx).Token) == nil {
		return nil, newFault(&types.InvalidArgument{InvalidProperty: "token"})
	}
	return &types.CancelRetrievePropertiesExResponse{}, nil
}

func retrieveProperties(c *call) (interface{}, *fault) {
	r, f := c.retrieve(c.body.(*types.RetrieveProperties).SpecSet)
	if f != nil {
		return nil, f
	}
	var out bytes.Buffer
	c.page(&out, "returnval", r, len(r.refs)+1)
	return &rawResponse{c.method, out.Bytes()}, nil
}

// pending is a retrieval between two pages.
type pending struct {
	r   *retrieval
	max int
}
