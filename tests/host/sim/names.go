// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"strings"
	"unicode/utf8"
)

// The product stores three characters of a name escaped and returns them so;
// what it receives may have any character escaped, but a '%' must be.

const nameLimit = 80

var nameEscaper = strings.NewReplacer("%", "%25", "/", "%2f", "\\", "%5c")

func escapeName(plain string) string {
	return nameEscaper.Replace(plain)
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// unescapeName takes a name from the wire; a '%' that starts no escape makes
// it invalid.
func unescapeName(wire string) (string, bool) {
	var out strings.Builder
	for i := 0; i < len(wire); i++ {
		if wire[i] != '%' {
			out.WriteByte(wire[i])
			continue
		}
		if i+2 >= len(wire) {
			return "", false
		}
		high, ok1 := hexDigit(wire[i+1])
		low, ok2 := hexDigit(wire[i+2])
		if !ok1 || !ok2 {
			return "", false
		}
		out.WriteByte(high<<4 | low)
		i += 2
	}
	return out.String(), true
}

// storedName checks a name from the wire and returns it as it is stored.
func storedName(wire string) (string, bool) {
	plain, ok := unescapeName(wire)
	if !ok || plain == "" || !utf8.ValidString(plain) ||
		utf8.RuneCountInString(plain) > nameLimit {
		return "", false
	}
	return escapeName(plain), true
}
