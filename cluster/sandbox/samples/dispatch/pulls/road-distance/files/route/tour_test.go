package route

import "testing"

var (
	berlin  = Point{52.52, 13.41}
	potsdam = Point{52.40, 13.06}
	leipzig = Point{51.34, 12.37}
)

func TestPlanVisitsTheNearestStopFirst(t *testing.T) {
	tour := Plan(berlin, []Stop{{ID: "far", Where: leipzig}, {ID: "near", Where: potsdam}})
	if tour.Stops[0].ID != "near" {
		t.Fatalf("first stop is %s", tour.Stops[0].ID)
	}
}

func TestKilometresCountTheWayBack(t *testing.T) {
	tour := Plan(berlin, []Stop{{ID: "one", Where: potsdam}})
	if there := tour.Kilometres() / 2; there < 34 || there > 38 {
		t.Fatalf("Berlin to Potsdam is %.1f km", there)
	}
}
