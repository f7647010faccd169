package shop

import (
	"math"
	"math/rand/v2"
	"sort"
)

// Streams of random numbers. Each part draws from its own, so that a change in one part leaves the
// others as they were.
const (
	streamCategories = iota + 1
	streamItems
	streamUsers
	streamHistory
	streamArrivals
	streamLive
	streamLiveArrivals
	streamSellOut
	streamHot
)

// dims is the dimension of the latent space.
const dims = 8

// vec is a point of the latent space.
type vec [dims]float64

// dot returns the inner product. The conversions keep a compiler from fusing multiply and add,
// which would round differently on another processor.
func (a *vec) dot(b *vec) float64 {
	var sum float64
	for i := range a {
		sum += float64(a[i] * b[i])
	}
	return sum
}

// towards returns the unit vector of (1-w)·a + w·b.
func (a *vec) towards(b *vec, w float64) vec {
	var out vec
	for i := range a {
		out[i] = float64((1-w)*a[i]) + float64(w*b[i])
	}
	return out.unit()
}

func (a *vec) unit() vec {
	n := math.Sqrt(a.dot(a))
	if n == 0 {
		return *a
	}
	var out vec
	for i := range a {
		out[i] = a[i] / n
	}
	return out
}

// around returns a unit vector near a unit vector: spread is the noise's length beside it.
func around(r *rand.Rand, centre *vec, spread float64) vec {
	var out vec
	for i := range out {
		out[i] = centre[i] + float64(spread*r.NormFloat64())/math.Sqrt(dims)
	}
	return out.unit()
}

// hash mixes its arguments into 64 bits (SplitMix64's finalizer over a running sum).
func hash(parts ...uint64) uint64 {
	var h uint64
	for _, p := range parts {
		h = mix(h + 0x9e3779b97f4a7c15 + p)
	}
	return h
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// newRand returns the generator of one stream; index tells apart its members.
func newRand(seed, stream, index uint64) *rand.Rand {
	return rand.New(rand.NewPCG(hash(seed, stream, index), hash(index, stream, seed)))
}

// pick returns an index with probability proportional to the weights whose running sums are given.
func pick(r *rand.Rand, cumulative []float64) int {
	last := len(cumulative) - 1
	x := r.Float64() * cumulative[last]
	return min(last, sort.Search(last, func(i int) bool { return cumulative[i] > x }))
}

// pickWeights returns an index with probability proportional to its weight.
func pickWeights(r *rand.Rand, weights []float64) int {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	x := r.Float64() * sum
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// gamma draws from the gamma distribution of the given shape and scale 1 (Marsaglia and Tsang,
// ACM TOMS 26, 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	boost := 1.0
	if shape < 1 {
		boost = math.Pow(1-r.Float64(), 1/shape)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + float64(c*x)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := 1 - r.Float64(); math.Log(u) < float64(x*x)/2+d-float64(d*v)+float64(d*math.Log(v)) {
			return d * v * boost
		}
	}
}

// dirichlet fills mix with a draw from the Dirichlet distribution of the given parameters.
func dirichlet(r *rand.Rand, parameters, mix []float64) {
	var sum float64
	for i, a := range parameters {
		mix[i] = gamma(r, a) + 1e-12
		sum += mix[i]
	}
	for i := range mix {
		mix[i] /= sum
	}
}
