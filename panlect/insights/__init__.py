"""What the record says about the past: costs and latencies now; analytics and backtests read it too."""
