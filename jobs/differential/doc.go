// Package differential holds the test that joins the layers over random definitions and logs: what the
// stream engine (stream/live) keeps of a log, joined with what the columnar engine (batch/materialize) made
// of its archive at every cut, is what the naive oracle says. Each engine alone is compared with it where it
// lives, with the same cases; what is around them, and faults, is played in jobs/sim.
package differential
