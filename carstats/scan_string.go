package carstats

import (
	"unicode/utf16"
	"unicode/utf8"
)

// quoted reads a string into tmp. fits is false if it was longer than
// maxString and therefore not kept.
func (s *scanner) quoted() (fits bool, err error) {
	s.tmp = s.tmp[:0]
	s.pos++
	for {
		if s.pos == s.end && !s.more() {
			return false, s.ended()
		}
		i := s.pos
		for i < s.end && s.buf[i] != '"' && s.buf[i] != '\\' && s.buf[i] >= ' ' {
			i++
		}
		if room := maxString + 1 - len(s.tmp); room > 0 {
			s.tmp = append(s.tmp, s.buf[s.pos:min(i, s.pos+room)]...)
		}
		s.pos = i
		if i == s.end {
			continue
		}
		switch c := s.buf[i]; c {
		case '"':
			s.pos++
			return len(s.tmp) <= maxString, nil
		case '\\':
			s.pos++
			if err := s.escape(); err != nil {
				return false, err
			}
		default:
			return false, s.wrong("a control character (%d) in a string", c)
		}
	}
}

var escapes = map[byte]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (s *scanner) escape() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c == 'u' {
		s.pos++
		return s.unicode()
	}
	plain, ok := escapes[c]
	if !ok {
		return s.wrong("%q behind a backslash", c)
	}
	s.keep(plain)
	s.pos++
	return nil
}

// unicode reads the four digits of \uXXXX, and those of a second half.
func (s *scanner) unicode() error {
	r, err := s.hex()
	if err != nil {
		return err
	}
	for utf16.IsSurrogate(r) {
		if !s.drop('\\') {
			r = utf8.RuneError
			break
		}
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c != 'u' {
			s.rune(utf8.RuneError)
			return s.escape()
		}
		s.pos++
		low, err := s.hex()
		if err != nil {
			return err
		}
		if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
			r = both
			break
		}
		s.rune(utf8.RuneError)
		r = low
	}
	s.rune(r)
	return nil
}

// drop takes the next byte of a string if it is c, without keeping it.
func (s *scanner) drop(c byte) bool {
	got, err := s.peek()
	if err != nil || got != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) rune(r rune) {
	if len(s.tmp) <= maxString {
		s.tmp = utf8.AppendRune(s.tmp, r)
	}
}

func (s *scanner) hex() (rune, error) {
	var r rune
	for range 4 {
		c, err := s.peek()
		if err != nil {
			return 0, err
		}
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, s.wrong("%q where a hexadecimal digit should be", c)
		}
		s.pos++
	}
	return r, nil
}
