module allocs

go 1.15
