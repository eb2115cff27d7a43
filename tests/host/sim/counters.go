// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import "sync/atomic"

// counters are what tests judge a client's manners by. The first four are
// atomic, the rest is guarded by the world's lock.
type counters struct {
	connections, connected int64
	sent                   int64 // bytes of SOAP answers, uncompressed
	content                int64 // bytes that answers of /folder promised

	soap       map[string]int // calls by method
	http       map[string]int // other requests
	faults     map[string]int // SOAP faults sent, by type
	taskFaults map[string]int // faults that tasks ended with
	creates    map[string]int // snapshots made, by VM/NAME
	logins     int
	logouts    int
	badLogins  int
	restarts   int
	waits      int // calls of WaitForUpdates(Ex) under way
}

// reset forgets what was counted, not what is open.
func (c *counters) reset() {
	atomic.StoreInt64(&c.connections, 0)
	atomic.StoreInt64(&c.sent, 0)
	atomic.StoreInt64(&c.content, 0)
	c.soap = make(map[string]int)
	c.http = make(map[string]int)
	c.faults = make(map[string]int)
	c.taskFaults = make(map[string]int)
	c.creates = make(map[string]int)
	c.logins, c.logouts, c.badLogins, c.restarts = 0, 0, 0, 0
}

func (c *counters) count(in map[string]int, what string) {
	in[what]++
}

// report is the JSON of the counters.
func (w *world) report() map[string]interface{} {
	total := 0
	for _, n := range w.stats.soap {
		total += n
	}
	collectors, filters, views := 0, 0, len(w.views)
	for _, s := range w.sessions {
		collectors += len(s.collectors) - 1
		for _, c := range s.collectors {
			filters += len(c.filters)
		}
	}
	running := 0
	for _, t := range w.tasks {
		if t.ended.IsZero() {
			running++
		}
	}
	return map[string]interface{}{
		"soap": w.stats.soap, "soapTotal": total, "http": w.stats.http,
		"faults": w.stats.faults, "taskFaults": w.stats.taskFaults,
		"creates": w.stats.creates, "bytes": atomic.LoadInt64(&w.stats.sent),
		"content":  atomic.LoadInt64(&w.stats.content),
		"sessions": len(w.sessions), "logins": w.stats.logins,
		"logouts": w.stats.logouts, "badLogins": w.stats.badLogins,
		"restarts": w.stats.restarts, "waits": w.stats.waits,
		"collectors": collectors, "filters": filters, "views": views,
		"tasksRunning": running,
		"connections":  atomic.LoadInt64(&w.stats.connections),
		"connected":    atomic.LoadInt64(&w.stats.connected),
	}
}
