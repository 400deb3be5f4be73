//go:build race

package mls

func init() { raceDetector = true }
