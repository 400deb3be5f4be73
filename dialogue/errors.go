package dialogue

import "errors"

// What can be wrong with a name.
var (
	ErrNameBlank  = errors.New("a name is missing, or has a blank at its beginning or end")
	ErrNameLong   = errors.New("the name is too long")
	ErrNameHidden = errors.New("the name has a character in it that can't be seen, or that can't be part of a name")
)
