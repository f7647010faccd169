// Package quality is the gates of a night: what is measured of the rows that a night takes in and of the generation
// that it makes, what is demanded of both, and the report of what was found.
//
//	gates, err := quality.Parse(file)
//	profile, err := quality.Scan(ctx, rowset, gates) // measures, and looks at every row
//	before, err := quality.Before(ctx, bucket, label, quality.Input, gates.Nights())
//	profile.Drift(quality.Profiles(before))
//	verdicts := gates.Judge(quality.Input, profile.Metrics, quality.Numbers(before), profile.Findings)
//	err = quality.Store(ctx, bucket, report) // api.Gate where one blocks
//
// # Gates
//
// A gate says one thing of one of three kinds, and what follows when it does not hold: block ends the night before
// anything is computed or published, warn is told in log and report.
//
//   - rows: something that holds for each row, but for a rate that is tolerated. The report names some of the rows for
//     which it does not, by object and offset.
//   - metric: bounds of a number, absolute or as a multiple of its median over the nights before. Where there is none,
//     the multiple holds.
//   - expr: a condition in CEL over all numbers, which are the map m.
//
// # Numbers
//
// Of the input: rows, accepted, rejected, reject_rate, users, items, age_hours (from the newest record to the label; imports do not count), and of
// the columns value, price, category and session_id null_rate.X; of value and price min.X, max.X and mean.X. psi.X of type,
// value, price and hour is the population stability index between the rows of this night and those of the nights
// before: Σ (p − q) ln(p / q) over buckets, with half a row added to each; above .25 is commonly called a shift. It is 0 where
// there is no night before. Of the output: what evaluation measures, and the counts of the generation.
package quality
