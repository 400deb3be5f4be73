package secret

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestKeyDoesNotPrint(t *testing.T) {
	k, err := NewKey([]byte(strings.Repeat("k", Size)))
	if err != nil {
		t.Fatal(err)
	}
	inside := struct{ K Key }{k}
	js, err := json.Marshal(inside)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{
		fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %s %q %d %x", k, k, k, k, k, k, k),
		fmt.Sprintf("%v %+v", inside, &inside), string(js),
	} {
		if strings.Contains(out, "kk") || strings.Contains(out, "107") || strings.Contains(out, "6b6b") {
			t.Errorf("printed: %s", out)
		}
	}
}

func TestKey(t *testing.T) {
	if _, err := NewKey(make([]byte, Size+1)); err == nil {
		t.Error("a key of 33 bytes was taken")
	}
	a, _ := NewKey([]byte(strings.Repeat("a", Size)))
	b := a
	if !a.Equal(b) || a.Equal(Key{}) || a.IsZero() || !(Key{}).IsZero() {
		t.Error("Equal or IsZero is wrong")
	}
	a.Bytes()[0] = 0
	if !a.Equal(b) {
		t.Error("Bytes gave out the key itself")
	}
}
