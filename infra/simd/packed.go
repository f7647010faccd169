package simd

import "math"

// PackedLen returns the length of a packed symmetric or triangular d×d matrix, d(d+1)/2.
func PackedLen(d int) int { return d * (d + 1) / 2 }

// Syr adds alpha·x·xᵀ to the packed symmetric matrix a of order len(x): a rank-1 update.
func Syr(a []float32, alpha float32, x []float32) {
	a = a[:PackedLen(len(x))]
	off := 0
	for i, v := range x {
		Axpy(float32(alpha*v), x[:i+1], a[off:off+i+1])
		off += i + 1
	}
}

// Syrk adds PᵀP to the packed symmetric matrix a of order d, where panel holds the rows of P. Rows are taken four at
// a time, so that each entry of a is loaded and stored once for four products.
func Syrk(a, panel []float32, d int) {
	a = a[:PackedLen(d)]
	for len(panel) >= 4*d && d > 0 {
		syrk4(a, panel[:d], panel[d:2*d], panel[2*d:3*d], panel[3*d:4*d])
		panel = panel[4*d:]
	}
	for len(panel) >= d && d > 0 {
		Syr(a, 1, panel[:d])
		panel = panel[d:]
	}
}

// syrk4 adds four outer products. It walks two rows of a at a time: they share the loads of p, q, r and s.
func syrk4(a, p, q, r, s []float32) {
	d := len(p)
	q, r, s = q[:d], r[:d], s[:d]
	i, off := 0, 0
	for ; i+1 < d; i += 2 {
		p0, q0, r0, s0 := p[i], q[i], r[i], s[i]
		p1, q1, r1, s1 := p[i+1], q[i+1], r[i+1], s[i+1]
		row0 := a[off : off+i+1]
		row1 := a[off+i+1 : off+2*i+2][:len(row0)]
		pi, qi, ri, si := p[:len(row0)], q[:len(row0)], r[:len(row0)], s[:len(row0)]
		for j := range row0 {
			pj, qj, rj, sj := pi[j], qi[j], ri[j], si[j]
			row0[j] += (float32(p0*pj) + float32(q0*qj)) + (float32(r0*rj) + float32(s0*sj))
			row1[j] += (float32(p1*pj) + float32(q1*qj)) + (float32(r1*rj) + float32(s1*sj))
		}
		off += 2*i + 3
		a[off-1] += (float32(p1*p1) + float32(q1*q1)) + (float32(r1*r1) + float32(s1*s1))
	}
	if i < d {
		p0, q0, r0, s0 := p[i], q[i], r[i], s[i]
		row := a[off : off+i+1]
		for j := range row {
			row[j] += (float32(p0*p[j]) + float32(q0*q[j])) + (float32(r0*r[j]) + float32(s0*s[j]))
		}
	}
}

// Cholesky replaces the packed symmetric matrix a of order d by its lower factor L with L·Lᵀ = a. It returns −1, or
// the index of the first pivot that is not a positive finite number; a is then partly overwritten.
func Cholesky(a []float32, d int) int {
	a = a[:PackedLen(d)]
	rowI := 0
	for i := range d {
		li := a[rowI : rowI+i+1]
		rowJ := 0
		for j := range i {
			lj := a[rowJ : rowJ+j+1]
			li[j] = (li[j] - Dot(lj[:j], li)) / lj[j]
			rowJ += j + 1
		}
		pivot := li[i] - Dot(li[:i], li)
		if !(pivot > 0) || pivot > math.MaxFloat32 {
			return i
		}
		li[i] = float32(math.Sqrt(float64(pivot)))
		rowI += i + 1
	}
	return -1
}

// SolveLower solves L·y = b in place of b, for a packed lower factor l of order len(b).
func SolveLower(l, b []float32) {
	off := 0
	for i := range b {
		row := l[off : off+i+1]
		b[i] = (b[i] - Dot(row[:i], b)) / row[i]
		off += i + 1
	}
}

// SolveUpper solves Lᵀ·x = b in place of b, for a packed lower factor l of order len(b).
func SolveUpper(l, b []float32) {
	off := PackedLen(len(b))
	for i := len(b) - 1; i >= 0; i-- {
		off -= i + 1
		row := l[off : off+i+1]
		b[i] /= row[i]
		Axpy(-b[i], row[:i], b)
	}
}
