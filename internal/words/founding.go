package words

import "parley/client"

// LostRoom says, in sentences, what is known of a room that nobody may be able
// to follow.
func (w *Words) LostRoom(x client.LostRoom) (l []string) {
	said, silent, founders := seatNames(x.Said), seatNames(x.Silent), seatNames(x.Founders)
	if len(said) > 0 {
		l = append(l, w.T("lostroom.said", "names", w.List(said), "by", x.By.Name, "n", len(said)))
	} else {
		l = append(l, w.T("lostroom.nobody"))
	}
	if len(silent) > 0 {
		l = append(l, w.T("lostroom.silent", "names", w.List(silent), "n", len(silent)))
	} else {
		l = append(l, w.T("lostroom.all"))
	}
	switch {
	case x.MayFound:
		return append(l, w.T("lostroom.you"))
	case len(founders) > 0:
		return append(l, w.T("lostroom.founders", "names", w.List(founders)))
	}
	return l
}

// Founding says, in sentences, what somebody founded again.
func (w *Words) Founding(f client.Founding) (l []string) {
	who := w.T("founding.by", "who", f.Founder.Name, "without", f.Without.Name)
	if f.Mine {
		who = w.T("founding.mine", "without", f.Without.Name)
	}
	l = append(l, who)
	if f.Taken {
		if len(f.Unheard) > 0 {
			l = append(l, w.T("founding.unheard", "names", w.List(f.Unheard)))
		}
		return l
	}
	if n := seatNames(f.Members); len(n) > 0 {
		l = append(l, w.T("founding.members", "names", w.List(n)))
	}
	if n := seatNames(f.Later); len(n) > 0 {
		l = append(l, w.T("founding.later", "names", w.List(n)))
	}
	if f.Same {
		return append(l, w.T("founding.same"))
	}
	l = append(l, w.T("founding.differs"))
	for _, d := range f.Differences {
		l = append(l, w.T(differenceKeys[d.Kind], "who", d.Name, "side", w.party(d.Side)))
	}
	return l
}

func seatNames(l []client.Seat) (names []string) {
	for _, s := range l {
		names = append(names, s.Name)
	}
	return names
}
