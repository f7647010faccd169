package expr

import (
	"cmp"
	"math"
	"math/bits"
	"strings"
)

// order compares two values of the type: negative, 0 or positive.
func order(x, y scalar, t Type) int {
	switch t {
	case Double:
		return cmp.Compare(x.f, y.f)
	case Text:
		return strings.Compare(x.s, y.s)
	}
	return cmp.Compare(x.i, y.i)
}

// holds reports whether a comparison is true of an order.
func holds(op Op, order int) bool {
	switch op {
	case Equal:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	case LessEq:
		return order <= 0
	case Greater:
		return order > 0
	}
	return order >= 0
}

// ints computes on ints; what overflows, or divides by zero, is null.
func ints(op Op, x, y int64) scalar {
	switch op {
	case Add:
		sum := x + y
		return scalar{known: (x^sum)&(y^sum) >= 0, i: sum}
	case Sub:
		d := x - y
		return scalar{known: (x^y)&(x^d) >= 0, i: d}
	case Mul:
		return product(x, y)
	}
	if y == 0 || x == math.MinInt64 && y == -1 {
		return scalar{}
	}
	if op == Div {
		return whole(x / y)
	}
	return whole(x % y)
}

func product(x, y int64) scalar {
	high, low := bits.Mul64(size(x), size(y))
	limit, p := uint64(math.MaxInt64), int64(low)
	if (x < 0) != (y < 0) {
		limit, p = 1<<63, -p
	}
	return scalar{known: high == 0 && low <= limit, i: p}
}

// size is |x|, also of the least int64.
func size(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}
