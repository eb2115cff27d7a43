// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// rule says what to do with which requests.
type rule struct {
	number  int
	method  string // or *
	body    string // that the request must hold
	skip    int    // matches that pass first
	left    int    // negative: for ever
	action  string
	q       url.Values
	hits    int
	hit     chan struct{} // closed at the first hit
	release chan struct{} // closed when what it holds may go
	// From the parameters, checked when the rule is made:
	ms, code, rate, size, count, depth int
	reset                              bool
}

// actions, and whether they look at the host's answer.
var actions = map[string]bool{
	"delay": false, "delay-answer": true, "drop-before": false, "drop-after": true,
	"drop-middle": true, "drop-late": false, "status": false, "status-after": true,
	"fault": false, "blackhole": false, "stall": true, "slow": true, "endless": false,
	"garbage": true, "bomb": false, "snapshots": true, "task": true, "redirect": false, "count": false,
	"header": true,
}

var garbageKinds = map[string]bool{
	"bytes": true, "html": true, "truncated": true, "utf8": true, "control": true,
	"charref": true, "length": true, "empty": true,
}

var bombKinds = map[string]bool{
	"entities": true, "external": true, "deep": true, "wide": true, "text": true, "attributes": true,
}

func numberOf(q url.Values, name string, otherwise int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s=%s is not a number", name, text)
	}
	return n, nil
}

func newRule(q url.Values) (*rule, error) {
	r := &rule{
		method: q.Get("method"), body: q.Get("body"), action: q.Get("action"), q: q,
		hit: make(chan struct{}), release: make(chan struct{}),
	}
	if r.method == "" {
		return nil, errors.New("method is missing; * is any")
	}
	if _, ok := actions[r.action]; !ok {
		return nil, fmt.Errorf("no action %q", r.action)
	}
	for _, n := range []struct {
		name      string
		into      *int
		otherwise int
	}{
		{"skip", &r.skip, 0}, {"times", &r.left, 1}, {"ms", &r.ms, 1000}, {"code", &r.code, 503},
		{"rate", &r.rate, 1000}, {"size", &r.size, 1000000}, {"count", &r.count, 10000}, {"depth", &r.depth, 0},
	} {
		var err error
		if *n.into, err = numberOf(q, n.name, n.otherwise); err != nil {
			return nil, err
		}
	}
	if r.left == 0 {
		r.left = -1
	}
	if r.rate == 0 || r.code < 100 {
		return nil, errors.New("rate starts at 1, code at 100")
	}
	r.reset = q.Get("reset") == "1"
	what := q.Get("what")
	switch {
	case r.action == "garbage" && !garbageKinds[what], r.action == "bomb" && !bombKinds[what]:
		return nil, fmt.Errorf("no %s of the kind %q", r.action, what)
	case r.action == "fault" && q.Get("fault") == "":
		return nil, errors.New("fault is missing")
	case r.action == "redirect" && q.Get("url") == "":
		return nil, errors.New("url is missing")
	case r.action == "header" && q.Get("name") == "":
		return nil, errors.New("name is missing")
	}
	return r, nil
}

// take tells whether the rule is for this request, and counts.
func (r *rule) take(method string, body []byte) bool {
	if r.left == 0 || r.method != "*" && r.method != method ||
		r.body != "" && !strings.Contains(string(body), r.body) {
		return false
	}
	if r.skip > 0 {
		r.skip--
		return false
	}
	if r.left > 0 {
		r.left--
	}
	if r.hits == 0 {
		close(r.hit)
	}
	r.hits++
	return true
}

func (r *rule) delay() time.Duration {
	return time.Duration(r.ms) * time.Millisecond
}

func (r *rule) describe() map[string]interface{} {
	return map[string]interface{}{
		"rule": r.number, "method": r.method, "action": r.action, "hits": r.hits, "left": r.left, "skip": r.skip,
	}
}
