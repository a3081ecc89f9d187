package fleet

import (
	"errors"
	"testing"

	"acme.example/dispatch/route"
)

func TestAssignFillsTheFirstVanFirst(t *testing.T) {
	vans := []*Van{NewVan("B-AC 1", 100), NewVan("B-AC 2", 100)}
	if err := Assign(vans, []route.Stop{{ID: "a", Kilos: 60}, {ID: "b", Kilos: 50}}, 0); err != nil {
		t.Fatal(err)
	}
	if vans[0].Room() != 40 || vans[1].Room() != 50 {
		t.Fatalf("room is %d and %d", vans[0].Room(), vans[1].Room())
	}
}

func TestAssignSaysWhenNothingFits(t *testing.T) {
	err := Assign([]*Van{NewVan("B-AC 1", 10)}, []route.Stop{{ID: "a", Kilos: 60}}, 0)
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
}

func TestAssignKeepsRoomForReturns(t *testing.T) {
	err := Assign([]*Van{NewVan("B-AC 1", 100)}, []route.Stop{{ID: "a", Kilos: 60}}, 50)
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
}
