package sim

import "math/rand/v2"

// Generate returns the history of a seed: some days, each a mixture of traffic, trouble and questions, at
// the end of most of them a night; at last everything settles.
func Generate(seed uint64) History {
	g := generator{Rand: rand.New(rand.NewPCG(seed, 0x686973)), h: History{Seed: seed}}
	g.trouble = g.IntN(3) // some histories are quiet, so that the plain way is walked far
	for range g.pick(0, 0, 1, 2, 3) {
		g.add("import", g.Int64N(3))
	}
	for range 2 + g.IntN(3) {
		for range 8 + g.IntN(24) {
			g.step()
		}
		if !g.one(4) {
			g.closeDay()
		}
	}
	g.add("settle")
	return g.h
}

// generator draws steps.
type generator struct {
	*rand.Rand
	h       History
	trouble int // 0 none to 2 much
}

func (g *generator) add(verb string, args ...int64) {
	g.h.Ops = append(g.h.Ops, Op{verb, args})
}

// one reports true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) pick(values ...int64) int64 { return values[g.IntN(len(values))] }

// seed returns a seed that is short to read.
func (g *generator) seed() int64 { return g.Int64N(100_000) }

// step draws a step of a day.
func (g *generator) step() {
	switch n := g.IntN(100); {
	case n < 40:
		for range 1 + g.IntN(4) {
			g.add("event", g.seed(), g.Int64N(users), g.pick(0, 0, 0, 0, 1, 2, 3))
		}
	case n < 62:
		g.own()
	case n < 69:
		g.add("archive", g.Int64N(2), g.Int64N(3), g.pick(1, 5, 20, 400), g.ifTrouble(g.pick(0, 0, 1, 2, 3, 4)))
	case n < 74:
		g.add("wait", g.pick(g.Int64N(minute), g.Int64N(hour), g.Int64N(day)))
	case n < 86:
		g.question()
	case n < 88:
		g.add("refresh", g.Int64N(2))
	case n < 92:
		g.oddity()
	case n < 95:
		g.decision()
	default:
		if g.trouble > 0 {
			g.accident()
		}
	}
}

func (g *generator) ifTrouble(n int64) int64 {
	if g.trouble == 0 {
		return 0
	}
	return n
}

func (g *generator) own() {
	all := g.one(3)
	for p := range int64(3) {
		if all || g.one(3) {
			g.add("own", g.Int64N(3), g.Int64N(2), p, g.pick(1, 3, 10, 400), g.ifTrouble(g.pick(0, 0, 0, 1, 2, 3, 4, 5)), g.pick(0, 0, 1))
		}
	}
	if g.one(6) {
		g.add("verify", g.Int64N(3), g.Int64N(2), g.Int64N(3))
	}
}

func (g *generator) question() {
	if g.one(8) {
		g.add("asof", g.Int64N(3), g.Int64N(20), g.pick(0, g.Int64N(day), g.Int64N(10*day)))
		return
	}
	g.add("read", g.Int64N(2), g.pick(0, 0, 1, 2), g.Int64N(20), g.pick(0, 0, g.Int64N(50*minute), -g.Int64N(hour), -g.Int64N(8*day)))
}

// oddity draws something rare in the log.
func (g *generator) oddity() {
	switch g.IntN(6) {
	case 0:
		g.add("garbage", g.seed())
	case 1:
		g.add("header", g.seed())
	case 2:
		g.add("control", g.Int64N(3))
	case 3:
		g.add("logtime", g.pick(0, 0, -g.Int64N(hour), -g.Int64N(10*day), g.Int64N(3*day)))
	case 4:
		g.add("import", g.Int64N(3))
	default:
		if g.one(4) { // many records
			g.add("far", g.seed(), g.Int64N(users), g.pick(127, 128, 128, 129, 129))
		}
	}
}

// decision draws what operators do by day.
func (g *generator) decision() {
	switch g.IntN(5) {
	case 0:
		g.add("define", g.Int64N(3))
	case 1, 2:
		g.add("rollback", g.pick(0, 1, 2), g.ifTrouble(g.pick(0, 0, 1, 2)))
	case 3:
		g.add("retain")
	default:
		g.mark()
	}
}

// accident draws trouble with Redis.
func (g *generator) accident() {
	switch g.IntN(6) {
	case 0, 1:
		g.add("lose", 1+g.Int64N(6))
	case 2:
		if g.trouble > 1 {
			g.add("torn", 1+g.Int64N(3))
		}
	case 3:
		if g.trouble > 1 {
			g.add("flush")
		}
	case 4:
		g.add("redis", 1)
	default:
		g.add("redis", 0)
	}
}

// mark draws a mark, now and then a half-written one.
func (g *generator) mark() {
	g.add("mark", g.pick(0, 0, 0, -g.Int64N(hour), g.Int64N(hour)), g.pick(7, 7, 1, 2, 4, 6, 0))
}

// closeDay draws what happens around midnight: the archive and live state need not have got there.
func (g *generator) closeDay() {
	g.mark()
	for range g.IntN(4) {
		g.step()
	}
	if !g.one(4) {
		g.add("finish")
	}
	if !g.one(5) {
		for p := range int64(3) {
			g.add("archive", g.Int64N(2), p, 400, g.ifTrouble(g.pick(0, 0, 0, 0, 0, 2, 3)))
		}
	}
	if g.one(2) {
		for p := range int64(3) {
			g.add("own", g.Int64N(3), g.Int64N(2), p, 400, 0, 0)
		}
	}
	g.add("night", g.Int64N(4), g.pick(0, 0, 1), g.ifTrouble(g.pick(0, 0, 0, 1+g.Int64N(20))))
	if g.one(8) {
		g.add("night", g.Int64N(4), 1, 0)
	}
	for server := range int64(2) {
		if !g.one(3) {
			g.add("refresh", server)
			g.question()
		}
	}
}
