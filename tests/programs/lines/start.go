package main

import "time"

// A moment for tracers: names of a position-independent program come from its mappings, which have to be read while it runs.
func init() { time.Sleep(50 * time.Millisecond) }
