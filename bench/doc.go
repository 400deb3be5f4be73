// Package bench measures the whole product: what no single package can. Its
// benchmarks print the figures of docs/performance.md.
//
//	go test ./bench -run xxx -bench Latency -benchtime 2000x
//	go test ./bench -run xxx -bench Open
package bench
