package client

import "parley/dialogue"

// LastWord is the word that a reader does not read aloud, as this vault has it.
// It stands in for ears: simulations and rehearsals call it, faces never do.
func (c *Client) LastWord(id ID, reader dialogue.SeatID) (string, error) {
	m, err := c.member(id)
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	v, _ := m.latest(reader)
	m.mu.Unlock()
	if v == nil {
		return "", ErrNoReading
	}
	words, err := m.wordsOf(v.ID)
	if err != nil {
		return "", err
	}
	return words[len(words)-1], nil
}
