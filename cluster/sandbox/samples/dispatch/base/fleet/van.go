// Package fleet knows the vans and what they carry.
package fleet

import (
	"errors"

	"acme.example/dispatch/route"
)

// ErrFull says that no van has room for a stop.
var ErrFull = errors.New("fleet: every van is full")

// Van carries stops up to a weight.
type Van struct {
	Plate    string
	MaxKilos int
	Stops    []route.Stop
}

// NewVan returns an empty van.
func NewVan(plate string, maxKilos int) *Van {
	return &Van{Plate: plate, MaxKilos: maxKilos}
}

// Room returns how many kilos still fit.
func (v *Van) Room() int {
	room := v.MaxKilos
	for _, stop := range v.Stops {
		room -= stop.Kilos
	}
	return room
}
