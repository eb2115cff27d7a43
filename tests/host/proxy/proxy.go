// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"../serve"
)

// proxy terminates TLS, so that it sees requests, and opens its own
// connections to the host.
type proxy struct {
	o         *options
	cert      *serve.Certificate
	transport *http.Transport
	addr      string
	control   *http.Server
	base      string
	stopped   chan struct{}

	mu       sync.Mutex // guards what follows
	http     *http.Server
	rules    []*rule
	made     int
	connects *connectRule
	latency  time.Duration
	requests map[string]int
	answers  map[int]int
	opened   int
	open     map[net.Conn]bool
}

// connectRule is for connections before TLS.
type connectRule struct {
	action string // reset, blackhole, garbage
	left   int
}

func startProxy(o *options, cert *serve.Certificate) (*proxy, error) {
	p := &proxy{
		o: o, cert: cert,
		transport: &http.Transport{
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // it is our own simulator
			DisableCompression:  true,
			MaxIdleConnsPerHost: 1024,
		},
		stopped:  make(chan struct{}),
		requests: make(map[string]int),
		answers:  make(map[int]int),
		open:     make(map[net.Conn]bool),
	}
	if err := p.listen(o.listen); err != nil {
		return nil, err
	}
	if err := p.startControl(); err != nil {
		p.down()
		return nil, err
	}
	return p, nil
}

// gate is the listener: it applies orders for whole connections.
type gate struct {
	net.Listener
	p *proxy
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.p.mu.Lock()
		g.p.opened++
		action := ""
		if c := g.p.connects; c != nil && c.left != 0 {
			action = c.action
			if c.left > 0 {
				c.left--
			}
		}
		g.p.mu.Unlock()
		switch action {
		case "reset":
			abort(conn, true)
		case "garbage":
			_, _ = conn.Write([]byte("220 mail.example.com ESMTP\r\n"))
			abort(conn, false)
		case "blackhole":
			go func() { // open and silent until the other side leaves
				_, _ = io.Copy(io.Discard, conn)
				conn.Close()
			}()
		default:
			return tls.Server(conn, &tls.Config{
				Certificates: []tls.Certificate{g.p.cert.Pair},
				MinVersion:   tls.VersionTLS12,
				NextProtos:   []string{"http/1.1"},
			}), nil
		}
	}
}

// abort closes a connection, with RST if reset is wanted.
func abort(conn net.Conn, reset bool) {
	inner := conn
	if t, ok := conn.(*tls.Conn); ok {
		inner = t.NetConn()
	}
	if tcp, ok := inner.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = inner.Close() // no TLS goodbye: that is what a broken connection has
}

func (p *proxy) listen(addr string) error {
	var listener net.Listener
	var err error
	for i := 0; i < 100; i++ {
		if listener, err = net.Listen("tcp", addr); err == nil || p.addr == "" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	p.addr = listener.Addr().String()
	server := &http.Server{
		Handler:   http.HandlerFunc(p.serve),
		ErrorLog:  log.New(io.Discard, "", 0),
		ConnState: p.connState,
	}
	p.mu.Lock()
	p.http = server
	p.mu.Unlock()
	go func() {
		if err := server.Serve(&gate{listener, p}); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("proxy ended: %v", err)
		}
	}()
	return nil
}

func (p *proxy) connState(conn net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch state {
	case http.StateNew:
		p.open[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(p.open, conn)
	}
}

// drop ends all connections, those under way too.
func (p *proxy) drop(reset bool) int {
	p.mu.Lock()
	var all []net.Conn
	for conn := range p.open {
		all = append(all, conn)
	}
	p.mu.Unlock()
	for _, conn := range all {
		abort(conn, reset)
	}
	return len(all)
}

func (p *proxy) down() {
	p.mu.Lock()
	server := p.http
	p.http = nil
	p.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

func (p *proxy) stop() {
	close(p.stopped)
	p.down()
	_ = p.control.Close()
	p.transport.CloseIdleConnections()
}

// methodOf names a request: the SOAP method, folder, versions or other.
func methodOf(r *http.Request, body []byte) string {
	switch {
	case strings.HasPrefix(r.URL.Path, "/folder"):
		return "folder"
	case strings.HasSuffix(r.URL.Path, "/vimServiceVersions.xml"):
		return "versions"
	}
	decoder := xml.NewDecoder(bytes.NewReader(body))
	depth, inBody := 0, false
	for {
		token, err := decoder.Token()
		if err != nil {
			return "other"
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth == 2 {
				inBody = t.Name.Local == "Body"
			}
			if depth == 3 && inBody {
				return t.Name.Local
			}
		case xml.EndElement:
			depth--
		}
	}
}

// exchange is one request under way.
type exchange struct {
	p      *proxy
	rule   *rule // or nil
	out    http.ResponseWriter
	r      *http.Request
	body   []byte
	method string
}

func (p *proxy) serve(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	x := &exchange{p: p, out: out, r: r, body: body, method: methodOf(r, body)}
	p.mu.Lock()
	p.requests[x.method]++
	latency := p.latency / 2
	for _, rule := range p.rules {
		if rule.take(x.method, body) {
			x.rule = rule
			break
		}
	}
	p.mu.Unlock()
	if !x.sleep(latency) {
		return
	}
	if x.rule == nil {
		x.pass(latency)
		return
	}
	x.act()
}

// sleep tells whether the client is still there afterwards.
func (x *exchange) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-x.r.Context().Done():
	case <-x.p.stopped:
	}
	return false
}

// forward sends the request on. Actions that change the answer ask for it
// uncompressed.
func (x *exchange) forward(ctx context.Context, plain bool) (*http.Response, error) {
	scheme := "https"
	if x.p.o.upstreamHTTP {
		scheme = "http"
	}
	target := *x.r.URL
	target.Scheme, target.Host = scheme, x.p.o.upstream
	r, err := http.NewRequestWithContext(ctx, x.r.Method, target.String(), bytes.NewReader(x.body))
	if err != nil {
		return nil, err
	}
	r.Header = x.r.Header.Clone()
	if plain {
		r.Header.Del("Accept-Encoding")
	}
	return x.p.transport.RoundTrip(r)
}

// close ends the client's connection without an answer.
func (x *exchange) close(reset bool) {
	hijacker, ok := x.out.(http.Hijacker)
	if !ok {
		return
	}
	conn, _, err := hijacker.Hijack()
	if err == nil {
		abort(conn, reset)
	}
}

func (x *exchange) counted(status int) {
	x.p.mu.Lock()
	x.p.answers[status]++
	x.p.mu.Unlock()
}

func copyHeader(to, from http.Header) {
	for name, values := range from {
		to[name] = values
	}
}

// pass forwards and answers as if we were not there.
func (x *exchange) pass(latency time.Duration) {
	answer, err := x.forward(x.r.Context(), false)
	if err != nil {
		x.close(true) // what a refused connection would have been
		return
	}
	defer answer.Body.Close()
	if !x.sleep(latency) {
		return
	}
	copyHeader(x.out.Header(), answer.Header)
	x.counted(answer.StatusCode)
	x.out.WriteHeader(answer.StatusCode)
	if _, err = io.Copy(x.out, answer.Body); err != nil {
		x.close(true)
	}
}
