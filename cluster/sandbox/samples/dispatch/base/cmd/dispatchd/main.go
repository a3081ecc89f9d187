// Dispatchd reads the stops of a day and prints a tour for each van.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"acme.example/dispatch/fleet"
	"acme.example/dispatch/route"
)

var depot = route.Point{Lat: 52.52, Lon: 13.41}

func main() {
	var stops []route.Stop
	if err := json.NewDecoder(os.Stdin).Decode(&stops); err != nil {
		log.Fatalf("stops: %v", err)
	}
	vans := []*fleet.Van{fleet.NewVan("B-AC 1", 800), fleet.NewVan("B-AC 2", 1200)}
	if err := fleet.Assign(vans, stops); err != nil {
		log.Fatal(err)
	}
	for _, van := range vans {
		tour := route.Plan(depot, van.Stops)
		fmt.Printf("%s: %d stops, %.1f km\n", van.Plate, len(tour.Stops), tour.Kilometres())
		for i, at := range route.Arrivals(tour, startOfDay(), 4*time.Minute) {
			fmt.Printf("  %s  %s\n", at.Format("15:04"), tour.Stops[i].ID)
		}
	}
}

func startOfDay() time.Time {
	now := time.Now()
	return time.Date(now.Year(), now.Month(), now.Day(), 7, 30, 0, 0, now.Location())
}
