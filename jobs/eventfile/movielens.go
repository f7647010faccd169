package eventfile

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/anabranch/anabranch/schemas/event"
)

// RatingType is the type of the events that a rating becomes; the event's value is the rating.
const RatingType = "rating"

// movielens recognises one file of MovieLens 100K (Harper and Konstan, ACM TiiS 5(4), 2015) by its
// usual name or its first line.
type movielens struct {
	file      string
	looksLike func(line string) bool
}

// genres are the flags of u.item, in the order of u.genre.
var genres = [...]string{
	"unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
	"Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
}

// movieFields are the fields of u.item before the genres: id, title, release date, video date, URL.
const movieFields = 5

func isRating(line string) bool {
	f := strings.Split(line, "\t")
	return len(f) == 4 && digits(f[0]) && digits(f[1]) && digits(f[2]) && digits(f[3])
}

func isMovie(line string) bool {
	f := strings.Split(line, "|")
	return len(f) == movieFields+len(genres) && digits(f[0])
}

func isPerson(line string) bool {
	f := strings.Split(line, "|")
	return len(f) == 5 && digits(f[0]) && digits(f[1])
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// parseRating reads user, item, rating and Unix seconds, separated by tabs.
func parseRating(line []byte) (event.Event, *event.Rejection) {
	f := strings.Split(string(line), "\t")
	if len(f) != 4 {
		return event.Event{}, fieldCount(len(f), "4 fields are required: user, item, rating and Unix seconds, separated by tabs")
	}
	value, err := strconv.ParseFloat(f[2], 64)
	if err != nil {
		return event.Event{}, refuse(event.ReasonMalformed, "rating", f[2], "a number is required")
	}
	const most = 1 << 40 // seconds; keeps milliseconds from overflowing
	seconds, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil || seconds < 0 || seconds > most {
		return event.Event{}, refuse(event.ReasonTime, "timestamp", f[3], "Unix seconds are required")
	}
	e := event.Event{UserID: f[0], ItemID: f[1], Type: RatingType, Value: &value, Time: event.Millis(seconds * 1000)}
	return e, checkEvent(&e)
}

// parsePerson reads id, age, gender, occupation and zip code, separated by bars.
func parsePerson(line []byte) (event.User, *event.Rejection) {
	f := strings.Split(latin1(line), "|")
	if len(f) != 5 {
		return event.User{}, fieldCount(len(f), "5 fields are required: id, age, gender, occupation and zip code, separated by |")
	}
	age, err := strconv.ParseFloat(f[1], 64)
	if err != nil {
		return event.User{}, refuse(event.ReasonMalformed, "age", f[1], "a number is required")
	}
	u := event.User{ID: f[0], Attributes: map[string]any{"age": age, "gender": f[2], "occupation": f[3], "zip": f[4]}}
	return u, u.Check()
}

// parseMovie reads id, title, release date, video release date, URL and 19 flags, separated by bars.
func parseMovie(line []byte) (event.Item, *event.Rejection) {
	f := strings.Split(latin1(line), "|")
	if len(f) != movieFields+len(genres) {
		return event.Item{}, fieldCount(len(f), "24 fields are required: id, title, release date, video release date, URL and 19 genre flags, separated by |")
	}
	i := event.Item{ID: f[0], Attributes: map[string]any{"title": f[1]}}
	var tags []any
	for g, flag := range f[movieFields:] {
		switch flag {
		case "1":
			tags = append(tags, genres[g])
		case "0":
		default:
			return event.Item{}, refuse(event.ReasonRange, genres[g], flag, "0 or 1 is required")
		}
	}
	if len(tags) > 1 && tags[0] == genres[0] {
		tags = tags[1:] // "unknown" beside a genre says nothing
	}
	if len(tags) > 0 {
		i.Attributes["tags"], i.Attributes["category"] = tags, tags[0]
	}
	if date := f[2]; len(date) >= 4 {
		year, err := strconv.ParseFloat(date[len(date)-4:], 64)
		if err != nil {
			return event.Item{}, refuse(event.ReasonMalformed, "release date", date, "a date such as 01-Jan-1995 is required")
		}
		i.Attributes["release_year"] = year
	}
	return i, i.Check()
}

func fieldCount(n int, accepted string) *event.Rejection {
	return refuse(event.ReasonMalformed, "row", strconv.Itoa(n)+" fields", accepted)
}

// latin1 converts the files' ISO 8859-1; copies that somebody has converted already stay as they are.
func latin1(line []byte) string {
	if utf8.Valid(line) {
		return string(line)
	}
	var b strings.Builder
	for _, c := range line {
		b.WriteRune(rune(c))
	}
	return b.String()
}
