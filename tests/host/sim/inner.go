// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
)

// innerService is govmomi's own dispatcher: methods that we do not replace go
// to it as they came, in a session of its own.
type innerService struct {
	service *simulator.Service
	cookie  *http.Cookie
}

const innerLogin = `<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>` +
	`<Login xmlns="urn:vim25"><_this type="SessionManager">%s</_this>` +
	`<userName>inner</userName><password>inner</password></Login></Body></Envelope>`

func newInnerService(service *simulator.Service) (*innerService, error) {
	service.RegisterSDK(simulator.Map)
	service.Listen = nil
	inner := &innerService{service: service}
	service.Listen = newListenURL()
	answer := inner.call([]byte(fmt.Sprintf(innerLogin,
		simulator.Map.SessionManager().Self.Value)))
	for _, cookie := range answer.Result().Cookies() {
		inner.cookie = cookie
	}
	if inner.cookie == nil {
		return nil, errors.New("govmomi's simulator gives no session: " + answer.Body.String())
	}
	return inner, nil
}

// call hands a request to the simulator and returns its whole answer.
func (s *innerService) call(body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, vim25.Path, bytes.NewReader(body))
	if s.cookie != nil {
		r.AddCookie(s.cookie)
	}
	answer := httptest.NewRecorder()
	s.service.ServeSDK(answer, r)
	return answer
}
