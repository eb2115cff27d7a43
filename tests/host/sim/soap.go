// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"
)

type moref = types.ManagedObjectReference

// fault is what a method or a task ends with instead of a result.
type fault struct {
	detail  types.BaseMethodFault
	message string
}

// faultMessages are sentences as hosts write them, for the faults users meet.
var faultMessages = map[string]string{
	"ApplicationQuiesceFault":         "An error occurred while quiescing the virtual machine. See the virtual machine's event log for details.",
	"DuplicateName":                   "The name already exists.",
	"InvalidArgument":                 "A specified parameter was not correct.",
	"InvalidCollectorVersion":         "The specified version of the property collector is not valid.",
	"InvalidLogin":                    "Cannot complete login due to an incorrect user name or password.",
	"InvalidName":                     "The name is not valid.",
	"InvalidPowerState":               "The attempted operation cannot be performed in the current state.",
	"InvalidState":                    "The operation is not allowed in the current state.",
	"ManagedObjectNotFound":           "The object has already been deleted or has not been completely created",
	"MultipleSnapshotsNotSupported":   "Multiple snapshots are not supported on this host.",
	"NoPermission":                    "Permission to perform this operation was denied.",
	"NotAuthenticated":                "The session is not authenticated.",
	"NotFound":                        "The object or item referred to could not be found.",
	"NotSupported":                    "The operation is not supported on the object.",
	"RequestCanceled":                 "The task was canceled by a user.",
	"RestrictedVersion":               "Current license or ESXi version prohibits execution of the requested operation.",
	"SnapshotNoChange":                "The virtual machine has not changed since the last snapshot.",
	"TaskInProgress":                  "The operation is not allowed in the current state: another task is already in progress.",
	"TooManySnapshotLevels":           "Too many levels of snapshots.",
	"FileAlreadyExists":               "Cannot complete the operation because the file or folder already exists",
	"FileNotFound":                    "File was not found",
	"InvalidProperty":                 "A specified property is not valid.",
	"VmConfigFault":                   "Virtual machine configuration is invalid.",
	"MemorySnapshotOnIndependentDisk": "A memory snapshot of a virtual machine with independent disks is not possible.",
}

func newFault(detail types.BaseMethodFault) *fault {
	name := reflect.TypeOf(detail).Elem().Name()
	text := faultMessages[name]
	if text == "" {
		text = "The host reports " + name + "."
	}
	return &fault{detail: detail, message: text}
}

func (f *fault) name() string {
	return reflect.TypeOf(f.detail).Elem().Name()
}

func (f *fault) localized() *types.LocalizedMethodFault {
	return &types.LocalizedMethodFault{Fault: f.detail, LocalizedMessage: f.message}
}

// parseMoref reads "Type:value".
func parseMoref(text string) (moref, bool) {
	kind, value, ok := strings.Cut(text, ":")
	return moref{Type: kind, Value: value}, ok && kind != "" && value != ""
}

// setField puts text into a field of a fault, by the name it has in XML.
func setField(object reflect.Value, name, text string) error {
	kind := object.Type()
	for i := 0; i < kind.NumField(); i++ {
		field := object.Field(i)
		if kind.Field(i).Anonymous {
			if err := setField(field, name, text); err == nil {
				return nil
			}
			continue
		}
		tag, _, _ := strings.Cut(kind.Field(i).Tag.Get("xml"), ",")
		if tag != name {
			continue
		}
		return setValue(field, name, text)
	}
	return fmt.Errorf("no field %q in %s", name, kind.Name())
}

func setValue(field reflect.Value, name, text string) error {
	switch field.Interface().(type) {
	case moref, *moref:
		ref, ok := parseMoref(text)
		if !ok {
			return fmt.Errorf("%s is not TYPE:VALUE", text)
		}
		if field.Kind() == reflect.Ptr {
			field.Set(reflect.ValueOf(&ref))
		} else {
			field.Set(reflect.ValueOf(ref))
		}
		return nil
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil {
			return err
		}
		field.SetInt(n)
	case reflect.Bool:
		field.SetBool(text == "true" || text == "1")
	default:
		return fmt.Errorf("field %q cannot be set from text", name)
	}
	return nil
}

