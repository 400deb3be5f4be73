package mls

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// inParallel calls f(0) … f(n-1) on all processors and gives the error of the
// lowest i that failed, so that it does not depend on timing.
func inParallel(n int, f func(i int) error) error {
	workers := min(runtime.GOMAXPROCS(0), (n+3)/4) // a few calls are not worth a goroutine
	if workers <= 1 {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		next   atomic.Int64
		wg     sync.WaitGroup
		errs   = make([]error, n)
		failed atomic.Bool
	)
	for range workers {
		wg.Go(func() {
			for !failed.Load() {
				// What is taken is run: all below the first failure are.
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[i] = f(i); errs[i] != nil {
					failed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
