package sim

import (
	"math"
	"strconv"
)

// AppendFloat appends a 32-bit float as Java's Float.toString writes it, which
// is what the app's serializer (Gson) uses: always a decimal point, plain from
// 0.001 up to ten million, else an exponent (1.0E7, 9.0E-4), and -0.0. The
// digits are the fewest that read back as the same float.
func AppendFloat(dst []byte, x float32) []byte { return appendJava(dst, float64(x), 32) }

// AppendDouble appends a 64-bit float as Java's Double.toString writes it.
func AppendDouble(dst []byte, x float64) []byte { return appendJava(dst, x, 64) }

// JavaFloat is AppendFloat as a string.
func JavaFloat(x float32) string { return string(AppendFloat(nil, x)) }

// JavaDouble is AppendDouble as a string.
func JavaDouble(x float64) string { return string(AppendDouble(nil, x)) }

func appendJava(dst []byte, x float64, bits int) []byte {
	if size := math.Abs(x); size == 0 || size >= 1e-3 && size < 1e7 {
		return appendPlain(dst, x, bits)
	}
	return appendScientific(dst, x, bits)
}

func appendPlain(dst []byte, x float64, bits int) []byte {
	start := len(dst)
	dst = strconv.AppendFloat(dst, x, 'f', -1, bits)
	for _, c := range dst[start:] {
		if c == '.' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendScientific rewrites Go's 1.5e+07 as Java's 1.5E7. Java never writes
// fewer than two digits, and of two digits the nearest.
func appendScientific(dst []byte, x float64, bits int) []byte {
	var buf [32]byte
	s := strconv.AppendFloat(buf[:0], x, 'e', -1, bits)
	e := indexByte(s, 'e')
	if indexByte(s, '.') < 0 && e > 0 {
		s = strconv.AppendFloat(buf[:0], x, 'e', 1, bits)
		e = indexByte(s, 'e')
	}
	if e < 0 {
		return append(dst, s...) // NaN and infinities; the app cannot send them
	}
	exponent, _ := strconv.Atoi(string(s[e+1:]))
	dst = append(append(dst, s[:e]...), 'E')
	return strconv.AppendInt(dst, int64(exponent), 10)
}

func indexByte(s []byte, c byte) int {
	for i := range s {
		if s[i] == c {
			return i
		}
	}
	return -1
}

// appendString writes a JSON string with Gson's escapes, which also hide the
// characters that mean something to HTML.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c == '\b':
			dst = append(dst, `\b`...)
		case c == '\f':
			dst = append(dst, `\f`...)
		case c < ' ' || c == '<' || c == '>' || c == '&' || c == '=' || c == '\'':
			dst = append(dst, `\u00`...)
			dst = append(dst, hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
