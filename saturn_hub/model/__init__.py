"""Values and decisions. Pure: no I/O, no clock, no framework; frozen objects; time is an argument."""
