package simd

// Dot returns Σ x[i]·y[i]. y must be at least as long as x; only its first len(x) entries are read.
func Dot(x, y []float32) float32 {
	y = y[:len(x)]
	var s0, s1, s2, s3 float32
	for len(x) >= 4 && len(y) >= 4 {
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
		x, y = x[4:], y[4:]
	}
	s := (s0 + s1) + (s2 + s3)
	for i := range x {
		s += float32(x[i] * y[i])
	}
	return s
}

// Axpy adds alpha·x to y, entry by entry. y must be at least as long as x.
func Axpy(alpha float32, x, y []float32) {
	y = y[:len(x)]
	for len(x) >= 4 && len(y) >= 4 {
		y[0] += float32(alpha * x[0])
		y[1] += float32(alpha * x[1])
		y[2] += float32(alpha * x[2])
		y[3] += float32(alpha * x[3])
		x, y = x[4:], y[4:]
	}
	for i := range x {
		y[i] += float32(alpha * x[i])
	}
}

// ScaleTo writes alpha·x to dst, entry by entry. dst must be at least as long as x; they may be the same slice.
func ScaleTo(dst []float32, alpha float32, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = alpha * v
	}
}

// ScoreRows writes to dst[r] the inner product of q (length d) with row r of rows, for the first len(dst) rows.
func ScoreRows(dst, rows []float32, d int, q []float32) {
	q = q[:d]
	rows = rows[:len(dst)*d]
	for r := range dst {
		dst[r] = Dot(q, rows[r*d:r*d+d])
	}
}
