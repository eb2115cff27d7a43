// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"../serve"
)

// server is the listener of a host. A restart closes it with all connections
// and opens it again on the same port.
type server struct {
	w        *world
	cert     *serve.Certificate
	addr     string
	http     *http.Server
	control  *http.Server
	base     string       // the control endpoint's URL
	starting atomic.Value // bool: listens, but the service is not up yet
	mu       sync.Mutex   // guards http during restarts
}

func newListenURL() *url.URL {
	return &url.URL{User: url.UserPassword("inner", "inner")}
}

func startServer(o *options, cert *serve.Certificate) (*server, error) {
	w, err := newWorld(o)
	if err != nil {
		return nil, err
	}
	s := &server{w: w, cert: cert}
	s.starting.Store(false)
	if err = s.listen(o.listen); err == nil {
		err = s.startControl()
	}
	if err != nil {
		w.stop()
		return nil, err
	}
	return s, nil
}

func (s *server) address() string {
	return s.addr
}

func (s *server) stop() {
	s.mu.Lock()
	_ = s.http.Close()
	s.mu.Unlock()
	_ = s.control.Close()
	s.w.stop()
}

// connState counts connections.
func (s *server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		atomic.AddInt64(&s.w.stats.connections, 1)
		atomic.AddInt64(&s.w.stats.connected, 1)
	case http.StateClosed, http.StateHijacked:
		atomic.AddInt64(&s.w.stats.connected, -1)
	}
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/sdk", s.w.serveSDK)
	mux.HandleFunc("/sdk/", s.w.serveSDK)
	mux.HandleFunc("/sdk/vimServiceVersions.xml", s.w.serviceVersions)
	mux.HandleFunc("/folder", s.w.serveFolder)
	mux.HandleFunc("/folder/", s.w.serveFolder)
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if s.starting.Load().(bool) {
			out.Header().Set("Content-Type", "text/html")
			out.WriteHeader(http.StatusServiceUnavailable)
			_, _ = out.Write(unavailable.body)
			return
		}
		mux.ServeHTTP(out, r)
	})
}

// listen opens the port; addr may have port 0 the first time only.
func (s *server) listen(addr string) error {
	var listener net.Listener
	var err error
	for i := 0; i < 100; i++ { // a port just closed may need a moment
		if listener, err = net.Listen("tcp", addr); err == nil || s.addr == "" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	s.addr = listener.Addr().String()
	if !s.w.o.noTLS {
		listener = tls.NewListener(listener, &tls.Config{
			Certificates: []tls.Certificate{s.cert.Pair},
			MinVersion:   tls.VersionTLS12,
			NextProtos:   []string{"http/1.1"},
		})
	}
	server := &http.Server{
		Handler:   s.handler(),
		ConnState: s.connState,
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	s.mu.Lock()
	s.http = server
	s.mu.Unlock()
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("server ended: %v", err)
		}
	}()
	return nil
}

// restart is what a management agent's restart looks like from outside.
// tasks: keep lets running ones go on, forget makes them unknown while their
// work still happens, fail ends them.
func (s *server) restart(down, starting time.Duration, tasks string) error {
	s.mu.Lock()
	_ = s.http.Close()
	s.mu.Unlock()
	s.w.mu.Lock()
	s.w.expire("")
	for _, t := range s.w.tasks {
		switch {
		case tasks == "forget":
			s.w.forget(t)
		case tasks == "fail" && t.ended.IsZero():
			select {
			case <-t.canceled:
			default:
				close(t.canceled)
			}
		}
	}
	s.w.stats.restarts++
	s.w.mu.Unlock()
	time.Sleep(down)
	s.starting.Store(starting > 0)
	if err := s.listen(s.addr); err != nil {
		return err
	}
	time.Sleep(starting)
	s.starting.Store(false)
	return nil
}
