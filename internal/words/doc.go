// Package words holds every string that people read, as data, and puts them
// into a person's language.
//
// Call For with a language first; it always gives a usable *Words. T looks a
// sentence up by its name and fills in what stands in braces; where an
// argument is called "n", its plural form is chosen by it. Day, Time, Bytes,
// Number and List write dates, sizes and lists as the language does. Rules,
// Refusal, Notice, Alarm and Problem put into sentences what the other
// packages say in numbers.
//
// A language is one JSON file here, from the names of sentences to their
// texts. A text is a string, or an object from plural category (zero, one,
// two, few, many, other) to string. The tests hold all files to the same
// names, and the product to using each.
//
// The made-up language "qps-rtl" is English written from right to left in
// brackets: pages that bear it will bear Arabic. It is never offered unless
// asked for.
package words
