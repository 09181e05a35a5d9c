package carstats

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

const (
	maxDepth  = 100_000 // a bit each
	maxString = 4 << 10 // a longer string is skipped, not kept
	maxNumber = 64      // a longer number is skipped, not kept
)

// syntaxError says where a body stops being JSON.
type syntaxError struct {
	offset int64
	why    string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("not JSON at byte %d: %s", e.offset, e.why)
}

// scalar is one JSON value without its insides.
type scalar struct {
	kind kind
	num  float64
	text string // of a string; valid until kept by the caller
}

type kind uint8

const (
	null kind = iota
	number
	boolean // num is 0 or 1
	text
	unusable  // a number or string beyond what a car can mean
	container // an object or array, skipped
)

// scanner reads one JSON document from a stream without ever holding more of
// it than a buffer: a body may be 64 MiB, and so may a single string in it.
// It accepts what RFC 8259 calls JSON, and nothing else.
type scanner struct {
	r      io.Reader
	buf    []byte
	pos    int    // next byte in buf
	end    int    // bytes in buf
	offset int64  // of buf[0] in the document
	err    error  // of r, sticky
	tmp    []byte // the string or number being read

	recording bool   // keep the bytes read, up to maxRaw
	from      int    // first byte in buf that is not in record yet
	record    []byte // the bytes read since recording began
	nested    []uint64
}

func newScanner(r io.Reader, buf []byte) *scanner {
	return &scanner{r: r, buf: buf, tmp: make([]byte, 0, 64)}
}

// at is the offset of the next byte.
func (s *scanner) at() int64 { return s.offset + int64(s.pos) }

func (s *scanner) wrong(format string, args ...any) error {
	return &syntaxError{offset: s.at(), why: fmt.Sprintf(format, args...)}
}

// more reads on; false means the document ended or broke off.
func (s *scanner) more() bool {
	if s.err != nil {
		return false
	}
	s.keepRead()
	s.offset += int64(s.end)
	s.pos, s.end, s.from = 0, 0, 0
	for tries := 0; s.end == 0 && s.err == nil; tries++ {
		s.end, s.err = s.r.Read(s.buf)
		if tries > 100 && s.err == nil && s.end == 0 {
			s.err = io.ErrNoProgress
		}
	}
	return s.end > 0
}

// startRecording keeps what is read from here on, until recorded.
func (s *scanner) startRecording() { s.recording, s.from = true, s.pos }

// keepRead adds what was read of buf to the record.
func (s *scanner) keepRead() {
	if s.recording && len(s.record) <= maxRaw {
		s.record = append(s.record, s.buf[s.from:s.pos]...)
	}
	s.from = s.pos
}

// recorded ends a recording and returns its bytes, none if they were too many.
func (s *scanner) recorded() []byte {
	s.keepRead()
	record := s.record
	s.recording, s.record = false, s.record[:0]
	if len(record) > maxRaw {
		return nil
	}
	return record
}

// ended is the error for a document that stops too early: the reader's own, if
// it has one to tell.
func (s *scanner) ended() error {
	if s.err == nil || errors.Is(s.err, io.EOF) {
		return s.wrong("the body ends too early")
	}
	return s.err
}

// peek returns the next byte without taking it.
func (s *scanner) peek() (byte, error) {
	if s.pos == s.end && !s.more() {
		return 0, s.ended()
	}
	return s.buf[s.pos], nil
}

// token skips white space and returns the next byte without taking it.
func (s *scanner) token() (byte, error) {
	for {
		c, err := s.peek()
		if err != nil || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, err
		}
		s.pos++
	}
}

// expect takes the next token, which must be c.
func (s *scanner) expect(c byte) error {
	got, err := s.token()
	if err != nil {
		return err
	}
	if got != c {
		return s.wrong("%q where %q should be", got, c)
	}
	s.pos++
	return nil
}

// finish makes sure that nothing but white space follows.
func (s *scanner) finish() error {
	for {
		c, err := s.peek()
		switch {
		case err != nil && errors.Is(s.err, io.EOF):
			return nil
		case err != nil:
			return err
		case c != ' ' && c != '\n' && c != '\t' && c != '\r':
			return s.wrong("more after the end of the JSON document")
		}
		s.pos++
	}
}

// object reads an object. member must take each value, by value, object, array
// or skip; key is only valid until then.
func (s *scanner) object(member func(key []byte) error) error {
	return s.list('{', '}', func() error {
		if err := s.key(); err != nil {
			return err
		}
		return member(s.tmp)
	})
}

// array reads an array. item must take each value.
func (s *scanner) array(item func() error) error { return s.list('[', ']', item) }

func (s *scanner) list(open, closing byte, item func() error) error {
	if err := s.expect(open); err != nil {
		return err
	}
	if c, err := s.token(); err != nil {
		return err
	} else if c == closing {
		s.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		c, err := s.token()
		if err != nil {
			return err
		}
		if c != ',' && c != closing {
			return s.wrong("%q where ',' or %q should be", c, closing)
		}
		s.pos++
		if c == closing {
			return nil
		}
	}
}

