// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

// The answers that carry properties are written by hand around values that
// govmomi's encoder makes. What VMs show to everybody is kept encoded until it
// changes: a benchmark of a client is to measure the client.

// encoded is a property's value as <val …>…</val>; empty: unset.
type encoded []byte

// rawResponse is an answer's body that needs no encoder.
type rawResponse struct {
	method string
	inner  []byte
}

func encodeValue(value interface{}) (encoded, error) {
	if value == nil {
		return encoded{}, nil
	}
	type wrapper struct {
		XMLName xml.Name      `xml:"w"`
		Val     types.AnyType `xml:"val,typeattr"`
	}
	text, err := xml.Marshal(&wrapper{Val: value})
	if err != nil {
		return nil, err
	}
	return encoded(bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("<w>")), []byte("</w>"))), nil
}

// kept tells which properties stay encoded: those whose every change is
// reported and that look the same to all sessions.
func kept(path string) bool {
	first, _, _ := strings.Cut(path, ".")
	switch first {
	case "name", "parent", "parentVApp", "snapshot", "config", "runtime", "layoutEx":
		return true
	}
	switch path {
	case "summary.config.vmPathName", "summary.config.guestId", "summary.config.numCpu",
		"summary.config.memorySizeMB": // set for good
		return true
	}
	return false
}

// forgetValues drops what a change made untrue.
func (v *vm) forgetValues(changed string) {
	for path := range v.values {
		if path == changed || strings.HasPrefix(path, changed+".") || strings.HasPrefix(changed, path+".") {
			delete(v.values, path)
		}
	}
}

// encodedAt is the value at a path of an object whose properties are given.
func (w *world) encodedAt(ref moref, value reflect.Value, path string) encoded {
	v := w.vms[ref]
	if v != nil && kept(path) {
		if text, ok := v.values[path]; ok {
			return text
		}
	}
	text, err := encodeValue(valueAt(value, path))
	if err != nil {
		return encoded{}
	}
	if v != nil && kept(path) {
		if v.values == nil {
			v.values = make(map[string]encoded)
		}
		v.values[path] = text
	}
	return text
}

func escape(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}

func writeRef(out *bytes.Buffer, element string, ref moref) {
	fmt.Fprintf(out, `<%s type="%s">%s</%s>`, element, escape(ref.Type), escape(ref.Value), element)
}

// writeLost writes the properties that are withheld.
func writeLost(out *bytes.Buffer, lost []types.MissingProperty) {
	for i := range lost {
		text, err := xml.Marshal(&struct {
			XMLName xml.Name               `xml:"w"`
			Missing *types.MissingProperty `xml:"missingSet"`
		}{Missing: &lost[i]})
		if err == nil {
			out.Write(bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("<w>")), []byte("</w>")))
		}
	}
}

// readObject writes the wanted properties of an object as an ObjectContent.
func (w *world) readObject(out *bytes.Buffer, element string, s *session, ref moref, paths []string) {
	fmt.Fprintf(out, "<%s>", element)
	writeRef(out, "obj", ref)
	value, _ := w.properties(s, ref, paths)
	seen := make(map[string]bool, len(paths))
	var lost []types.MissingProperty
	for _, path := range paths {
		if seen[path] {
			continue
		}
		seen[path] = true
		if f := w.withheld(s, ref, path); f != nil {
			lost = append(lost, types.MissingProperty{Path: path, Fault: *f.localized()})
		} else if val := w.encodedAt(ref, value, path); len(val) > 0 {
			fmt.Fprintf(out, "<propSet><name>%s</name>", escape(path))
			out.Write(val)
			out.WriteString("</propSet>")
		}
	}
	writeLost(out, lost)
	fmt.Fprintf(out, "</%s>", element)
}

// writeUpdate writes one object's line of an update set; false: there is
// nothing left to say.
func (c *collector) writeUpdate(out *bytes.Buffer, w *world, u update) bool {
	paths, _ := pathsFor(u.filter.spec.PropSet, u.ref)
	value, ok := w.properties(c.s, u.ref, paths)
	if !ok && u.kind != types.ObjectUpdateKindLeave {
		return false
	}
	fmt.Fprintf(out, "<objectSet><kind>%s</kind>", u.kind)
	writeRef(out, "obj", u.ref)
	if u.kind == types.ObjectUpdateKindLeave {
		paths = nil
	}
	seen := make(map[string]bool)
	var lost []types.MissingProperty
	for _, path := range paths {
		if seen[path] || u.paths != nil && !u.paths[path] {
			continue
		}
		seen[path] = true
		if f := w.withheld(c.s, u.ref, path); f != nil {
			lost = append(lost, types.MissingProperty{Path: path, Fault: *f.localized()})
			continue
		}
		val := w.encodedAt(u.ref, value, path)
		if len(val) == 0 && u.kind == types.ObjectUpdateKindEnter {
			continue // never set, no news
		}
		fmt.Fprintf(out, "<changeSet><name>%s</name><op>assign</op>", escape(path))
		out.Write(val)
		out.WriteString("</changeSet>")
	}
	writeLost(out, lost)
	out.WriteString("</objectSet>")
	return true
}

// updateSet is an answer of a wait, ready to be sent.
type updateSet struct {
	inner     []byte // the filter sets
	version   string
	truncated bool
}

func (u *updateSet) write(method string) *rawResponse {
	var out bytes.Buffer
	if u != nil {
		fmt.Fprintf(&out, "<returnval><version>%s</version>", u.version)
		out.Write(u.inner)
		if u.truncated {
			out.WriteString("<truncated>true</truncated>")
		}
		out.WriteString("</returnval>")
	}
	return &rawResponse{method, out.Bytes()}
}

func (r *rawResponse) envelope() []byte {
	var out bytes.Buffer
	out.Grow(len(r.inner) + 512)
	out.WriteString(xml.Header + `<soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" ` +
		`xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" ` +
		`xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>`)
	fmt.Fprintf(&out, `<%sResponse xmlns="urn:vim25">`, r.method)
	out.Write(r.inner)
	fmt.Fprintf(&out, "</%sResponse></soapenv:Body></soapenv:Envelope>", r.method)
	return out.Bytes()
}
