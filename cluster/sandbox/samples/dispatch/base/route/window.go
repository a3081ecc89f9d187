package route

import "time"

const kilometresPerHour = 35

// Arrivals returns when a tour that leaves at start reaches each stop.
func Arrivals(tour Tour, start time.Time, perStop time.Duration) []time.Time {
	arrivals := make([]time.Time, 0, len(tour.Stops))
	here, now := tour.Depot, start
	for _, stop := range tour.Stops {
		hours := distance(here, stop.Where) / kilometresPerHour
		now = now.Add(time.Duration(hours * float64(time.Hour)))
		arrivals = append(arrivals, now)
		here, now = stop.Where, now.Add(perStop)
	}
	return arrivals
}
