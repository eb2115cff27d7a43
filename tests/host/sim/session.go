// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

const cookieName = "vmware_soap_session"

// session is one login. Collectors, filters and views are its own and end
// with it.
type session struct {
	cookie     string // with its quotes, which are part of the value
	info       types.UserSession
	used       time.Time
	busy       int // calls under way
	collectors map[moref]*collector
	tokens     map[string]*pending
}

// cookieOf reads the session cookie as it was sent: net/http would take the
// quotes off, and hosts compare with them.
func cookieOf(r *http.Request) string {
	for _, line := range r.Header["Cookie"] {
		for _, part := range strings.Split(line, ";") {
			name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
			if ok && name == cookieName {
				return value
			}
		}
	}
	return ""
}

// sessionOf finds the caller's session and ends it when it was idle too long.
func (w *world) sessionOf(r *http.Request) *session {
	cookie := cookieOf(r)
	s := w.sessions[cookie]
	if s == nil && w.o.looseCookies {
		s = w.sessions[`"`+cookie+`"`]
	}
	if s == nil {
		return nil
	}
	idle := time.Duration(w.o.sessionIdle) * time.Second
	if s.busy == 0 && idle > 0 && time.Since(s.used) > idle {
		w.endSession(s)
		return nil
	}
	s.used = time.Now()
	s.info.LastActiveTime = now()
	s.info.CallCount++
	return s
}

// endSession forgets a session with all that belongs to it. Waits end as the
// next call would: not authenticated.
func (w *world) endSession(s *session) {
	for _, c := range s.collectors {
		c.end(notAuthenticated(c.ref))
	}
	for ref, v := range w.views {
		if v.owner == s {
			delete(w.views, ref)
		}
	}
	delete(w.sessions, s.cookie)
	s.collectors = make(map[moref]*collector)
}

func notAuthenticated(ref moref) *fault {
	return newFault(&types.NotAuthenticated{NoPermission: types.NoPermission{
		Object: ref, PrivilegeId: "System.View"}})
}

// serviceUnavailable makes the server answer HTTP 503 without a body.
type serviceUnavailable struct{ types.RuntimeFault }

func login(c *call) (interface{}, *fault) {
	req := c.body.(*types.Login)
	w := c.w
	if c.session != nil || req.UserName != w.o.user || req.Password != w.o.password {
		w.stats.badLogins++
		return nil, newFault(&types.InvalidLogin{})
	}
	if w.o.maxSessions > 0 && len(w.sessions) >= w.o.maxSessions {
		return nil, &fault{detail: &serviceUnavailable{}}
	}
	locale := req.Locale
	if locale == "" {
		locale = "en_US"
	}
	key := stableUUID(fmt.Sprint("session", w.id(), time.Now()))
	address, _, _ := strings.Cut(c.http.RemoteAddr, ":")
	s := &session{
		cookie: `"` + strings.ReplaceAll(stableUUID("cookie"+key), "-", "") + `"`,
		info: types.UserSession{
			Key: key, UserName: req.UserName, FullName: req.UserName,
			LoginTime: now(), LastActiveTime: now(), Locale: locale,
			MessageLocale: locale, ExtensionSession: types.NewBool(false),
			IpAddress: address, UserAgent: c.http.UserAgent(),
		},
		used:       time.Now(),
		collectors: make(map[moref]*collector),
		tokens:     make(map[string]*pending),
	}
	s.newCollector(w.content.PropertyCollector)
	w.sessions[s.cookie] = s
	w.stats.logins++
	c.setCookie = s.cookie
	return &types.LoginResponse{Returnval: s.info}, nil
}

func logout(c *call) (interface{}, *fault) {
	c.w.endSession(c.session)
	c.w.stats.logouts++
	return &types.LogoutResponse{}, nil
}

func terminateSession(c *call) (interface{}, *fault) {
	for _, key := range c.body.(*types.TerminateSession).SessionId {
		if key == c.session.info.Key {
			return nil, newFault(&types.InvalidArgument{InvalidProperty: "sessionId"})
		}
		if c.w.expire(key) == 0 {
			return nil, newFault(&types.NotFound{})
		}
	}
	return &types.TerminateSessionResponse{}, nil
}

// expire ends the session with a key, or all for "".
func (w *world) expire(key string) int {
	n := 0
	for _, s := range w.sessions {
		if key == "" || s.info.Key == key {
			w.endSession(s)
			n++
		}
	}
	return n
}

func sessionIsActive(c *call) (interface{}, *fault) {
	if c.w.isESX() {
		return nil, newFault(&types.NotImplemented{})
	}
	req := c.body.(*types.SessionIsActive)
	out := &types.SessionIsActiveResponse{}
	for _, s := range c.w.sessions {
		if s.info.Key == req.SessionID && s.info.UserName == req.UserName {
			out.Returnval = true
		}
	}
	return out, nil
}

// sessionManager is the object as the caller sees it.
func (w *world) sessionManager(s *session) *mo.SessionManager {
	out := &mo.SessionManager{}
	if inner := object[mo.SessionManager](*w.content.SessionManager); inner != nil {
		out.MessageLocaleList = inner.MessageLocaleList
		out.SupportedLocaleList = inner.SupportedLocaleList
	}
	out.DefaultLocale = "en"
	if s == nil {
		return out
	}
	info := s.info
	out.CurrentSession = &info
	for _, each := range w.sessions {
		out.SessionList = append(out.SessionList, each.info)
	}
	return out
}

func currentTime(c *call) (interface{}, *fault) {
	return &types.CurrentTimeResponse{Returnval: now()}, nil
}

func serviceContent(c *call) (interface{}, *fault) {
	content := c.w.content
	if olderThan(c.version, "4.0") {
		content.OvfManager, content.DvSwitchManager = nil, nil
	}
	return &types.RetrieveServiceContentResponse{Returnval: content}, nil
}

func hasPrivilegeOnEntities(c *call) (interface{}, *fault) {
	req := c.body.(*types.HasPrivilegeOnEntities)
	out := &types.HasPrivilegeOnEntitiesResponse{}
	for _, entity := range req.Entity {
		if _, ok := c.w.properties(c.session, entity, nil); !ok {
			return nil, newFault(&types.ManagedObjectNotFound{Obj: entity})
		}
		one := types.EntityPrivilege{Entity: entity}
		for _, id := range req.PrivId {
			one.PrivAvailability = append(one.PrivAvailability,
				types.PrivilegeAvailability{PrivId: id, IsGranted: !c.w.set.deny[id]})
		}
		out.Returnval = append(out.Returnval, one)
	}
	return out, nil
}

func hasPrivilegeOnEntity(c *call) (interface{}, *fault) {
	req := c.body.(*types.HasPrivilegeOnEntity)
	if simulator.Map.Get(req.Entity) == nil {
		return nil, newFault(&types.ManagedObjectNotFound{Obj: req.Entity})
	}
	out := &types.HasPrivilegeOnEntityResponse{}
	for _, id := range req.PrivId {
		out.Returnval = append(out.Returnval, !c.w.set.deny[id])
	}
	return out, nil
}
