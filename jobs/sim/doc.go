// Package sim plays histories of the whole system on a virtual clock and compares every answer with the
// naive oracle (schemas/tile/oracle).
package sim
