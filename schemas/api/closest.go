package api

// Closest returns the name that takes the fewest single-byte edits to reach, and how many: for
// messages that say "did you mean". It returns "" when there are no names.
func Closest(name string, known []string) (best string, edits int) {
	const most = 64 // of a name from outside, so that the comparison stays short
	name = name[:min(len(name), most)]
	for i, k := range known {
		if d := distance(name, k); i == 0 || d < edits {
			best, edits = k, d
		}
	}
	return best, edits
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
