// Package eventpb is the generated code of event.proto (`make generate`): for Go producers, and the
// judge of the decoder written by hand in package event, which Anabranch itself uses.
package eventpb
