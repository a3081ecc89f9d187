// Package route orders stops into tours.
package route

import "math"

const earthRadiusKm = 6371.0

// Point is a place on earth, in degrees.
type Point struct {
	Lat, Lon float64
}

// distance returns the great-circle distance of two points in kilometres.
func distance(a, b Point) float64 {
	lat := radians(b.Lat - a.Lat)
	lon := radians(b.Lon - a.Lon)
	h := math.Pow(math.Sin(lat/2), 2) +
		math.Cos(radians(a.Lat))*math.Cos(radians(b.Lat))*math.Pow(math.Sin(lon/2), 2)
	return 2 * earthRadiusKm * math.Asin(math.Sqrt(h))
}

func radians(degrees float64) float64 {
	return degrees * math.Pi / 180
}
