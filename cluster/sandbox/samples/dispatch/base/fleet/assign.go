package fleet

import (
	"sort"

	"acme.example/dispatch/route"
)

// Assign puts every stop into the first van that has room, heaviest stop first.
func Assign(vans []*Van, stops []route.Stop) error {
	byWeight := append([]route.Stop(nil), stops...)
	sort.SliceStable(byWeight, func(i, j int) bool { return byWeight[i].Kilos > byWeight[j].Kilos })
	for _, stop := range byWeight {
		van := firstWithRoom(vans, stop.Kilos)
		if van == nil {
			return ErrFull
		}
		van.Stops = append(van.Stops, stop)
	}
	return nil
}

func firstWithRoom(vans []*Van, kilos int) *Van {
	for _, van := range vans {
		if van.Room() >= kilos {
			return van
		}
	}
	return nil
}
