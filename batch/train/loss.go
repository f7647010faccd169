package train

import "github.com/anabranch/anabranch/infra/simd"

// loss returns the objective of the current vectors, after a full epoch. Its cost is one inner product an observation;
// the sum over all pairs is the trace of a product of Gram matrices. It is summed in row order on one goroutine: the
// same bytes for any number of threads. The outer conversions keep products from being fused with the sum.
func (t *trainer) loss() float64 {
	p, d := t.p, t.p.Dim
	var fit float64
	for r := range t.users.Rows {
		cols, vals := t.users.Row(r)
		user := t.model.Users[r*d : r*d+d]
		for k, c := range cols {
			miss := float64(simd.Dot(user, t.model.Items[int(c)*d:int(c)*d+d])) - 1
			fit += float64(float64(vals[k]) * miss * miss)
		}
	}
	return fit + p.Alpha0*t.userGram.Trace(t.itemGram) + penalty(p, t.users, t.model.Users) + penalty(p, t.items, t.model.Items)
}

// penalty returns the regularisation term of one side.
func penalty(p Params, m CSR, vectors []float32) float64 {
	var sum float64
	for r := range m.Rows {
		v := vectors[r*p.Dim : r*p.Dim+p.Dim]
		n := int(m.Ptr[r+1] - m.Ptr[r])
		sum += float64(p.Row().Regularization(n, m.Cols) * float64(simd.Dot(v, v)))
	}
	return sum
}
