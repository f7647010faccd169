// Package nightly runs the steps from the raw archive to a published generation, for one mark:
//
//	input gate → materialize → train → evaluate → output gate → publish
//
// Open finds out what the run is about: the files of the archive up to the mark, the snapshot of
// catalog and profiles (taken once, then kept) and the parameters. Their hash is the generation's id. Do
// runs all steps; each can be called alone, as the commands of the same name do.
//
// # Repeating
//
// Every step is a function of the run's inputs, so it may run any number of times and be killed at any
// moment: files are put where none are, and where some are they have to be the same. A step leaves a
// ledger entry (runs/<label>/<step>.json) when it is done, and is skipped as long as the entry is of
// the same inputs and its outputs are there. Force computes again, which must give the same bytes.
//
// # Gates
//
// The gates on input and output are the installation's own (batch/quality). Whatever they are, these end the run with
// api.Gate before anything is published: no valid event at all, a model that is not finite or recommends nothing.
package nightly