// faultByName makes any fault of the API from its type name.
func faultByName(name, message string, fields map[string]string) (*fault, error) {
	kind, ok := types.TypeFunc()(name)
	if !ok {
		return nil, fmt.Errorf("no type %q in the API", name)
	}
	value := reflect.New(kind)
	detail, ok := value.Interface().(types.BaseMethodFault)
	if !ok {
		return nil, fmt.Errorf("%s is not a fault", name)
	}
	for key, text := range fields {
		if err := setField(value.Elem(), key, text); err != nil {
			return nil, err
		}
	}
	f := newFault(detail)
	if message != "" {
		f.message = message
	}
	return f, nil
}

// request is one decoded call.
type request struct {
	method  string
	this    moref
	opID    string
	body    types.AnyType // *types.METHOD
	present map[string]bool
}

// children tells which arguments were on the wire: an empty element is a
// value, an absent one is none, and the decoded struct shows both alike.
func children(data []byte) (map[string]bool, error) {
	seen := make(map[string]bool)
	decoder := xml.NewDecoder(bytes.NewReader(data))
	depth, inBody := 0, false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return seen, nil
		}
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			if depth == 2 {
				inBody = t.Name.Local == "Body"
			}
			if depth == 4 && inBody {
				seen[t.Name.Local] = true
			}
		case xml.EndElement:
			depth--
		}
	}
}

func decodeRequest(data []byte) (*request, error) {
	method, err := simulator.UnmarshalBody(types.TypeFunc(), data)
	if err != nil {
		return nil, err
	}
	present, err := children(data)
	if err != nil {
		return nil, err
	}
	return &request{
		method:  method.Name,
		this:    method.This,
		opID:    method.Header.ID,
		body:    method.Body,
		present: present,
	}, nil
}

type envelope struct {
	XMLName xml.Name    `xml:"soapenv:Envelope"`
	Enc     string      `xml:"xmlns:soapenc,attr"`
	Env     string      `xml:"xmlns:soapenv,attr"`
	XSD     string      `xml:"xmlns:xsd,attr"`
	XSI     string      `xml:"xmlns:xsi,attr"`
	Body    interface{} `xml:"soapenv:Body"`
}

// result is an answer's body: METHODResponse in the API's namespace.
type result struct {
	value interface{} // *types.METHODResponse
}

func (r *result) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	inner := xml.StartElement{Name: xml.Name{
		Space: "urn:vim25",
		Local: reflect.TypeOf(r.value).Elem().Name(),
	}}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if err := e.EncodeElement(r.value, inner); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}

type faultDetail struct {
	detail types.BaseMethodFault
}

func (d *faultDetail) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	name := reflect.TypeOf(d.detail).Elem().Name()
	start.Name.Local = name + "Fault"
	start.Attr = append(start.Attr,
		xml.Attr{Name: xml.Name{Local: "xmlns"}, Value: "urn:vim25"},
		xml.Attr{Name: xml.Name{Local: "xsi:type"}, Value: name})
	return e.EncodeElement(d.detail, start)
}

type faultBody struct {
	Fault struct {
		Code   string `xml:"faultcode"`
		String string `xml:"faultstring"`
		Detail struct {
			Fault *faultDetail
		} `xml:"detail"`
	} `xml:"soapenv:Fault"`
}

// encodeAnswer renders a result, or a fault where there is one.
func encodeAnswer(value interface{}, f *fault) ([]byte, error) {
	if raw, ok := value.(*rawResponse); ok && f == nil {
		return raw.envelope(), nil
	}
	env := &envelope{
		Enc: "http://schemas.xmlsoap.org/soap/encoding/",
		Env: "http://schemas.xmlsoap.org/soap/envelope/",
		XSD: "http://www.w3.org/2001/XMLSchema",
		XSI: "http://www.w3.org/2001/XMLSchema-instance",
	}
	if f != nil {
		body := &faultBody{}
		body.Fault.Code = "ServerFaultCode"
		body.Fault.String = f.message
		body.Fault.Detail.Fault = &faultDetail{f.detail}
		env.Body = body
	} else {
		env.Body = &result{value}
	}
	var out bytes.Buffer
	out.WriteString(xml.Header)
	encoder := xml.NewEncoder(&out)
	if err := encoder.Encode(env); err != nil {
		return nil, err
	}
	if err := encoder.Flush(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// now is the host's clock as it goes over the wire: microseconds, UTC.
func now() time.Time {
	return time.Now().UTC().Truncate(time.Microsecond)
}
