package route

// Stop is one delivery at a point.
type Stop struct {
	ID    string
	Where Point
	Kilos int
}

// Tour is the stops of one van in the order in which it visits them.
type Tour struct {
	Depot Point
	Stops []Stop
}

// Plan visits the nearest stop that is left, again and again.
func Plan(depot Point, stops []Stop) Tour {
	left := append([]Stop(nil), stops...)
	tour := Tour{Depot: depot}
	here := depot
	for len(left) > 0 {
		next := nearest(here, left)
		here = left[next].Where
		tour.Stops = append(tour.Stops, left[next])
		left = append(left[:next], left[next+1:]...)
	}
	return tour
}

// Kilometres returns the length of a tour with the way back.
func (t Tour) Kilometres() float64 {
	total, here := 0.0, t.Depot
	for _, stop := range t.Stops {
		total += roadDistance(here, stop.Where)
		here = stop.Where
	}
	return total + roadDistance(here, t.Depot)
}

func nearest(here Point, stops []Stop) int {
	best := 0
	for i := range stops {
		if roadDistance(here, stops[i].Where) < roadDistance(here, stops[best].Where) {
			best = i
		}
	}
	return best
}
