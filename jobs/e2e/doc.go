// Package e2e holds the end-to-end tests: they start the product as a process of its own, through the
// command line and nothing else, talk to it over HTTP, kill it, and afterwards compare every answer
// with a naive recount of what was acknowledged.
//
//	kill_test.go                 dev under SIGKILL; nothing acknowledged is lost or counted twice
//	resume_test.go               Ctrl-C and a second start
//	movielens_test.go            import, nightly and recommendations over MovieLens-100K
//	real_integration_test.go     the same against Apache Kafka, redis-server and an S3 server
//	takeover_integration_test.go how soon a killed stream process is back at work
//	console_integration_test.go  the console in a headless Chromium
//
// The last three need the build tag integration and `make integration`. The others are hermetic;
// MovieLens wants ANABRANCH_TESTDATA. The process is the test binary itself, started again with a
// variable that makes TestMain hand over to package jobs (process_test.go).
package e2e
