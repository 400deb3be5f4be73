package mutants

// ofKeeping are the rules of what keeps data: the vault and the relay.
var ofKeeping = []mutant{
	{"§10 burning a dialogue takes its key", "vault/tx.go",
		`"DELETE FROM dialogue WHERE id = ?1", int64(id)`, `"UPDATE dialogue SET id = id WHERE id = ?1", int64(id)`, unit("vault", "TestBurn")},
	{"§10 burning a dialogue removes its rows", "vault/tx.go",
		"DELETE FROM entry WHERE id IN\n\t\t\t\t(SELECT id FROM entry WHERE space = ?1 LIMIT ?2)", "DELETE FROM entry WHERE id IN\n\t\t\t\t(SELECT id FROM entry WHERE space = ?1 LIMIT 0*?2)", unit("vault", "TestBurn")},
	{"§10 what is deleted is overwritten", "vault/conn.go",
		"db.Exec(settings)", `db.Exec(settings + "PRAGMA secure_delete = off;")`, unit("vault", "TestDeletedIsOverwritten")},
	{"§10 commits of a vault reach the disk at once", "vault/vault.go",
		`level := "full"`, `level := "off"`, unit("vault", "TestSettings")},

	{"§2 a position is given once", "relay/store/pebble/write.go",
		"rec.next, rec.lastHour = position+1, hour", "rec.next, rec.lastHour = max(position, 1), hour", unit("relay/store/pebble", "TestStore")},
	{"§2 a cell that is there is not appended again", "relay/store/pebble/write.go",
		"return binary.BigEndian.Uint32(value), true, nil", "return binary.BigEndian.Uint32(value), false, nil", unit("relay/store/pebble", "TestStore")},
	{"§2 an append is acknowledged once it is durable", "relay/store/pebble/write.go",
		"return errors.Join(b.SyncWait(), b.Close())", "return nil", unit("relay/store/pebble", "TestStore")},
	{"§2 no reader is shown a cell that a crash could take back", "relay/store/pebble/read.go",
		"head := min(rec.next, s.synced(id))", "head := rec.next", unit("relay/store/pebble", "TestStore")},
	{"§2 a box is destroyed only once it was idle for its days", "relay/store/pebble/write.go",
		"if a.rec.idle > 0 && !older(a.rec.lastHour, hour, a.rec.idle) {", "if false {", unit("relay/store/pebble", "TestStore")},
	{"§2 destroying a box overwrites its key", "relay/store/pebble/write.go",
		"s.keys.erase(old.slot)", "error(nil)", unit("relay/store/pebble", "TestDestroyedAndExpiredKeysAreOverwritten")},
	{"§2 the tokens prove the box", "relay/request.go",
		"if p.ID() != r.Box {", "if false {", unit("relay", "TestRequestProves")},
	{"§2 the days of a box are part of its id", "relay/keys.go",
		"b = wire.AppendU16(b, p.Idle)", "b = wire.AppendU16(b, 0)", unit("relay", "TestOtherTermsAreAnotherBox")},
	{"§2 an answer is to one's own request", "relay/client.go",
		"case a.ID != r.ID || ", "case ", unit("relay", "TestClientRefusesSpoiltAnswers")},
	{"§2 an answer's hash covers it and its request", "relay/answer.go",
		"if answerSum(body, sum) != ", "if false && answerSum(body, sum) != ", unit("relay", "TestClientRefusesSpoiltAnswers")},
}
