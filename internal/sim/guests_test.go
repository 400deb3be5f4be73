package sim

import (
	"context"
	"fmt"

	"parley/client"
	"parley/dialogue"
)

// guests are people for whom cards are made while things happen at random.
type guests struct {
	invited int
	cards   map[string]string // by name: cards that were not used yet
}

// inviteTo has somebody make a card for a guest, who will use it. It gives no
// name where that is not for that person to do.
func (g *guests) inviteTo(by *Person, side dialogue.SideID) (name string) {
	name = fmt.Sprintf("Guest %d", g.invited)
	card, _, err := by.Client.Invite(context.Background(), by.ID(), client.InviteOptions{Side: side, Name: name})
	if err != nil {
		return ""
	}
	g.invited++
	g.cards[name] = card
	by.W.Person(name)
	return name
}

// useCard has a person who has a card use it.
func (g *guests) useCard(p *Person) {
	if card := g.cards[p.Name]; card != "" {
		if _, _, err := p.Join(context.Background(), card); err == nil {
			delete(g.cards, p.Name)
		}
	}
}

// sendAgain sends again what came back to a person, and gives each error.
func (p *Person) sendAgain() (errs []error) {
	for r := range dialogue.Room(3) {
		for _, m := range p.lines(r) {
			if m.State == client.StateBack {
				if err := p.SendAgain(context.Background(), p.ID(), m.ID, m.Shown); err != nil {
					errs = append(errs, err)
				}
			}
		}
	}
	return errs
}
