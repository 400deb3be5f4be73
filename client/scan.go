package client

import (
	"errors"
	"iter"

	"parley/vault"
)

// scanOptions bound a scan: From is inclusive going up and exclusive going
// down; Limit 0 is no limit.
type scanOptions struct {
	From    []byte
	Limit   int
	Reverse bool
}

type pair struct{ Key, Value []byte }

var errStop = errors.New("stop")

// has tells whether a key is there.
func has(sp *vault.Space, key []byte) (bool, error) {
	_, err := sp.Get(key)
	if errors.Is(err, vault.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// scan goes through the keys that begin with prefix.
func scan(sp *vault.Space, prefix []byte, o scanOptions) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		err := sp.Scan(prefix, o.From, o.Limit, o.Reverse, func(k, v []byte) error {
			if !yield(pair{k, v}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(pair{}, err)
		}
	}
}