// value reads any value. Objects and arrays are skipped.
func (s *scanner) value() (scalar, error) {
	c, err := s.token()
	if err != nil {
		return scalar{}, err
	}
	switch {
	case c == '"':
		fits, err := s.quoted()
		if err != nil || !fits {
			return scalar{kind: unusable}, err
		}
		return scalar{kind: text, text: string(s.tmp)}, nil
	case c == '{' || c == '[':
		return scalar{kind: container}, s.skip()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return scalar{kind: boolean, num: 1}, s.literal("true")
	case c == 'f':
		return scalar{kind: boolean}, s.literal("false")
	case c == 'n':
		return scalar{kind: null}, s.literal("null")
	}
	return scalar{}, s.wrong("%q where a value should be", c)
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		c, err := s.peek()
		if err != nil {
			return err
		}
		if c != word[i] {
			return s.wrong("%q in a word that should be %q", c, word)
		}
		s.pos++
	}
	return nil
}

// skip reads a value of any size and depth and forgets it. It does not call
// itself: ten thousand brackets are no reason for ten thousand frames.
func (s *scanner) skip() error {
	s.nested = s.nested[:0]
	depth := 0
	for {
		c, err := s.token()
		if err != nil {
			return err
		}
		if c == '{' || c == '[' {
			if depth == maxDepth {
				return s.wrong("nested more than %d deep", maxDepth)
			}
			s.push(depth, c == '{')
			depth++
			s.pos++
			empty, err := s.first(c == '{')
			if err != nil {
				return err
			}
			if !empty {
				continue
			}
			depth--
		} else if _, err := s.value(); err != nil {
			return err
		}
		for done := false; !done; {
			if depth == 0 {
				return nil
			}
			if done, err = s.next(s.isObject(depth - 1)); err != nil {
				return err
			}
			if !done {
				depth--
			}
		}
	}
}

func (s *scanner) push(depth int, object bool) {
	if depth/64 == len(s.nested) {
		s.nested = append(s.nested, 0)
	}
	s.nested[depth/64] &^= 1 << (depth % 64)
	if object {
		s.nested[depth/64] |= 1 << (depth % 64)
	}
}

func (s *scanner) isObject(depth int) bool { return s.nested[depth/64]>>(depth%64)&1 == 1 }

// first is called behind an opening bracket: it takes the closing one of an
// empty container, or an object's first key.
func (s *scanner) first(object bool) (empty bool, err error) {
	c, err := s.token()
	if err != nil {
		return false, err
	}
	if object && c == '}' || !object && c == ']' {
		s.pos++
		return true, nil
	}
	if object {
		return false, s.key()
	}
	return false, nil
}

// next is called behind an element: it takes the comma (and an object's next
// key), or the closing bracket, for which it returns false.
func (s *scanner) next(object bool) (another bool, err error) {
	c, err := s.token()
	if err != nil {
		return false, err
	}
	closing := byte(']')
	if object {
		closing = '}'
	}
	switch {
	case c == closing:
		s.pos++
		return false, nil
	case c != ',':
		return false, s.wrong("%q where ',' or %q should be", c, closing)
	}
	s.pos++
	if object {
		return true, s.key()
	}
	return true, nil
}

// key reads an object's key into tmp, and the colon.
func (s *scanner) key() error {
	if c, err := s.token(); err != nil {
		return err
	} else if c != '"' {
		return s.wrong("%q where a key should be", c)
	}
	if _, err := s.quoted(); err != nil {
		return err
	}
	return s.expect(':')
}

// number reads a number. One that float64 cannot hold is unusable.
func (s *scanner) number() (scalar, error) {
	s.tmp = s.tmp[:0]
	s.accept('-')
	if !s.accept('0') {
		if err := s.digits(); err != nil {
			return scalar{}, err
		}
	}
	if s.accept('.') {
		if err := s.digits(); err != nil {
			return scalar{}, err
		}
	}
	if s.accept('e') || s.accept('E') {
		_ = s.accept('+') || s.accept('-')
		if err := s.digits(); err != nil {
			return scalar{}, err
		}
	}
	if len(s.tmp) > maxNumber {
		return scalar{kind: unusable}, nil
	}
	x, err := strconv.ParseFloat(string(s.tmp), 64)
	if err != nil || math.IsInf(x, 0) {
		return scalar{kind: unusable}, nil
	}
	return scalar{kind: number, num: x}, nil
}

// accept takes the next byte of a number if it is c.
func (s *scanner) accept(c byte) bool {
	got, err := s.peek()
	if err != nil || got != c {
		return false
	}
	s.keep(c)
	s.pos++
	return true
}

func (s *scanner) digits() error {
	for n := 0; ; n++ {
		c, err := s.peek()
		if err != nil && (n == 0 || !errors.Is(s.err, io.EOF)) {
			return err
		}
		if err != nil || c < '0' || c > '9' {
			if n == 0 {
				return s.wrong("%q where a digit should be", c)
			}
			return nil
		}
		s.keep(c)
		s.pos++
	}
}

// keep adds to tmp, up to one byte more than anything usable has.
func (s *scanner) keep(c byte) {
	if len(s.tmp) <= maxString {
		s.tmp = append(s.tmp, c)
	}
}
