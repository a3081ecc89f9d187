"""HTTP only: decode, authorise, call one panlect function, encode."""
