package mutants

// played is what the simulation of rogues catches, under one strategy in one role.
func played(strategy, as string) catcher {
	return catcher{"internal/sim", "^TestRogues$/^" + strategy + "$/^" + as + "$"}
}

// ofSimulation are rules whose absence the properties catch that every schedule
// with a rogue is held against: one or more of each property.
var ofSimulation = []mutant{
	{"§3 what is said in a side room is kept by all its readers", "client/fold.go",
		"r := record{ID: n.Event, Text: b.Text,", "if n.Room != 0 && n.By != m.acct.Me {\n\t\treturn nil\n\t}\n\tr := record{ID: n.Event, Text: b.Text,", played("nonsense", "head")},
	{"§3 long texts are kept by all readers", "client/fold.go",
		"r := record{ID: n.Event, Text: b.Text,", "if len(b.Text) > 2000 && n.By != m.acct.Me {\n\t\treturn nil\n\t}\n\tr := record{ID: n.Event, Text: b.Text,", played("no chores", "head")},
	{"§3 a message is shown in its own room", "client/fold.go",
		"r := record{ID: n.Event, Text: b.Text,", "n.Room = 0\n\tr := record{ID: n.Event, Text: b.Text,", played("nonsense", "head")},
	{"§4 nobody speaks as another", "mls/open.go",
		"if !a.verify(g.suite, leaf.signatureKey, g.encodedContext) {\n\t\treturn nil, nil,", "if false {\n\t\treturn nil, nil,", played("others' generations", "head")},
	{"§4 nor where the relay lies with it", "mls/open.go",
		"if !a.verify(g.suite, leaf.signatureKey, g.encodedContext) {\n\t\treturn nil, nil,", "if false {\n\t\treturn nil, nil,", catcher{"internal/sim", "^TestCollusion$/^others' generations$/^head$"}},
	{"§3 one seat's contradiction stops nobody", "client/doubt.go",
		"len(x.Against) < enoughToStop", "len(x.Against) < 1", played("false headers", "head")},
	{"§3 a verdict reads no clock of its reader", "client/fold.go",
		"next, notes := dialogue.Apply(m.state, e)", "if e.Event != nil {\n\t\tlater := *e.Event\n\t\tlater.Time += uint64(m.acct.Me[0] & 1)\n\t\te.Event = &later\n\t}\n\tnext, notes := dialogue.Apply(m.state, e)", played("nonsense", "head")},
	{"§5 who comes next in the plan does what the convenor, away, does not", "client/chores.go",
		"if i < 0 {\n\t\treturn false", "if i != 0 {\n\t\treturn false", unit("internal/sim", "TestConvenorAway")},
	{"§5 a removal that is due is carried out", "client/chores.go",
		"c.content.Removes = append(c.content.Removes, leaf)", "_ = leaf", unit("internal/sim", "TestConvenorAway")},
	{"§5 who is ready is seated", "client/chores.go",
		"c.content.Adds = append(c.content.Adds, kp)", "_ = kp", unit("internal/sim", "TestConvenorAway")},
	{"§6 who waits at its door is let in", "client/door.go",
		"if x.Back == nil || x.ID", "if true || x.ID", unit("internal/sim", "TestConvenorAway")},
	{"§3 what lost a race goes again", "client/outbox.go",
		"if it.handshake() != nil {\n\t\t\tif err := m.drop", "if true {\n\t\t\tif err := m.drop", unit("internal/sim", "TestTroubles")},
}
