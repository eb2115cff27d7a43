// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"../serve"
)

var orders map[string]func(*proxy, url.Values) (interface{}, error)

func init() {
	orders = map[string]func(*proxy, url.Values) (interface{}, error){
		"rule": orderRule, "rules": orderRules, "clear": orderClear, "wait": orderWait,
		"connect": orderConnect, "counters": orderCounters, "drop": orderDrop,
		"down": orderDown, "up": orderUp, "latency": orderLatency,
	}
}

func (p *proxy) startControl() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.base = "http://" + listener.Addr().String()
	p.control = &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		order := orders[strings.Trim(r.URL.Path, "/")]
		if order == nil {
			serve.Reply(out, nil, fmt.Errorf("unknown order %q", r.URL.Path))
			return
		}
		value, err := order(p, r.URL.Query())
		serve.Reply(out, value, err)
	})}
	go func() {
		if err := p.control.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("control ended: %v", err)
		}
	}()
	return nil
}

func orderRule(p *proxy, q url.Values) (interface{}, error) {
	r, err := newRule(q)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	r.number = p.made
	p.rules = append(p.rules, r)
	return map[string]int{"rule": r.number}, nil
}

func orderRules(p *proxy, _ url.Values) (interface{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []map[string]interface{}{}
	for _, r := range p.rules {
		list = append(list, r.describe())
	}
	return list, nil
}

// orderClear drops all rules and lets go of what they hold.
func orderClear(p *proxy, _ url.Values) (interface{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rules {
		close(r.release)
	}
	p.rules, p.connects, p.latency = nil, nil, 0
	return struct{}{}, nil
}

// orderWait returns when a rule was hit.
func orderWait(p *proxy, q url.Values) (interface{}, error) {
	number, err := numberOf(q, "rule", 0)
	if err != nil {
		return nil, err
	}
	ms, err := numberOf(q, "ms", 10000)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	var found *rule
	for _, r := range p.rules {
		if r.number == number {
			found = r
		}
	}
	p.mu.Unlock()
	if found == nil {
		return nil, fmt.Errorf("no rule %d", number)
	}
	timer := time.NewTimer(time.Duration(ms) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-found.hit:
		return struct{}{}, nil
	case <-timer.C:
		return nil, errors.New("not hit")
	case <-p.stopped:
		return nil, errors.New("the proxy ends")
	}
}

func orderConnect(p *proxy, q url.Values) (interface{}, error) {
	c := &connectRule{action: q.Get("action")}
	if c.action != "reset" && c.action != "blackhole" && c.action != "garbage" {
		return nil, errors.New("action is reset, blackhole or garbage")
	}
	var err error
	if c.left, err = numberOf(q, "times", 1); err != nil {
		return nil, err
	}
	if c.left == 0 {
		c.left = -1
	}
	p.mu.Lock()
	p.connects = c
	p.mu.Unlock()
	return struct{}{}, nil
}

func orderCounters(p *proxy, q url.Values) (interface{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0
	requests, answers := make(map[string]int), make(map[int]int)
	for method, n := range p.requests {
		requests[method] = n
		total += n
	}
	for status, n := range p.answers {
		answers[status] = n
	}
	report := map[string]interface{}{
		"requests": requests, "total": total, "answers": answers,
		"connections": p.opened, "connected": len(p.open),
	}
	if q.Get("reset") == "1" {
		p.requests, p.answers, p.opened = make(map[string]int), make(map[int]int), 0
	}
	return report, nil
}

func orderDrop(p *proxy, q url.Values) (interface{}, error) {
	return map[string]int{"dropped": p.drop(q.Get("reset") == "1")}, nil
}

func orderDown(p *proxy, _ url.Values) (interface{}, error) {
	p.down()
	return struct{}{}, nil
}

func orderUp(p *proxy, _ url.Values) (interface{}, error) {
	p.mu.Lock()
	running := p.http != nil
	p.mu.Unlock()
	if running {
		return struct{}{}, nil
	}
	return struct{}{}, p.listen(p.addr)
}

func orderLatency(p *proxy, q url.Values) (interface{}, error) {
	ms, err := numberOf(q, "ms", 0)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.latency = time.Duration(ms) * time.Millisecond
	p.mu.Unlock()
	return struct{}{}, nil
}
